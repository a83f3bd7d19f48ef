"""`emr tenants state|suspend|resume`: in which state a hospital is, and why."""

import getpass
import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from emr.fleet.states import change, standing, weigh
from emr.fleet.transitions import Standing, Step, Wish
from emr.kernel.errors import Refusal
from emr.kernel.states import STATES
from emr.settings import Settings
from emr.work.command import told
from emr.work.starting import refuse

R = TypeVar("R")

states = typer.Typer()
Slug = Annotated[str, typer.Argument(help="The hospital's slug.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: everybody at the hospital's pages can read it.")]
By = Annotated[str, typer.Option("--by", help="Who decides it; the account on this machine unless said.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@states.command("state")
def state(
    slug: Slug,
    wanted: Annotated[str | None, typer.Argument(metavar="STATE", help=f"One of {', '.join(STATES)}.")] = None,
    *,
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Show a hospital's state and its history, or bring it into another one."""
    if wanted is None:
        _show(_or_refused(lambda: standing(Settings().database, slug)), as_json=as_json)
        return
    _change(Wish(slug, wanted, reason, by or getpass.getuser()), dry_run=dry_run, as_json=as_json)


@states.command("suspend")
def suspend(slug: Slug, *, reason: Reason = "", by: By = "", dry_run: DryRun = False, as_json: Json = False) -> None:
    """Stop serving a hospital: 503 everywhere, with a page that says why and whom to call; its jobs wait."""
    _change(Wish(slug, "suspended", reason, by or getpass.getuser()), dry_run=dry_run, as_json=as_json)


@states.command("resume")
def resume(slug: Slug, *, reason: Reason = "", by: By = "", dry_run: DryRun = False, as_json: Json = False) -> None:
    """Bring a hospital back into the state, trial or live, in which it last worked."""
    _change(Wish(slug, None, reason, by or getpass.getuser()), dry_run=dry_run, as_json=as_json)


def _change(wish: Wish, *, dry_run: bool, as_json: bool) -> None:
    step = _or_refused(lambda: (weigh if dry_run else change)(Settings().database, wish))
    if as_json:
        typer.echo(json.dumps(_said(step) | {"done": step.at is not None}, ensure_ascii=False))
        return
    done = "would go" if step.at is None else "went"
    typer.echo(f"{step.slug} {done} from {step.before} to {step.after}.")


def _show(found: Standing, *, as_json: bool) -> None:
    history = [_said(each) for each in found.steps]
    if as_json:
        now = {"hospital": found.slug, "state": found.state, "reason": found.reason, "since": found.since.isoformat()}
        typer.echo(json.dumps(now | {"history": history}, ensure_ascii=False))
        return
    typer.echo(f"{found.slug} is {found.state} since {found.since:%Y-%m-%d %H:%M %Z}. {found.reason}".rstrip())
    if history:
        table = Table("at", "from", "to", "by", "reason")
        for each in history:
            table.add_row(each["at"], each["from"], each["to"], each["by"], each["reason"])
        Console().print(table)


def _said(step: Step) -> dict[str, Any]:
    return {
        "hospital": step.slug,
        "from": step.before,
        "to": step.after,
        "by": step.by,
        "reason": step.reason,
        "at": None if step.at is None else step.at.isoformat(),
    }


def _or_refused(act: Callable[[], R]) -> R:
    try:
        return act()
    except Refusal as refusal:
        refuse(told(refusal))

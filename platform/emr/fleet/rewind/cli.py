"""`emr rewind open | list | compare | bring-back | drop | rehearse`: one hospital as it was, beside that of today."""

import getpass
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final, TypeVar
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from emr.definitions.warm import warm
from emr.fleet.rewind.bringing import ACTOR, Order, Outcome, bring, compare_past, plan
from emr.fleet.rewind.opening import Wish, close_expired, close_past, moment_of, open_past, weigh
from emr.fleet.rewind.rehearsing import rehearse
from emr.fleet.rewind.rows import Rewind, hospital_of, rewinds
from emr.kernel.errors import Refusal
from emr.records.comparing import Wanted
from emr.records.stored import is_id
from emr.settings import Settings
from emr.work.command import told, with_runtime
from emr.work.runtime import Runtime
from emr.work.starting import refuse

R = TypeVar("R")

rewind = typer.Typer(no_args_is_help=True, help="One hospital at any second of the past: opened, closed.")
Slug = Annotated[str, typer.Argument(help="The hospital's slug.")]
Id = Annotated[str, typer.Argument(help="The rewind's id.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
By = Annotated[str, typer.Option("--by", help="Who wants it; the account on this machine unless said.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: it stands in the hospital's history.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Patient = Annotated[str, typer.Option("--patient", help="Id of one Patient: only what is in that record.")]
To = Annotated[str, typer.Option("--to", help="The moment, e.g. 2026-11-21 14:05, in the hospital's own time.")]

_STEPS: Final = {
    "archive": "waiting until the write-ahead log of now is in the repository",
    "files": "restoring the cell's files",
    "log": "running the log to the moment",
    "copy": "copying the hospital",
    "compare": "comparing with what lives",
}


@rewind.command("open")
def open_(
    slug: Slug, to: To, *, reason: Reason = "", by: By = "", dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Put the hospital as it was at a moment beside the live one, to read. The live one is not touched."""
    settings = Settings()

    def act() -> tuple[Rewind | None, str]:
        wish = Wish(slug, moment_of(to, hospital_of(settings, slug).time_zone), by or getpass.getuser(), reason)
        if dry_run:
            return None, weigh(settings, wish).label
        opened = open_past(settings, wish, _say if not as_json else _say_nothing)
        return opened, opened.backup

    opened, backup = _or_refused(act)
    if as_json:
        typer.echo(json.dumps(opened.as_json() if opened else {"hospital": slug, "backup": backup, "done": False}))
    elif opened is None:
        typer.echo(f"{slug} would be restored from backup {backup}.")
    else:
        typer.echo(
            f"{opened.id}: {slug} as it was at {_local(opened, settings)}, open until {opened.closes_at:%F %H:%M %Z}."
        )
        typer.echo(f"Look: {settings.http.base_url.rstrip('/')}/h/{slug}/past/{opened.id}/")


@rewind.command("list")
def list_(
    slug: Annotated[str | None, typer.Argument(help="One hospital's slug; all without it.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Every past that was asked for: which are open, until when, and what became of the others."""
    settings = Settings()
    found = _or_refused(lambda: rewinds(settings, slug))
    if as_json:
        typer.echo(json.dumps([each.as_json() for each in found], ensure_ascii=False))
        return
    table = Table("id", "hospital", "moment", "state", "until", "by", "reason")
    for each in found:
        ends = f"{each.closes_at:%F %H:%M %Z}" if each.state == "open" else ""
        table.add_row(each.id, each.slug, _local(each, settings), each.state, ends, each.opened_by, each.reason)
    Console().print(table if found else "No past was asked for.")


@rewind.command("drop")
def drop(
    rewind_id: Annotated[str | None, typer.Argument(metavar="ID", help="The rewind's id.")] = None,
    *,
    expired: Annotated[bool, typer.Option("--expired", help="All whose time is over.")] = False,
    by: By = "",
    as_json: Json = False,
) -> None:
    """Take an open past away, or all whose time is over. The live hospital and the backups are not touched."""
    if expired == (rewind_id is not None):
        refuse("Say the id of one rewind, or --expired.")
    settings, who = Settings(), by or getpass.getuser()
    gone = _or_refused(
        lambda: close_expired(settings, who) if rewind_id is None else [close_past(settings, rewind_id, who)]
    )
    if as_json:
        typer.echo(json.dumps([each.as_json() for each in gone]))
        return
    for each in gone:
        typer.echo(f"{each.id}: gone.")


@rewind.command("compare")
def compare(
    rewind_id: Id,
    *,
    patient: Patient = "",
    most: Annotated[int, typer.Option("--list", min=0, max=10_000, help="How many to name.")] = 20,
    as_json: Json = False,
) -> None:
    """What of a hospital is not as it was: counted by type, and the first of them by name."""
    wanted = Wanted(patient)
    found = with_runtime(ACTOR, lambda parts: compare_past(parts, rewind_id, wanted, most))
    if as_json:
        typer.echo(json.dumps({"counts": found.counts, "differences": [asdict(each) for each in found.shown]}))
        return
    table = Table("type", "new", "changed", "gone")
    for name, kinds in found.counts.items():
        table.add_row(name, *(str(kinds.get(kind, 0)) for kind in ("new", "changed", "gone")))
    Console().print(table if found.counts else "Nothing differs.")
    for each in found.shown:
        typer.echo(f"{each.kind:8} {each.type}/{each.id}  then {each.then or '-'}  now {each.now or '-'}")


@rewind.command("bring-back")
def bring_back(
    rewind_id: Id,
    *,
    patient: Patient = "",
    resource: Annotated[list[str] | None, typer.Option("--resource", help="Type/id of one. Repeatable.")] = None,
    names: Annotated[Path | None, typer.Option("--names", help="File with a Type/id on each line.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All that was changed or is gone.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why: it is signed into the hospital's trail.")] = "",
    by: By = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Store what the past holds as next versions of today's record; what is new since then is left alone."""
    listed = [*(resource or ()), *(names.read_text("utf-8").split() if names else ())]
    if sum((bool(patient), bool(listed), everything)) != 1:
        refuse("Say which: --patient ID, --resource Type/id (or --names FILE), or --everything.")
    wanted = Wanted(patient, frozenset(map(_name, listed)) if listed else None)
    order = Order(rewind_id, wanted, by or getpass.getuser(), reason)
    if dry_run:
        planned = with_runtime(ACTOR, lambda parts: plan(parts, order))
        said = [f"{name[0]}/{name[1]}" for name in planned]
        typer.echo(json.dumps({"would_bring_back": said}) if as_json else "\n".join(said) or "Nothing differs.")
        return
    outcome = with_runtime(ACTOR, lambda parts: _bring(parts, order, quiet=as_json))
    if as_json:
        refused = [{"name": "/".join(each.name), "code": each.code, "says": each.message} for each in outcome.refused]
        brought = {"/".join(name): version for name, version in outcome.brought.items()}
        typer.echo(json.dumps({"brought_back": brought, "refused": refused, "note": outcome.note}, ensure_ascii=False))
    else:
        typer.echo(f"{len(outcome.brought)} brought back, {len(outcome.refused)} refused.")
        for each in outcome.refused:
            typer.echo(f"  {'/'.join(each.name)}: {each.message} ({each.code})")
    raise typer.Exit(1 if outcome.refused else 0)


@rewind.command("rehearse")
def rehearse_(
    slug: Annotated[str | None, typer.Argument(help="One hospital's slug; any of them without it.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Restore a hospital to this moment and compare it with what lives. Exit code 1 when it is not the same."""
    quiet = as_json
    done = with_runtime(ACTOR, lambda parts: rehearse(parts, slug, _say_nothing if quiet else _say))
    if as_json:
        shown = {"hospital": done.slug, "moment": done.moment.isoformat(), "backup": done.backup}
        typer.echo(json.dumps(shown | {"passed": done.passed, "findings": done.findings}))
    else:
        seconds = (done.ended - done.began).total_seconds()
        typer.echo(f"{done.slug}: {'the same' if done.passed else 'NOT the same'}, in {seconds:.0f} s.")
        typer.echo(json.dumps(done.findings, indent=1))
    raise typer.Exit(0 if done.passed else 1)


async def _bring(parts: Runtime, order: Order, *, quiet: bool) -> Outcome:
    warm({"Asia/Ho_Chi_Minh"})
    columns = (TextColumn("brought back"), BarColumn(), TextColumn("{task.completed}"))
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task("", total=None)
        return await bring(parts, order, lambda count: bar.advance(task, count))


def _name(text: str) -> tuple[str, str]:
    resource_type, slash, resource_id = text.partition("/")
    if not (slash and resource_type and is_id(resource_id)):
        refuse(f"{text!r} names no resource; write it as Patient/0199….")
    return resource_type, resource_id


def _local(each: Rewind, settings: Settings) -> str:
    return f"{each.moment.astimezone(ZoneInfo(hospital_of(settings, each.slug).time_zone)):%F %H:%M:%S}"


def _say(step: str) -> None:
    typer.echo(f"{_STEPS[step]} …", err=True)


def _say_nothing(step: str) -> None:
    del step


def _or_refused(act: Callable[[], R]) -> R:
    try:
        return act()
    except Refusal as refusal:
        refuse(told(refusal))

"""`emr tenants plan|apply|invite`: the hospitals' files become the world."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from emr.fleet.applying import Manner, Outcome, apply
from emr.fleet.differences import Difference, plan
from emr.fleet.directory_cli import Folder, settings_of
from emr.fleet.inviting import password_for
from emr.fleet.organizations import organizations_of
from emr.fleet.printing import Json, cell, or_exit, show_rows
from emr.fleet.requests import acts_of, carry_out
from emr.settings import Settings

joining = typer.Typer()


@joining.command("plan")
def show_plan(
    folder: Folder = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Exit code 1 when there is any difference.")] = False,
    as_json: Json = False,
) -> None:
    """Show every difference between the hospitals' files and the world, and what apply would do; change nothing."""
    found = or_exit(lambda: plan(settings_of(folder)))
    rows = [_for_machines(each) for each in found] if as_json else [_for_people(each) for each in found]
    show_rows(rows, as_json=as_json, empty="Files and world agree.")
    if check and found:
        raise typer.Exit(1)


@joining.command("apply")
def make_it_so(
    folder: Folder = None,
    *,
    parallel: Annotated[int, typer.Option(min=1, max=32, help="Hospitals at a time.")] = 4,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show, as plan does.")] = False,
    as_json: Json = False,
) -> None:
    """Make the world as the files say; a second time changes nothing, and nothing is ever deleted.

    One that was cut off goes on where it stopped. Exit code 1: something did not work, at the hospitals that are named.
    """
    if dry_run:
        show_plan(folder, as_json=as_json)
        return
    chosen = settings_of(folder)
    with _progress() as manner_of:
        outcomes = or_exit(lambda: apply(chosen, organizations_of(chosen), manner_of(parallel)))
    rows = [
        {
            "hospital": each.slug,
            "difference": each.kind,
            "error": each.error or "",
            "next": each.after,
            "seconds": round(each.seconds, 2),
        }
        for each in outcomes
    ]
    show_rows(rows, as_json=as_json, empty="Nothing to do.")
    if any(each.error for each in outcomes):
        raise typer.Exit(1)


@joining.command("requests")
def requests(
    *,
    watch: Annotated[float, typer.Option(min=0, help="Look again after so many seconds, until stopped; 0: once.")] = 0,
    as_json: Json = False,
) -> None:
    """Carry out what was asked for in pages: hospitals to be made, hospitals for training to be reset.

    Exit code 1: one of them failed; its page says why.
    """
    settings = Settings()
    while True:
        done = or_exit(lambda: carry_out(settings.database, acts_of(settings)))
        if done or not watch:
            show_rows(done, as_json=as_json, empty="Nothing is asked for.")
        if not watch:
            break
        time.sleep(watch)
    if any(each["error"] for each in done):
        raise typer.Exit(1)


@joining.command("invite")
def invite(slug: Annotated[str, typer.Argument(help="The hospital's slug.")]) -> None:
    """A one-time password for a hospital's first administrator, where Keycloak can send no e-mail; shown once."""
    typer.echo(or_exit(lambda: password_for(Settings(), slug)))


@contextmanager
def _progress() -> Iterator[Callable[[int], Manner]]:
    """A bar where somebody looks, a line for each hospital where nobody does; on standard error."""
    if not sys.stderr.isatty():
        yield _lines
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("hospitals")

        def told(outcomes: Sequence[Outcome]) -> None:
            bar.update(task, advance=1, description=outcomes[0].slug)

        yield lambda parallel: Manner(parallel, told, lambda total: bar.update(task, total=total))


def _lines(parallel: int) -> Manner:
    done, of = 0, 0

    def total(number: int) -> None:
        nonlocal of
        of = number

    def told(outcomes: Sequence[Outcome]) -> None:
        nonlocal done
        done += 1
        kinds = ", ".join(each.kind for each in outcomes)
        errors = "; ".join(each.error for each in outcomes if each.error)
        typer.echo(f"{done}/{of} {outcomes[0].slug}: {errors or kinds} ({outcomes[0].seconds:.1f} s)", err=True)

    return Manner(parallel, told, total)


def _for_machines(difference: Difference) -> dict[str, Any]:
    fields = [{"field": name, "stands": old, "wanted": new} for name, (old, new) in difference.fields.items()]
    return {
        "hospital": difference.slug,
        "difference": difference.kind,
        "fields": fields,
        "does": difference.does,
    }


def _for_people(difference: Difference) -> dict[str, Any]:
    fields = "\n".join(f"{name}: {cell(old)} → {cell(new)}" for name, (old, new) in difference.fields.items())
    return {"hospital": difference.slug, "difference": difference.kind, "fields": fields, "then": difference.does}

"""`emr tenants move | drop-copy | cells`: where hospitals live, and how one comes to live elsewhere."""

import getpass
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from emr.fleet.moving import cells as known
from emr.fleet.moving import move as moving
from emr.fleet.moving.move import Moved, Watch, Wish
from emr.kernel.errors import Refusal
from emr.settings import Settings
from emr.work.command import told
from emr.work.faults import kill_points
from emr.work.starting import refuse

R = TypeVar("R")

moves = typer.Typer()
Slug = Annotated[str, typer.Argument(help="The hospital's slug.")]
To = Annotated[str, typer.Option("--to", help="The cell that it comes to.")]
By = Annotated[str, typer.Option("--by", help="Who decides it; the account on this machine unless said.")]
Undo = Annotated[bool, typer.Option("--undo", help="Take back a move that was begun and has not flipped.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Window = Annotated[float, typer.Option("--window", min=10, max=600, help="Seconds without writing at most.")]
KeepDays = Annotated[int, typer.Option("--keep-days", min=0, max=365, help="How long the old copy stands.")]
Now = Annotated[bool, typer.Option("--now", help="Before its time is over.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@moves.command("move")
def move(
    slug: Slug,
    *,
    to: To = "",
    by: By = "",
    undo: Undo = False,
    dry_run: DryRun = False,
    window: Window = 60.0,
    keep_days: KeepDays = 7,
    as_json: Json = False,
) -> None:
    """Bring a hospital to another cell while it works; started again, it goes on where it was cut off."""
    settings, who = Settings(), by or getpass.getuser()
    if undo:
        back = _or_refused(lambda: moving.undo(settings.database, slug, who))
        said = {"hospital": slug, "cell": back.source, "undone": True}
        typer.echo(json.dumps(said) if as_json else f"{slug} stays in the cell {back.source}; the copy is dropped.")
        return
    if not to:
        refuse("Say --to CELL; `emr tenants cells` shows which there are.")
    wish = Wish(slug, to, who, window, timedelta(days=keep_days))
    if dry_run:
        weighed = _or_refused(lambda: moving.weigh(settings.database, wish))
        goes = f"{slug} would go from {weighed['from']} to {to}: {weighed['bytes'] / 2**20:,.0f} MiB."
        typer.echo(json.dumps(weighed) if as_json else goes)
        return
    moved = _or_refused(lambda: _moved(settings, wish, quiet=as_json))
    if as_json:
        typer.echo(json.dumps(asdict(moved)))
    else:
        typer.echo(f"{slug} is in the cell {to}. For {moved.seconds:.1f} s nothing could be written.")


@moves.command("drop-copy")
def drop_copy(slug: Slug, *, now: Now = False, by: By = "", as_json: Json = False) -> None:
    """Drop the old copy that a move has left, when its time is over."""
    cells = _or_refused(lambda: moving.drop_copies(Settings().database, slug, by or getpass.getuser(), early=now))
    typer.echo(json.dumps({"hospital": slug, "cells": cells}) if as_json else f"Dropped in {', '.join(cells)}.")


@moves.command("cells")
def cells(*, as_json: Json = False) -> None:
    """Every cell: its hospitals, how many more it takes, at which revision it stands, whether it answers."""
    rows = _or_refused(lambda: known.cells(Settings().database))
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in rows]))
    else:
        table = Table("cell", "hospitals", "room for", "revision", "answers")
        for each in rows:
            table.add_row(
                each.name, str(each.hospitals), str(each.room), each.revision or "–", "yes" if each.answers else "no"
            )
        Console().print(table)
    if not all(each.answers for each in rows):
        raise typer.Exit(1)


def _moved(settings: Settings, wish: Wish, *, quiet: bool) -> Moved:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        return moving.move(settings.database, wish, _watch(bar, settings))


def _watch(bar: Progress, settings: Settings) -> Watch:
    task, reached = bar.add_task("begun", total=None), kill_points(settings)

    def watch(step: str, more: int) -> None:
        bar.update(task, description=step, advance=more)
        reached(f"move-{step}")

    return watch


def _or_refused(act: Callable[[], R]) -> R:
    try:
        return act()
    except Refusal as refusal:
        refuse(told(refusal))

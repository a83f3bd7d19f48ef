"""`emr backup run | list | check`: the cells' backups by pgBackRest, from the machine that holds its configuration."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from emr.db.cells import DEFAULT_CELL
from emr.fleet.backups.repository import BaseBackup, Kind, Repository
from emr.fleet.backups.rows import attempts, make_backup
from emr.kernel.errors import Refusal
from emr.settings import Settings
from emr.work.command import told
from emr.work.starting import refuse

backup = typer.Typer(no_args_is_help=True, help="Backups of the cells: made, listed, checked.")
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Cell = Annotated[str, typer.Option("--cell", help="Which database.")]


@backup.command("run")
def run(
    *,
    cell: Cell = DEFAULT_CELL,
    kind: Annotated[
        Kind, typer.Option("--kind", help="Everything, or what changed since the last full or any.")
    ] = "incr",
    as_json: Json = False,
) -> None:
    """Make a backup now and write down what came of it; the first one is full whatever was asked."""
    try:
        made = make_backup(Settings(), cell, kind)
    except Refusal as refusal:
        refuse(told(refusal))
    if as_json:
        typer.echo(json.dumps(_said(made)))
    else:
        typer.echo(f"{cell}: {made.kind} backup {made.label}, {_mib(made.size)}, {_mib(made.stored)} stored.")


@backup.command("list")
def list_(*, cell: Cell = DEFAULT_CELL, as_json: Json = False) -> None:
    """What the repository holds, and what failed: any second after the oldest one's end can be brought back."""
    settings = Settings()
    try:
        held = Repository(settings.backup, cell).backups()
    except Refusal as refusal:
        refuse(told(refusal))
    failed = [each for each in attempts(settings, cell) if each.error]
    if as_json:
        failures = [{"at": each.ended_at.isoformat(), "error": each.error} for each in failed]
        typer.echo(json.dumps({"cell": cell, "backups": [_said(each) for each in held], "failures": failures}))
        return
    table = Table("backup", "kind", "ended", "seconds", "size", "stored")
    for each in held:
        seconds = f"{(each.ended - each.began).total_seconds():.0f}"
        table.add_row(
            each.label, each.kind, f"{each.ended:%Y-%m-%d %H:%M:%S %Z}", seconds, _mib(each.size), _mib(each.stored)
        )
    Console().print(table if held else "There is no backup yet: emr backup run --kind full")
    for attempt in failed:
        Console().print(f"{attempt.ended_at:%Y-%m-%d %H:%M:%S %Z} failed: {attempt.error}", markup=False)


@backup.command("check")
def check(*, cell: Cell = DEFAULT_CELL) -> None:
    """Whether the cell's write-ahead log arrives in the repository. Exit code 2 with pgBackRest's words if not."""
    try:
        Repository(Settings().backup, cell).check()
    except Refusal as refusal:
        refuse(told(refusal))
    typer.echo(f"{cell}: its write-ahead log arrives.")


def _said(made: BaseBackup) -> dict[str, Any]:
    return asdict(made) | {"began": made.began.isoformat(), "ended": made.ended.isoformat()}


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"

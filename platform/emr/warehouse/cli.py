"""`emr warehouse …`"""

import json
import os
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as Grid

from emr.db.pools import Cell, Databases
from emr.settings import Settings
from emr.tenancy.registry import Registry
from emr.warehouse.replay import Comparison, compare, replay
from emr.warehouse.status import CellStatus, cell_status
from emr.warehouse.table import Table
from emr.work.command import with_registry
from emr.work.leases import Leases
from emr.work.starting import refuse

warehouse = typer.Typer(no_args_is_help=True, help="What leaves for the city's warehouse.")
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Hospital = Annotated[str | None, typer.Option("--tenant", help="One hospital's slug; all without it.")]


@warehouse.command("status")
def status(*, as_json: Json = False) -> None:
    """Show the lag, what failed and why, and the counts of each hospital."""

    async def ask(pools: Databases, registry: Registry) -> list[CellStatus]:
        return [await cell_status(name, cell, registry) for name, cell in pools.cells.items()]

    cells = with_registry(ask)
    if as_json:
        typer.echo(json.dumps({"cells": [each.as_json() for each in cells]}, ensure_ascii=False))
        return
    for cell in cells:
        _show_cell(cell)


@warehouse.command("replay")
def replay_(tenant: Hospital = None, *, as_json: Json = False, dry_run: bool = False) -> None:
    """Compare each hospital's record with the table, and send again what the table lacks."""
    settings = Settings()
    if not settings.warehouse.url:
        refuse("EMR_WAREHOUSE__URL is not set: there is no warehouse.")

    async def work(pools: Databases, registry: Registry) -> list[Comparison]:
        chosen = [registry.by_slug(tenant)] if tenant else registry.all()
        found = []
        for each in chosen:
            cell, table = pools.cell(each.cell), Table(settings.warehouse, each.cell)
            if dry_run:
                found.append(await compare(pools, table, each))
            else:
                found.append(await replay(pools, table, each, _leases(cell, settings)))
        return found

    found = with_registry(work)
    rows = [_counts(each) for each in found]
    if as_json:
        typer.echo(json.dumps({"hospitals": rows}, ensure_ascii=False))
    else:
        _grid("Record and table", rows)
    if any(each.unknown or each.doubled or (dry_run and each.missing) for each in found):
        raise typer.Exit(1)


def _leases(cell: Cell, settings: Settings) -> Leases:
    return Leases(cell.relay, f"replay/{os.getpid()}/{os.urandom(4).hex()}", settings.worker.lease_seconds)


def _counts(found: Comparison) -> dict[str, Any]:
    counts = {key: len(value) if isinstance(value, list) else value for key, value in asdict(found).items()}
    return counts | {"whole": found.whole}


def _show_cell(cell: CellStatus) -> None:
    console = Console()
    last = cell.last_batch or {}
    state = f"batch {last['number']} {last['state']}" if last else "nothing sent yet"
    trouble = f", {last['attempts']} failed attempts: {last['error']}" if last.get("error") else ""
    console.print(f"Cell {cell.cell}: {cell.pending} waiting, lag {cell.lag_seconds:g} s, {state}{trouble}")
    _grid("Hospitals", [asdict(each) for each in cell.hospitals])
    if cell.failures:
        _grid("Set aside", [asdict(each) for each in cell.failures])


def _grid(title: str, rows: list[dict[str, Any]]) -> None:
    grid = Grid(title=title)
    for name in rows[0] if rows else ():
        grid.add_column(name.replace("_", " "))
    for row in rows:
        grid.add_row(*(str(value) if value is not None else "" for value in row.values()))
    Console().print(grid)

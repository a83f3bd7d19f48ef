"""How the fleet's commands answer: tables for people, JSON for machines, refusals in words.

Exit codes: 0 it is done, or there was nothing to do; 1 part of it did not work, or what was asked for is not there;
2 the request or a file is refused, and nothing was done.
"""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from emr.fleet.files import FilesBroken
from emr.kernel.errors import Refusal
from emr.work.command import told
from emr.work.starting import refuse

R = TypeVar("R")
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


def or_exit(action: Callable[[], R]) -> R:
    """Do it; a refusal ends the process with its words on standard error and exit code 2."""
    try:
        return action()
    except FilesBroken as broken:
        for fault in broken.faults:
            typer.echo(str(fault), err=True)
        typer.echo(f"{len(broken.faults)} faults; nothing was changed. Mend them and ask again.", err=True)
        raise typer.Exit(2) from broken
    except Refusal as refusal:
        refuse(told(refusal))


def show_rows(rows: Sequence[dict[str, Any]], *, as_json: bool, empty: str) -> None:
    """A table with the rows' names as its head, or a JSON array; `empty` is said to people when there is no row."""
    if as_json:
        typer.echo(json.dumps(list(rows), ensure_ascii=False))
        return
    if not rows:
        typer.echo(empty)
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(cell(value) for value in row.values()))
    Console().print(table)


def cell(value: Any) -> str:
    """A value in a table."""
    if value is None:
        return "–"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)

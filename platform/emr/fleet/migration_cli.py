"""`emr migrate`: every schema comes to the newest revision."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from emr.db.migrate import History
from emr.fleet import migration
from emr.fleet.campaign import Rules, Step
from emr.fleet.printing import Json, or_exit, show_rows
from emr.settings import Database, Settings

migrate = typer.Typer()


@migrate.command()
def bring_up(
    *,
    plan_only: Annotated[bool, typer.Option("--plan", help="Only show.")] = False,
    canary: Annotated[list[str] | None, typer.Option(help="A hospital that goes first. Repeatable.")] = None,
    parallel: Annotated[int, typer.Option(min=1, max=32, help="Hospitals at a time.")] = 4,
    attempts: Annotated[int, typer.Option(min=1, max=20, help="Of a hospital that a lock holds up.")] = 3,
    stop_at: Annotated[float, typer.Option(min=0, max=100, help="Percent of failures that end the run.")] = 10,
    as_json: Json = False,
) -> None:
    """Bring directory, cells and every hospital to the newest revision; one that was cut off goes on."""
    database = Settings().database
    rules = Rules(tuple(canary or ()), parallel, attempts, stop_at / 100)
    steps = migration.plan(database) if plan_only else or_exit(lambda: _migrated(database, rules))
    show_rows(list(migration.steps_of(steps)), as_json=as_json, empty="Every schema stands at the newest revision.")
    if any(step.error or step.outcome == "not begun" for step in steps):
        raise typer.Exit(1)


def _migrated(database: Database, rules: Rules) -> list[Step]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    total = sum(each.history == History.TENANT.value for each in migration.plan(database))
    with Progress(*columns, console=Console(stderr=True), disable=not total) as bar:
        task = bar.add_task("hospitals", total=total)
        return migration.migrate(database, rules, lambda _: bar.advance(task))

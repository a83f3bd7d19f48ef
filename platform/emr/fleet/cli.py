"""`emr tenants …` and `emr migrate`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import text

from emr.db.migrate import History, owner_engine
from emr.definitions.warm import warm
from emr.fleet import importing, migration
from emr.fleet.campaign import Rules, Step
from emr.fleet.files import read_hospitals
from emr.fleet.joining_cli import Folder, joining, settings_of
from emr.fleet.leaving.cli import leaving
from emr.fleet.lines import Report
from emr.fleet.moving.cli import moves
from emr.fleet.printing import Json, cell, or_exit, show_rows
from emr.fleet.sandbox.cli import sandbox
from emr.fleet.states_cli import states
from emr.settings import Database, Settings
from emr.tenancy.definition import json_schema
from emr.work.collector import leave_old_objects_alone
from emr.work.command import with_runtime
from emr.work.runtime import Runtime

tenants = typer.Typer(no_args_is_help=True, help="The hospitals: what their files say, and making it so.")
tenants.add_typer(leaving)
migrate = typer.Typer()
import_ = typer.Typer()
settings = typer.Typer()
for part in (joining, moves, sandbox, states):
    tenants.registered_commands += part.registered_commands


@tenants.command("list")
def list_(*, as_json: Json = False) -> None:
    """Every hospital of the directory."""
    query = (
        "SELECT slug, definition->>'name' AS name, state, cell, schema, revision FROM directory.tenants ORDER BY slug"
    )
    with owner_engine(Settings().database.owner_url).connect() as connection:
        rows = [dict(row._mapping) for row in connection.execute(text(query))]  # noqa: SLF001 - SQLAlchemy's public name
    show_rows(rows, as_json=as_json, empty="There is no hospital yet.")


@tenants.command("show")
def show(slug: str, *, as_json: Json = False) -> None:
    """All that the directory knows of one hospital; no key and no patient."""
    query = (
        "SELECT id, slug, schema, cell, state, managed_by, organization_id, revision, created_at::text,"
        " updated_at::text, definition FROM directory.tenants WHERE slug = :slug"
    )
    with owner_engine(Settings().database.owner_url).connect() as connection:
        row = connection.execute(text(query), {"slug": slug}).mappings().first()
    if row is None:
        typer.echo(f"There is no hospital {slug}.", err=True)
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(dict(row), ensure_ascii=False))
    else:
        show_rows([{"field": name, "value": cell(value)} for name, value in row.items()], as_json=False, empty="")


@tenants.command("values")
def values(folder: Folder = None) -> None:
    """The chart's value `hospitals`, made from the files, as JSON (which is YAML too)."""
    hospitals = or_exit(lambda: read_hospitals(settings_of(folder).tenants))
    typer.echo(
        json.dumps({"hospitals": {each.slug: each.as_json() for each in hospitals}}, ensure_ascii=False, indent=2)
    )


@tenants.command("schema")
def schema() -> None:
    """The JSON schema of a hospital's file, as `tenants/schema.json` holds it."""
    typer.echo(json.dumps(json_schema(), ensure_ascii=False, indent=2))


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


@import_.command()
def bring_in(
    tenant: Annotated[str, typer.Option("--tenant", help="The hospital's slug.")],
    paths: Annotated[list[Path], typer.Argument(help="Files or folders: .json, .json.gz, .ndjson.")],
    *,
    as_json: Json = False,
) -> None:
    """Bring FHIR transaction Bundles or NDJSON into a hospital's record; start it again after a break."""
    report = with_runtime("import", lambda parts: _import(parts, tenant, paths))
    typer.echo(json.dumps(asdict(report), ensure_ascii=False) if as_json else importing.told(report))
    if report.refused:
        raise typer.Exit(1)


async def _import(parts: Runtime, tenant: str, paths: list[Path]) -> Report:
    files = importing.files_of(paths)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    warm({parts.registry.by_slug(tenant).time_zone})
    leave_old_objects_alone()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(tenant, total=len(files))
        return await importing.import_files(parts, tenant, files, lambda: bar.advance(task))


@settings.command()
def describe() -> None:
    """Every setting with its description; no value of a secret is shown."""
    typer.echo(settings_page(Settings))


def settings_page(described: type[Settings]) -> str:
    """Every setting as Markdown: its variable, what it is for, and its default."""
    lines = ["| variable | for | default |", "|---|---|---|"]
    for group, field in described.model_fields.items():
        parts = getattr(field.annotation, "model_fields", None)
        named = (
            {f"EMR_{group}__{name}".upper(): part for name, part in parts.items()}
            if parts
            else {f"EMR_{group}".upper(): field}
        )
        lines += [f"| `{name}` | {part.description} | {_default(part.default)} |" for name, part in named.items()]
    return "\n".join(lines)


def _default(value: Any) -> str:
    shown = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return f"`{shown}`" if shown not in ("", None) and not repr(shown).startswith("PydanticUndefined") else "–"

"""`emr tenants list | show | values | schema`: what the directory and the files say; and `emr settings`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import text

from emr.db.migrate import owner_engine
from emr.fleet.files import read_hospitals
from emr.fleet.printing import Json, cell, or_exit, show_rows
from emr.settings import Settings
from emr.tenancy.definition import json_schema

directory = typer.Typer()
settings = typer.Typer()
Folder = Annotated[Path | None, typer.Argument(help="Folder of the hospitals' files.")]


def settings_of(folder: Path | None) -> Settings:
    """The settings, with another folder of hospitals' files if one is named."""
    return Settings(tenants=folder) if folder else Settings()


@directory.command("list")
def list_(*, as_json: Json = False) -> None:
    """Every hospital of the directory."""
    query = (
        "SELECT slug, definition->>'name' AS name, state, cell, schema, revision FROM directory.tenants ORDER BY slug"
    )
    with owner_engine(Settings().database.owner_url).connect() as connection:
        rows = [dict(row._mapping) for row in connection.execute(text(query))]  # noqa: SLF001 - SQLAlchemy's public name
    show_rows(rows, as_json=as_json, empty="There is no hospital yet.")


@directory.command("show")
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


@directory.command("values")
def values(folder: Folder = None) -> None:
    """The chart's value `hospitals`, made from the files, as JSON (which is YAML too)."""
    hospitals = or_exit(lambda: read_hospitals(settings_of(folder).tenants))
    typer.echo(
        json.dumps({"hospitals": {each.slug: each.as_json() for each in hospitals}}, ensure_ascii=False, indent=2)
    )


@directory.command("schema")
def schema() -> None:
    """The JSON schema of a hospital's file, as `tenants/schema.json` holds it."""
    typer.echo(json.dumps(json_schema(), ensure_ascii=False, indent=2))


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

"""`emr apps …`: the apps of a hospital, for who sets a hospital up; afterwards they are its administrator's."""

import json
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from emr.kernel.errors import Refusal
from emr.smart.registering import RegisterApp
from emr.smart.service import list_apps, register_app, renew_secret, stop_app
from emr.work.command import told, with_work
from emr.work.starting import refuse

apps = typer.Typer(no_args_is_help=True, help="The SMART apps and services of a hospital.")
Slug = Annotated[str, typer.Argument(help="The hospital's slug.")]
Id = Annotated[str, typer.Argument(help="The app's client_id.")]
_LARGEST: Final = 256 * 1024


@apps.command("register")
def register(slug: Slug, file: Annotated[Path, typer.Argument(help="The app as JSON; see smart.md.")]) -> None:
    """Register an app, and print its client_id and, told this once, its secret."""
    if not file.is_file() or file.stat().st_size > _LARGEST:
        refuse(f"{file} is no file of at most {_LARGEST >> 10} KiB.")
    try:
        wish = RegisterApp.of(json.loads(file.read_text("utf-8")))
    except (ValueError, RecursionError) as error:
        refuse(f"{file} is not JSON: {error}")
    except Refusal as refusal:
        refuse(told(refusal))
    app, secret = with_work("apps", slug, lambda work: register_app(work, wish))
    typer.echo(json.dumps({"client_id": app.id} | ({"client_secret": secret} if secret else {})))


@apps.command("list")
def list_(slug: Slug, *, as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Every app of a hospital."""
    rows = [
        {"client_id": each.id, "name": each.name, "kind": each.kind, "state": "active" if each.active else "stopped",
         "scopes": " ".join(sorted(each.scopes))}
        for each in with_work("apps", slug, list_apps)
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table("client_id", "name", "kind", "state", "scopes")
    for row in rows:
        table.add_row(*row.values())
    Console().print(table if rows else "There is no app.")


@apps.command("stop")
def stop(slug: Slug, app_id: Id) -> None:
    """Let an app in no more, from its next request on."""
    with_work("apps", slug, lambda work: stop_app(work, app_id))
    typer.echo(f"{app_id} is stopped.")


@apps.command("new-secret")
def new_secret(slug: Slug, app_id: Id) -> None:
    """Print a new secret; the one before counts no more."""
    typer.echo(with_work("apps", slug, lambda work: renew_secret(work, app_id)))

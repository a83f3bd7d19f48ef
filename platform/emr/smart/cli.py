"""`emr apps …`: the apps of a hospital, for who sets a hospital up; afterwards they are its administrator's."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from emr.identity.principal import system_principal
from emr.kernel.errors import Refusal
from emr.settings import Settings
from emr.smart.registering import RegisterApp
from emr.smart.service import list_apps, register_app, renew_secret, stop_app
from emr.telemetry.logs import configure_logs
from emr.work.runtime import runtime
from emr.work.starting import ready_to_start, refuse
from emr.work.unit import UnitOfWork, unit_of_work

R = TypeVar("R")

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
        refuse(_said(refusal))
    app, secret = _with(slug, lambda work: register_app(work, wish))
    typer.echo(json.dumps({"client_id": app.id} | ({"client_secret": secret} if secret else {})))


@apps.command("list")
def list_(slug: Slug, *, as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Every app of a hospital."""
    rows = [
        {"client_id": each.id, "name": each.name, "kind": each.kind, "state": "active" if each.active else "stopped",
         "scopes": " ".join(sorted(each.scopes))}
        for each in _with(slug, list_apps)
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
    _with(slug, lambda work: stop_app(work, app_id))
    typer.echo(f"{app_id} is stopped.")


@apps.command("new-secret")
def new_secret(slug: Slug, app_id: Id) -> None:
    """Print a new secret; the one before counts no more."""
    typer.echo(_with(slug, lambda work: renew_secret(work, app_id)))


def _with(slug: str, act: Callable[[UnitOfWork], Awaitable[R]]) -> R:
    chosen = ready_to_start()
    configure_logs(chosen.telemetry, "apps")
    try:
        return uvloop.run(_run(chosen, slug, act))
    except Refusal as refusal:
        refuse(_said(refusal))


async def _run(chosen: Settings, slug: str, act: Callable[[UnitOfWork], Awaitable[R]]) -> R:
    parts = runtime(chosen)
    await parts.open()
    try:
        hospital = parts.registry.by_slug(slug)
        async with unit_of_work(parts, hospital, system_principal("apps", tenant_id=hospital.id)) as work:
            return await act(work)
    finally:
        await parts.close()


def _said(refusal: Refusal) -> str:
    return "\n".join(f"{each.location or ''} {each.message}".lstrip() for each in refusal.issues)

"""`emr subscriptions …`: how the Subscriptions of a hospital stand, and how an operator ends one."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table as Grid

from emr.kernel.errors import NotFound
from emr.kernel.tenant import Tenant
from emr.subscriptions import repository
from emr.subscriptions.guard import install
from emr.subscriptions.repository import Subscriber
from emr.subscriptions.states import switch_off
from emr.work.command import with_runtime
from emr.work.runtime import Runtime

R = TypeVar("R")

subscriptions = typer.Typer(no_args_is_help=True, help="What other systems asked to be told.")
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Slug = Annotated[str, typer.Argument(help="The hospital's slug.")]


@subscriptions.command("list")
def list_(slug: Slug, *, as_json: Json = False) -> None:
    """Show every Subscription that is not off: state, owner, what it is about, what is owed to it."""
    rows = [_row(each) for each in _run(slug, _every)]
    _show(rows, as_json=as_json)


@subscriptions.command("status")
def status(slug: Slug, *, as_json: Json = False) -> None:
    """Show those that are not well; exit code 1 when there are any."""
    rows = [_row(each) for each in _run(slug, _every) if each.state == "error" or each.failing_since is not None]
    _show(rows, as_json=as_json)
    raise typer.Exit(1 if rows else 0)


@subscriptions.command("off")
def off(slug: Slug, subscription: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """End one: nothing is owed to it any more. Its owner may ask again."""

    async def end(parts: Runtime, tenant: Tenant) -> None:
        async with parts.databases.hospital(tenant) as db:
            if await repository.find(db, subscription) is None:
                raise NotFound("subscription-unknown", "There is no such Subscription, or it is off.")
        await switch_off(parts, tenant, subscription, "Switched off by an operator.")

    _run(slug, end)


async def _every(parts: Runtime, tenant: Tenant) -> list[Subscriber]:
    async with parts.databases.hospital(tenant) as db:
        return await repository.every(db)


def _run(slug: str, act: Callable[[Runtime, Tenant], Awaitable[R]]) -> R:
    async def within(parts: Runtime) -> R:
        install(parts)
        return await act(parts, parts.registry.by_slug(slug))

    return with_runtime("subscriptions", within)


def _row(each: Subscriber) -> dict[str, Any]:
    return {
        "id": each.id,
        "state": each.state,
        "owner": each.owner,
        "type": each.type,
        "events": each.last_number,
        "pending": each.pending,
        "attempts": each.attempts,
        "failing_since": each.failing_since.isoformat(timespec="seconds") if each.failing_since else None,
        "reason": each.reason,
    }


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"subscriptions": rows}, ensure_ascii=False))
        return
    grid = Grid(title="Subscriptions")
    for name in rows[0] if rows else ():
        grid.add_column(name.replace("_", " "))
    for row in rows:
        grid.add_row(*(str(value) if value is not None else "" for value in row.values()))
    Console().print(grid)

"""`emr border …`: try the doors of hospitals now, and show what was found."""

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from emr.app import ROUTERS
from emr.border.checking import Border, check
from emr.border.doors import every_door
from emr.border.knocking import Knocker, knocker
from emr.identity.sessions import session_cookie
from emr.identity.visits import Visits
from emr.kernel.tenant import Tenant
from emr.light.nightly import build_id, standing_of_each
from emr.light.results import Result, Results, signer_of
from emr.settings import Settings
from emr.work.command import with_runtime
from emr.work.runtime import Runtime
from emr.work.starting import refuse

border = typer.Typer(no_args_is_help=True, help="The border light: every hospital's doors, tried from outside.")
Slugs = Annotated[list[str] | None, typer.Argument(help="Hospitals by slug; all that are open without any.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Found = Sequence[tuple[Tenant, Result | None]]
Work = Callable[[Runtime, Sequence[Tenant]], Awaitable[Found]]


@border.command("check")
def check_(slugs: Slugs = None, *, as_json: Json = False) -> None:
    """Try every door of these hospitals over HTTP, sign and keep what was found; exit code 1 when a light is red."""
    _tell(_run(slugs or (), _check_each), as_json=as_json)


@border.command("show")
def show(slugs: Slugs = None, *, as_json: Json = False) -> None:
    """Show the last result of each hospital; exit code 1 when a light is red or a signature does not hold."""
    _tell(_run(slugs or (), _newest_of_each), as_json=as_json)


def _run(slugs: Sequence[str], work: Work) -> Found:
    async def within(parts: Runtime) -> Found:
        # What is stopped takes its visitors away first.
        if (task := asyncio.current_task()) is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        registry = parts.registry
        chosen = [registry.by_slug(slug) for slug in slugs] or [each for each in registry.all() if each.open]
        return await work(parts, chosen)

    try:
        return with_runtime("border", within)
    except asyncio.CancelledError:
        refuse("Stopped.")


async def _check_each(parts: Runtime, hospitals: Sequence[Tenant]) -> Found:
    return [(tenant, await _check(parts, tenant)) for tenant in hospitals]


async def _newest_of_each(parts: Runtime, hospitals: Sequence[Tenant]) -> Found:
    standings = await standing_of_each(parts)
    return [(tenant, standings[tenant.id].last) for tenant in hospitals]


async def _check(parts: Runtime, tenant: Tenant) -> Result:
    results = Results(parts.databases.directory, signer_of(parts.signing_key))
    last = next(iter(await results.newest(tenant)), None)
    began_at = parts.clock()
    async with asking(parts.settings) as client:
        visits = Visits(parts.settings, parts.databases.directory, parts.clock)
        tried = Border(client, visits, parts.signing_key, every_door(ROUTERS))
        findings = await check(tried, tenant, neighbour(parts.registry.all(), tenant, last.number if last else 0))
    return await results.add(tenant, findings, (began_at, parts.clock()), build_id())


def asking(settings: Settings) -> AbstractAsyncContextManager[Knocker]:
    """A client that asks the service where the settings say that it is."""
    url = settings.border.url or settings.http.base_url
    return knocker(url, session_cookie(settings), settings.border.per_second)


def neighbour(hospitals: Sequence[Tenant], tenant: Tenant, turn: int) -> Tenant | None:
    """The hospital as whose people this one is tried: another one each time. None where there is no other."""
    others = [each for each in hospitals if each.id != tenant.id and each.open and each.organization_id]
    return others[turn % len(others)] if others else None


def _tell(found: Found, *, as_json: bool) -> None:
    if as_json:
        rows = [{"hospital": tenant.slug, "result": _as_json(result)} for tenant, result in found]
        typer.echo(json.dumps({"hospitals": rows}, ensure_ascii=False))
    else:
        _show(found)
    if any(result is None or not result.green for _, result in found):
        raise typer.Exit(1)


def _as_json(result: Result | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return (
        asdict(result)
        | {"green": result.green}
        | {name: getattr(result, name).isoformat() for name in ("began_at", "ended_at")}
    )


def _show(found: Found) -> None:
    table = Table("hospital", "light", "at", "tries", "red", "what")
    for tenant, result in found:
        if result is None:
            table.add_row(tenant.slug, "never tried", "", "", "", "")
            continue
        light = "green" if result.green else "red" if result.genuine else "not genuine"
        what = "; ".join(f"{each.outsider}: {each.door} ({each.why})" for each in result.red[:5])
        table.add_row(tenant.slug, light, f"{result.ended_at:%Y-%m-%d %H:%M} UTC", str(sum(result.probes.values())),
                      str(result.red_count), what)  # fmt: skip
    Console().print(table)

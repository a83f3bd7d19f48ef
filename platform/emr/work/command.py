"""What commands of `emr` share: the parts are opened, one thing is done, the parts are closed.

A refusal ends the process with its words, an issue a line, on standard error and exit code 2.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

from emr.db.pools import Databases, databases
from emr.identity.principal import system_principal
from emr.kernel.errors import Refusal
from emr.settings import Settings
from emr.telemetry.logs import configure_logs
from emr.tenancy.registry import Registry
from emr.work.runtime import Runtime, runtime
from emr.work.starting import ready_to_start, refuse
from emr.work.unit import UnitOfWork, unit_of_work

R = TypeVar("R")


def with_runtime(name: str, act: Callable[[Runtime], Awaitable[R]]) -> R:
    """Do it with everything that the service has; `name` is what the logs call this process."""
    settings = ready_to_start()
    configure_logs(settings.telemetry, name)

    async def run() -> R:
        parts = runtime(settings)
        await parts.open()
        try:
            return await act(parts)
        finally:
            await parts.close()

    return _told(run)


def with_work(name: str, slug: str, act: Callable[[UnitOfWork], Awaitable[R]]) -> R:
    """Do it as the platform itself (`system:{name}` in the trail) in one transaction of a hospital."""

    async def within(parts: Runtime) -> R:
        tenant = parts.registry.by_slug(slug)
        async with unit_of_work(parts, tenant, system_principal(name, tenant_id=tenant.id)) as work:
            return await act(work)

    return with_runtime(name, within)


def with_registry(act: Callable[[Databases, Registry], Awaitable[R]]) -> R:
    """Do it with the databases alone, for what needs no key and no object store."""

    async def run() -> R:
        pools = databases(Settings().database)
        await pools.open()
        try:
            registry = Registry(pools.directory)
            await registry.refresh()
            return await act(pools, registry)
        finally:
            await pools.close()

    return _told(run)


def told(refusal: Refusal) -> str:
    """Where and what, an issue a line."""
    return "\n".join(f"{each.location or ''} {each.message}".lstrip() for each in refusal.issues)


def _told(run: Callable[[], Awaitable[R]]) -> R:
    try:
        return uvloop.run(_awaited(run))
    except Refusal as refusal:
        refuse(told(refusal))


async def _awaited(run: Callable[[], Awaitable[R]]) -> R:
    return await run()

"""What a worker does for indexes that do not hold the whole record yet: a batch of one hospital, then of the next."""

from collections.abc import Awaitable, Callable
from typing import Final

from emr.identity.principal import system_principal
from emr.kernel.errors import Conflict
from emr.kernel.tenant import Tenant
from emr.records.own_pass import UNFINISHED as OWN_UNFINISHED
from emr.records.own_pass import advance_own
from emr.records.reindexing import Progress, advance
from emr.records.sights_pass import STATE as SIGHTS_STATE
from emr.records.sights_pass import advance_sights, is_behind
from emr.telemetry.logs import get_logger
from emr.work.leases import Lease, Leases
from emr.work.loop import Job
from emr.work.rounds import go_round
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work

_LOOK: Final = 30.0
_UNFINISHED: Final = """
SELECT coalesce(bool_or(state ? 'after' OR (state ->> 'format')::int = 0), false) FROM indexing WHERE name = 'record'
"""


def reindex_jobs(parts: Runtime, leases: dict[str, Leases]) -> list[Job]:
    """One for every cell."""
    return [Job(f"reindex:{cell}", _LOOK, _Pass(parts, cell).turn, own) for cell, own in leases.items()]


class _Pass:
    """Goes round the hospitals of a cell."""

    def __init__(self, parts: Runtime, cell: str) -> None:
        self._parts, self._cell = parts, cell

    async def turn(self, lease: Lease | None) -> bool:
        """A batch for each hospital that needs one; whether there is more to do."""
        if lease is None:
            return False
        served = [each for each in self._parts.registry.all() if each.cell == self._cell and self._parts.serves(each)]
        return await go_round("reindex", served, self._batch)

    async def _batch(self, tenant: Tenant) -> bool:
        async with self._parts.databases.hospital(tenant) as connection:
            record = await connection.fetchval(_UNFINISHED, name="reindex-unfinished")
            own = await connection.fetchval(OWN_UNFINISHED, name="own-pass-unfinished")
            sights = await connection.fetchval(SIGHTS_STATE, name="sights-state")
        more = record and await self._advanced(tenant, advance)
        more_own = own and await self._advanced(tenant, advance_own)
        more_sights = is_behind(tenant.access, sights) and await self._sights_advanced(tenant)
        return bool(more or more_own or more_sights)

    async def _sights_advanced(self, tenant: Tenant) -> bool:
        try:
            async with unit_of_work(self._parts, tenant, system_principal("sights", tenant_id=tenant.id)) as work:
                return await advance_sights(work)
        except Conflict:
            return True

    async def _advanced(self, tenant: Tenant, act: Callable[[UnitOfWork], Awaitable[Progress]]) -> bool:
        """Whether there is more to do at once: a pass that waits for older writers has done nothing yet."""
        principal = system_principal("reindex", tenant_id=tenant.id)
        try:
            async with unit_of_work(self._parts, tenant, principal) as work:
                progress = await act(work)
        except Conflict:
            return True
        if progress.complete:
            get_logger().info("index complete", hospital=tenant.slug, rows=sum(progress.rows.values()))
        return not progress.complete and progress.resources > 0

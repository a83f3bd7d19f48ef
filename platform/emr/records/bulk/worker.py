"""What a worker does for bulk jobs: a piece here, a piece there, so that no hospital's export holds up another's."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final

from emr.db.pools import RolePool
from emr.identity.principal import system_principal
from emr.kernel.tenant import Tenant
from emr.records import scope_criteria
from emr.records.bulk.beside import Desks
from emr.records.bulk.export import Exporter
from emr.records.bulk.importing import Importer, Running
from emr.records.bulk.jobs import Job, forget, late
from emr.records.bulk.rounds import JobRounds, Mine
from emr.work.faults import kill_points
from emr.work.leases import Lease, Leases
from emr.work.loop import Job as LoopJob
from emr.work.rounds import go_round
from emr.work.runtime import Runtime
from emr.work.unit import Request, UnitOfWork, unit_of_work
from emr.work.use_case import use_case

_LOOK: Final = 0.5
_EXPIRY_LOOK: Final = 60.0
_EXPIRY: Final = 600.0
_AT_WORK: Final = ("export", "import", "upload")
_TO_READ: Final = ("export", "upload")
"""Jobs that go on while a hospital is read-only; an import waits where it is."""
ROUND: Final = "bulk"
"""The round of the hospitals in which these jobs are done."""


def bulk_jobs(parts: Runtime, leases: dict[str, Leases]) -> list[LoopJob]:
    """For every cell: the jobs that wait there, and the end of those that are over."""
    found: list[LoopJob] = []
    for cell, own in leases.items():
        worker = BulkWorker(parts, parts.databases.cell(cell).relay, own)
        found.append(LoopJob(f"bulk:{cell}", _LOOK, worker.turn))
        found.append(LoopJob(f"bulk-expiry:{cell}", _EXPIRY_LOOK, _expiring(worker, cell), own))
    return found


def _expiring(worker: "BulkWorker", cell: str) -> Callable[[Lease | None], Awaitable[bool]]:
    async def turn(lease: Lease | None) -> bool:
        if lease is not None and await worker.leases.due(lease, _EXPIRY):
            await worker.expire(cell)
        return False

    return turn


class BulkWorker(JobRounds):
    """The bulk jobs of one cell, and the end of the files of all its jobs."""

    def __init__(self, parts: Runtime, relay: RolePool, leases: Leases) -> None:
        super().__init__(ROUND, parts, relay, leases)
        scope_criteria.install(parts)
        bulk = parts.settings.bulk
        self._desks = Desks(bulk.import_processes)
        self._reached = kill_points(parts.settings)
        self._exporter = Exporter(bulk.part_mib << 20, self._reached)
        self._importer = Importer(self._desks, self._reached)
        self._kept = timedelta(hours=bulk.keep_hours)

    async def turn(self, lease: Lease | None) -> bool:
        """See `JobRounds.turn`; without work for a while, the processes of imports end."""
        more = await super().turn(lease)
        await self._desks.rest()
        return more

    def kinds(self, tenant: Tenant) -> Sequence[str]:
        """See `JobRounds`."""
        return _AT_WORK if tenant.writable else _TO_READ

    async def close(self) -> None:
        """End the processes that were started for imports."""
        await self._desks.close()

    async def expire(self, cell: str) -> None:
        """Take away the files of jobs that are over, in every hospital."""
        served = [each for each in self._parts.registry.all() if each.cell == cell and self._parts.serves(each)]
        await go_round("bulk-expire", served, self.rest)

    async def do(self, mine: Mine, job: Job) -> None:
        """See `JobRounds`."""
        job = replace(job, principal=await self.requester(mine.tenant, job))
        if job.kind == "import":
            await self._importer.piece(Running(job, mine.lease.fence, lambda: self._opened(mine.tenant, job)))
            return
        async with self._opened(mine.tenant, job) as work:
            await self._exporter.piece(work, job, mine.lease.fence)
        self._reached("export-committed")

    @asynccontextmanager
    async def _opened(self, tenant: Tenant, job: Job) -> AsyncIterator[UnitOfWork]:
        base = f"{self._parts.settings.http.base_url.rstrip('/')}/h/{tenant.slug}/fhir"
        async with unit_of_work(self._parts, tenant, job.principal, Request(job.id, base)) as work:
            yield work

    async def rest(self, tenant: Tenant) -> None:
        """Take away the files of jobs that are over."""
        while True:
            async with self._parts.databases.hospital(tenant) as connection:
                over = await late(connection, tenant.id, self._kept)
            for job in over:
                principal = system_principal("bulk", tenant_id=tenant.id)
                async with unit_of_work(self._parts, tenant, principal) as work:
                    await remove_files(work, job)
            if not over:
                return


@use_case("bulk:export", "bulk.files-removed")
async def remove_files(work: UnitOfWork, job: Job) -> None:
    """Take away what a job has made or was given, and forget what was asked."""
    blobs = await work.blobs.find_many([file.blob for file in job.files])
    for blob in blobs.values():
        await work.blobs.delete(blob)
    await forget(work, job)
    work.trail.note(files=len(blobs), kind=job.kind)

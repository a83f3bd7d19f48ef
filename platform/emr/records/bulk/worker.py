"""What a worker does for bulk jobs: a piece here, a piece there, so that no hospital's export holds up another's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from emr.db.pools import RolePool
from emr.identity.apps import Apps
from emr.identity.memberships import Memberships
from emr.identity.principal import Principal, system_principal
from emr.kernel.errors import Conflict, Forbidden, NotFound, Refusal, Unavailable
from emr.kernel.tenant import Tenant
from emr.records import scope_criteria
from emr.records.bulk.beside import Desks
from emr.records.bulk.export import Exporter
from emr.records.bulk.importing import Importer, Running
from emr.records.bulk.jobs import Job, JobMoved, Trouble, count_open, forget, late, next_open, take, trouble
from emr.telemetry.logs import get_logger
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
_ATTEMPTS: Final = 8
_AT_WORK: Final = ("export", "import", "upload")
_TO_READ: Final = ("export", "upload")
"""Jobs that go on while a hospital is read-only; an import waits where it is."""
_LONGEST_WAIT: Final = 300.0
_PREFIX: Final = "bulk:"

_WISH: Final = """
INSERT INTO cell.jobs AS j (name, state) VALUES ($1, jsonb_build_object('wished_at', clock_timestamp()))
ON CONFLICT (name) DO UPDATE SET state = j.state || excluded.state
"""
_WISHES: Final = """
SELECT name FROM cell.jobs WHERE name LIKE 'bulk:t\\_%' AND state ? 'wished_at' AND leased_until < clock_timestamp()
ORDER BY name
"""
_GRANTED: Final = """
UPDATE cell.jobs SET state = state - 'wished_at'
WHERE name = $1 AND (state ->> 'wished_at')::timestamptz < clock_timestamp() - interval '30 seconds'
"""


async def wake(relay: RolePool, tenant: Tenant) -> None:
    """Let a worker look at this hospital's jobs. Called before the transaction that adds one commits: the wish stands
    for half a minute.
    """
    async with relay.connection() as connection:
        await connection.execute(_WISH, _PREFIX + tenant.schema, name="bulk.wish")


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


@dataclass(frozen=True, slots=True)
class _Mine:
    """A hospital whose jobs this worker may do at the moment."""

    tenant: Tenant
    lease: Lease


class BulkWorker:
    """The bulk jobs of one cell. One worker at a time does those of a hospital; several may do several hospitals'."""

    def __init__(self, parts: Runtime, relay: RolePool, leases: Leases) -> None:
        self._parts, self._relay, self.leases = parts, relay, leases
        scope_criteria.install(parts)
        bulk = parts.settings.bulk
        self._desks = Desks(bulk.import_processes)
        self._reached = kill_points(parts.settings)
        self._exporter = Exporter(bulk.part_mib << 20, self._reached)
        self._importer = Importer(self._desks, self._reached)
        self._kept = timedelta(hours=bulk.keep_hours)

    async def turn(self, lease: Lease | None) -> bool:
        """A piece, or as many as its tier has turns, for each hospital that waits; whether there was anything to do."""
        del lease
        async with self._relay.connection() as connection:
            names = [row["name"] for row in await connection.fetch(_WISHES, name="bulk.wishes")]
        more = await go_round("bulk", filter(self._parts.serves, self._named(names)), self._of_hospital)
        await self._desks.rest()
        return more

    async def close(self) -> None:
        """End the processes that were started for imports."""
        await self._desks.close()

    async def expire(self, cell: str) -> None:
        """Take away the files of jobs that are over, in every hospital."""
        served = [each for each in self._parts.registry.all() if each.cell == cell and self._parts.serves(each)]
        await go_round("bulk-expire", served, self._tidy)

    def _named(self, names: Iterable[str]) -> Iterator[Tenant]:
        """The hospitals that jobs were wished for, but for those that are gone."""
        for name in names:
            with suppress(NotFound):
                yield self._parts.registry.by_schema(name.removeprefix(_PREFIX))

    async def _of_hospital(self, tenant: Tenant) -> bool:
        lease = await self.leases.acquire(_PREFIX + tenant.schema)
        if lease is None:
            return False
        async with self.leases.renewed(lease):
            for turn in range(tenant.weight):
                if not await self._next_piece(_Mine(tenant, lease)):
                    return turn > 0
        return True

    async def _next_piece(self, mine: _Mine) -> bool:
        async with self._parts.databases.hospital(mine.tenant) as connection:
            job = await next_open(connection, mine.tenant.id, kinds=_AT_WORK if mine.tenant.writable else _TO_READ)
            if job is not None and not await take(connection, job.id, mine.lease.fence):
                job = None
            waiting = await count_open(connection)
        if job is None:
            if not waiting:
                await self._tidy(mine.tenant)
                async with self._relay.connection() as relay:
                    await relay.execute(_GRANTED, mine.lease.name, name="bulk.granted")
            return False
        await self._piece(mine, job)
        return True

    async def _piece(self, mine: _Mine, job: Job) -> None:
        met, last = "failed", False
        try:
            await self._do(mine, job)
            met = ""
        except JobMoved:
            met = ""
        except Refusal as refusal:
            met, last = f"{refusal.code}: {refusal.message}", not isinstance(refusal, Unavailable | Conflict)
            get_logger().warning("bulk job held up", hospital=mine.tenant.slug, code=refusal.code)
        finally:
            task = asyncio.current_task()
            if met and not (task is not None and task.cancelling()):
                last = last or job.attempts + 1 >= _ATTEMPTS
                again = min(2.0**job.attempts, _LONGEST_WAIT)
                async with self._parts.databases.hospital(mine.tenant) as connection:
                    await trouble(connection, job.id, mine.lease.fence, Trouble(met, again, last))

    async def _do(self, mine: _Mine, job: Job) -> None:
        job = replace(job, principal=await self._requester(mine.tenant, job))
        if job.kind == "import":
            await self._importer.piece(Running(job, mine.lease.fence, lambda: self._opened(mine.tenant, job)))
            return
        async with self._opened(mine.tenant, job) as work:
            await self._exporter.piece(work, job, mine.lease.fence)
        self._reached("export-committed")

    async def _requester(self, tenant: Tenant, job: Job) -> Principal:
        """Who began the job, as they stand now: role, duties, clearances and sight of their membership, and no more
        than the token of the kick-off allowed. Raises `Forbidden` for who left, or whose app was stopped.
        """
        was, directory = job.principal, self._parts.databases.directory
        if was.kind == "system":
            return was
        now = await Memberships(directory, self._parts.clock).again(was)
        app = await Apps(directory).find(tenant.id, was.app) if was.app is not None else None
        if now is None or (was.app is not None and (app is None or not app.active)):
            raise Forbidden("bulk-requester-left", "Who began the job may not work here any more.")
        return now

    @asynccontextmanager
    async def _opened(self, tenant: Tenant, job: Job) -> AsyncIterator[UnitOfWork]:
        base = f"{self._parts.settings.http.base_url.rstrip('/')}/h/{tenant.slug}/fhir"
        async with unit_of_work(self._parts, tenant, job.principal, Request(job.id, base)) as work:
            yield work

    async def _tidy(self, tenant: Tenant) -> None:
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

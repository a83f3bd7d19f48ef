"""Rounds of the hospitals whose jobs wait: which may be done, by whom, and what becomes of one that fails.

Who adds a job leaves a wish in `cell.jobs`; whoever goes the round takes the lease of a hospital that is wished for,
does what there is to do, and takes the wish away when nothing is.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from emr.db.pools import RolePool
from emr.identity.apps import Apps
from emr.identity.memberships import Memberships
from emr.identity.principal import Principal
from emr.kernel.errors import Conflict, Forbidden, NotFound, Refusal, Unavailable
from emr.kernel.tenant import Tenant
from emr.records.bulk.jobs import Job, JobMoved, Trouble, count_open, next_open, take, trouble
from emr.telemetry.logs import get_logger
from emr.work.leases import Lease, Leases
from emr.work.rounds import go_round
from emr.work.runtime import Runtime

_ATTEMPTS: Final = 8
_LONGEST_WAIT: Final = 300.0
_WISH: Final = """
INSERT INTO cell.jobs AS j (name, state) VALUES ($1, jsonb_build_object('wished_at', clock_timestamp()))
ON CONFLICT (name) DO UPDATE SET state = j.state || excluded.state
"""
_WISHES: Final = """
SELECT name FROM cell.jobs
WHERE starts_with(name, $1 || 't_') AND state ? 'wished_at' AND leased_until < clock_timestamp() ORDER BY name
"""
_GRANTED: Final = """
UPDATE cell.jobs SET state = state - 'wished_at'
WHERE name = $1 AND (state ->> 'wished_at')::timestamptz < clock_timestamp() - interval '30 seconds'
"""


async def wake(relay: RolePool, round_: str, tenant: Tenant) -> None:
    """Let a worker look at this hospital's jobs of a round. Called before the transaction that adds one commits: the
    wish stands for half a minute.
    """
    async with relay.connection() as connection:
        await connection.execute(_WISH, f"{round_}:{tenant.schema}", name="bulk.wish")


@dataclass(frozen=True, slots=True)
class Mine:
    """A hospital whose jobs this worker may do at the moment."""

    tenant: Tenant
    lease: Lease


class JobRounds(ABC):
    """Jobs of one cell. One worker at a time does those of a hospital; several may do several hospitals'."""

    def __init__(self, name: str, parts: Runtime, relay: RolePool, leases: Leases) -> None:
        self._name, self._parts, self._relay, self.leases = name, parts, relay, leases

    @abstractmethod
    def kinds(self, tenant: Tenant) -> Sequence[str]:
        """The kinds of jobs that go on here, as the hospital stands."""

    @abstractmethod
    async def do(self, mine: Mine, job: Job) -> None:
        """A piece of a job. Raises `JobMoved` when it is somebody else's, and refusals."""

    @abstractmethod
    async def rest(self, tenant: Tenant) -> None:
        """Nothing waits in this hospital."""

    async def turn(self, lease: Lease | None) -> bool:
        """A piece, or as many as its tier has turns, for each hospital that waits; whether there was anything to do."""
        del lease
        async with self._relay.connection() as connection:
            names = [row["name"] for row in await connection.fetch(_WISHES, f"{self._name}:", name="bulk.wishes")]
        return await go_round(self._name, filter(self._parts.serves, self._named(names)), self._of_hospital)

    async def requester(self, tenant: Tenant, job: Job) -> Principal:
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

    def _named(self, names: Iterable[str]) -> Iterator[Tenant]:
        """The hospitals that jobs were wished for, but for those that are gone."""
        for name in names:
            with suppress(NotFound):
                yield self._parts.registry.by_schema(name.removeprefix(f"{self._name}:"))

    async def _of_hospital(self, tenant: Tenant) -> bool:
        lease = await self.leases.acquire(f"{self._name}:{tenant.schema}")
        if lease is None:
            return False
        async with self.leases.renewed(lease):
            for turn in range(tenant.weight):
                if not await self._next_piece(Mine(tenant, lease)):
                    return turn > 0
        return True

    async def _next_piece(self, mine: Mine) -> bool:
        kinds = self.kinds(mine.tenant)
        async with self._parts.databases.hospital(mine.tenant) as connection:
            job = await next_open(connection, mine.tenant.id, kinds)
            if job is not None and not await take(connection, job.id, mine.lease.fence):
                job = None
            waiting = await count_open(connection)
        if job is None:
            if not waiting:
                await self.rest(mine.tenant)
                async with self._relay.connection() as relay:
                    await relay.execute(_GRANTED, mine.lease.name, name="bulk.granted")
            return False
        await self._piece(mine, job)
        return True

    async def _piece(self, mine: Mine, job: Job) -> None:
        met, last = "failed", False
        try:
            await self.do(mine, job)
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

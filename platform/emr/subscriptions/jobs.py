"""What the worker runs for Subscriptions: looking, telling, measuring, forgetting."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

from emr.db.pools import Cell
from emr.kernel.errors import NotFound, Refusal
from emr.kernel.tenant import Tenant
from emr.subscriptions import repository
from emr.subscriptions.delivery import Delivery
from emr.subscriptions.guard import install
from emr.subscriptions.matching import match
from emr.telemetry import metrics
from emr.telemetry.logs import exception_facts, get_logger
from emr.work.faults import Reached, kill_points
from emr.work.leases import Lease, Leases
from emr.work.loop import Job, of_cell
from emr.work.rounds import go_round
from emr.work.runtime import Runtime

_AT_ONCE: Final = 32
_OF_ONE: Final = 8
_IN_A_ROW: Final = 50
_BACKLOG_SECONDS: Final = 2.0
_LOOK: Final = 60.0
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Courier:
    """One share of the hospitals of a cell, by hash. `turn` is called by one process at a time, under a lease.

    Calls go on beside each other and beside the turns, so that a slow endpoint holds up nobody but itself; one call of
    a Subscription at a time.
    """

    parts: Runtime
    cell: Cell
    shard: int
    reached: Reached
    delivery: Delivery
    _under_way: dict[tuple[str, str], asyncio.Task[None]] = field(default_factory=dict)

    async def turn(self, lease: Lease | None) -> bool:
        """Look at what was written, begin the calls that are due; True when there is more to do at once."""
        if lease is None:
            return False
        async with self.cell.relay.connection() as connection:
            waiting = await repository.hospitals_waiting(connection, self.shard)
            due = await repository.due(connection, self.shard)
        hospitals = [tenant for tenant in map(self._tenant, waiting) if tenant is not None]
        for tenant in hospitals:
            await match(self.parts, tenant, self.reached)
        self._begin(due)
        if self._under_way:
            # A call that ends soon is followed by the next one without a pause.
            pause = self.parts.settings.subscriptions.poll_ms / 1000
            await asyncio.wait(self._under_way.values(), timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        return bool(hospitals or self._under_way)

    async def finish(self) -> None:
        """Wait for the calls under way."""
        if self._under_way:
            await asyncio.wait(self._under_way.values())

    def _begin(self, due: Sequence[tuple[str, str]]) -> None:
        for schema, subscription in due:
            tenant = self._tenant(schema)
            key = (schema, subscription)
            if tenant is None or key in self._under_way or not self._has_room(tenant):
                continue
            task = asyncio.create_task(self._step(tenant, subscription), name="notification")
            self._under_way[key] = task
            task.add_done_callback(partial(self._ended, key))

    def _has_room(self, tenant: Tenant) -> bool:
        """Whether another call may begin: one hospital's slow endpoints leave room for the others'."""
        own = sum(schema == tenant.schema for schema, _ in self._under_way)
        return len(self._under_way) < _AT_ONCE and own < _OF_ONE * tenant.weight

    def _ended(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        self._under_way.pop(key, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            get_logger().error("notification failed", **exception_facts(error))

    async def _step(self, tenant: Tenant, subscription: str) -> None:
        """A refusal is the database's, or an owner's who was faster: it is tried again at the next turn."""
        try:
            for _ in range(_IN_A_ROW):
                if not await self.delivery.step(tenant, subscription):
                    break
        except Refusal as refusal:
            get_logger().warning("notification put off", hospital=tenant.slug, **exception_facts(refusal))
            await asyncio.sleep(self.parts.settings.subscriptions.retry_seconds)

    def _tenant(self, schema: str) -> Tenant | None:
        """The hospital, if it is open and at a revision that this process serves."""
        try:
            tenant = self.parts.registry.by_schema(schema)
        except NotFound:
            return None
        return tenant if tenant.writable and self.parts.serves(tenant) else None


def subscription_jobs(parts: Runtime, leases: dict[str, Leases]) -> list[Job]:
    """For each cell its shares, a gauge, and the forgetting of old events."""
    install(parts)
    reached = kill_points(parts.settings)
    jobs: list[Job] = []
    for name, cell in parts.databases.cells.items():
        for shard in range(repository.SHARDS):
            courier = Courier(parts, cell, shard, reached, Delivery(parts, reached))
            every = parts.settings.subscriptions.poll_ms / 1000
            jobs.append(Job(of_cell(f"subscriptions:{shard}", name), every, courier.turn, leases[name], courier.finish))
        jobs.append(Job(f"subscriptions-backlog:{name}", _BACKLOG_SECONDS, _Measuring(name, cell).turn))
        jobs.append(
            Job(f"subscriptions-forget:{name}", _LOOK, _Forgetting(parts, name, leases[name]).turn, leases[name])
        )
    return jobs


@dataclass(frozen=True, slots=True)
class _Measuring:
    """Every worker tells it, whoever holds the leases."""

    name: str
    cell: Cell

    async def turn(self, lease: Lease | None) -> bool:
        del lease
        async with self.cell.relay.connection() as connection:
            found = await repository.backlog(connection)
        metrics.SUBSCRIPTION_LAG_SECONDS.labels(self.name).set(found.age)
        metrics.SUBSCRIPTION_PENDING_ROWS.labels(self.name).set(found.rows)
        metrics.SUBSCRIPTION_STATES.labels(self.name, "failing").set(found.failing)
        metrics.SUBSCRIPTION_STATES.labels(self.name, "error").set(found.broken)
        return False


@dataclass(frozen=True, slots=True)
class _Forgetting:
    """Once an hour: what was taken long ago cannot be asked for any more."""

    parts: Runtime
    name: str
    leases: Leases

    async def turn(self, lease: Lease | None) -> bool:
        if lease is None or not await self.leases.due(lease, _HOUR):
            return False
        before = self.parts.clock() - timedelta(days=self.parts.settings.subscriptions.keep_days)

        async def forget(tenant: Tenant) -> None:
            async with self.parts.databases.hospital(tenant) as connection:
                await repository.forget_events(connection, before)

        known = self.parts.registry.all()
        hospitals = [each for each in known if each.cell == self.name and each.open and not each.moving]
        return await go_round("subscriptions-forget", hospitals, forget)

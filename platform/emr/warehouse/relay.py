"""The way of a batch: claimed, read, committed to the table under its number, receipted. Each step can be the last.

Exactly once, because the number is written down before the commit, the commit carries it, the table is asked for it
before every commit, and two commits with one cell's numbers conflict.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from emr.kernel.errors import Refusal, Unavailable
from emr.settings import Warehouse
from emr.telemetry import metrics
from emr.telemetry.logs import get_logger
from emr.telemetry.spans import describe, span
from emr.warehouse.bodies import Bodies
from emr.warehouse.outbox import Batch, Outbox
from emr.warehouse.restored import Settlement
from emr.warehouse.table import Table, Version
from emr.work.faults import Reached
from emr.work.leases import Lease

_TIDY_EVERY: Final = 500


@dataclass(frozen=True, slots=True)
class Relay:
    """Carries the outbox of one cell to the table. `turn` is called by one process at a time, under a lease."""

    settings: Warehouse
    outbox: Outbox
    bodies: Bodies
    table: Table
    slug_of: Callable[[str], str | None]
    reached: Reached
    paused: Callable[[], Sequence[str]] = tuple
    """Schemas of hospitals whose data stays here for now."""

    async def turn(self, lease: Lease) -> bool:
        """Deliver one batch if there is one; True when more waits. Raises `Unavailable`, `LeaseLost`."""
        waiting = await self.outbox.waiting(self.settings.batch_rows, self.paused())
        full = waiting.rows >= self.settings.batch_rows
        batch = await self.outbox.open_batch()
        resumed = batch is not None
        if batch is None:
            if not waiting.rows or not (full or waiting.age * 1000 >= self.settings.linger_ms):
                return False
            delivered = await asyncio.to_thread(self.table.delivered)
            if delivered > await self.outbox.last():
                await Settlement(self.outbox, self.bodies, self.table).settle(lease, delivered)
            batch = await self.outbox.claim(lease, self.settings.batch_rows, delivered, self.paused())
            self.reached("relay-claimed")
        if batch is not None:
            await self._timed(lease, batch)
        return full or resumed

    async def _timed(self, lease: Lease, batch: Batch) -> None:
        began, outcome = time.perf_counter(), "failed"
        try:
            with span("warehouse batch", batch=batch.number):
                await self._deliver(lease, batch)
            outcome = "ok"
        except Refusal as refusal:
            if isinstance(refusal, Unavailable):
                await self.outbox.failed(batch, refusal.code)
            raise
        finally:
            metrics.WAREHOUSE_BATCH_SECONDS.labels(outcome).observe(time.perf_counter() - began)

    async def _deliver(self, lease: Lease, batch: Batch) -> None:
        if await asyncio.to_thread(self.table.delivered) >= batch.number:
            # The process that sent it did not live to write the receipts.
            table_version = await asyncio.to_thread(self.table.version_of, batch.number)
        else:
            table_version = await self._send(lease, batch)
        self.reached("relay-committed")
        counts = await self.outbox.receipts(lease, batch, table_version, self.reached)
        self.reached("relay-receipted")
        for schema, count in counts.items():
            metrics.WAREHOUSE_DELIVERED_ROWS.labels(metrics.hospital_label(self.slug_of(schema))).inc(count)
        describe(rows=sum(counts.values()))
        if batch.number % _TIDY_EVERY == 0:
            await asyncio.to_thread(self.table.tidy)

    async def _send(self, lease: Lease, batch: Batch) -> int | None:
        """Commit what can be read of the batch; None when that is nothing."""
        pointers = await self.outbox.pointers(batch)
        reading = await self.bodies.read(pointers)
        if reading.later or reading.broken:
            await self.outbox.narrow(lease, batch, reading.later, reading.broken)
        for pointer, reason in reading.broken:
            get_logger().error(
                "version set aside", reason=reason, batch=batch.number, resource_type=pointer.type,
                hospital=self.slug_of(pointer.tenant),
            )  # fmt: skip
        versions = _once(reading.versions)
        if not versions:
            return None
        self.reached("relay-read")
        return await asyncio.to_thread(self.table.append, batch.number, versions)


def _once(versions: list[Version]) -> list[Version]:
    """Two pointers to one version, as a replay beside a late delivery may leave, are one row."""
    return list({(each.source.tenant_id, each.type, each.id, each.version): each for each in versions}.values())

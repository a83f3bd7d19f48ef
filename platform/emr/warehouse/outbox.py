"""Batches of pointers in the cell: claimed, delivered with a receipt for each version, or set aside with a reason.

A batch is the set of outbox rows that carry its number, fixed before anything is sent. Rows are claimed in the order
of their sequence among those that are visible: a transaction that commits late is found by a later claim, never
passed by. A later version of a resource always has the later sequence, because its writer held the resource's row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from emr.db.pools import RolePool
from emr.work.faults import Reached
from emr.work.leases import Lease, guard

DESTINATION: Final = "warehouse"

_OPEN: Final = """
SELECT number, attempts FROM cell.batches WHERE destination = $1 AND state = 'claimed' ORDER BY number LIMIT 1
"""
_LAST: Final = "SELECT coalesce(max(number), 0) FROM cell.batches WHERE destination = $1"
_WAITING: Final = """
SELECT count(*) AS rows, coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS age
FROM (SELECT created_at FROM cell.outbox WHERE batch IS NULL AND error IS NULL AND tenant <> ALL ($2)
      ORDER BY seq LIMIT $1) AS first
"""
_BACKLOG: Final = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM cell.outbox WHERE error IS NULL LIMIT $1) AS counted) AS rows,
  (SELECT count(*) FROM (SELECT 1 FROM cell.outbox WHERE error IS NOT NULL LIMIT $1) AS counted) AS broken,
  coalesce((SELECT extract(epoch FROM clock_timestamp() - created_at) FROM cell.outbox
            WHERE error IS NULL ORDER BY seq LIMIT 1), 0)::float8 AS age
"""
_COUNTED: Final = 100_000
_CLAIM: Final = """
WITH claimed AS (
  UPDATE cell.outbox SET batch = $2 WHERE seq = ANY (ARRAY(
    SELECT seq FROM cell.outbox WHERE batch IS NULL AND error IS NULL AND tenant <> ALL ($4)
    ORDER BY seq LIMIT $3)) RETURNING 1)
INSERT INTO cell.batches (destination, number, state, rows)
SELECT $1, $2, 'claimed', count(*) FROM claimed HAVING count(*) > 0 RETURNING number
"""
_POINTERS: Final = """
SELECT o.seq, o.tenant, o.type, o.id, o.version FROM cell.outbox o
LEFT JOIN cell.deliveries d ON d.destination = $2 AND d.tenant = o.tenant AND d.type = o.type AND d.id = o.id
  AND d.version = o.version
WHERE o.batch = $1 AND d.batch IS NULL ORDER BY o.seq
"""
_FREE: Final = """
SELECT seq, tenant, type, id, version FROM cell.outbox WHERE batch IS NULL AND error IS NULL ORDER BY seq
"""
_SETTLE: Final = """
WITH gone AS (DELETE FROM cell.outbox WHERE seq = ANY ($2::bigint[]) RETURNING tenant, type, id, version)
INSERT INTO cell.deliveries (destination, tenant, type, id, version, batch, delivered_at)
SELECT DISTINCT $1, tenant, type, id, version, $3::bigint, clock_timestamp() FROM gone ON CONFLICT DO NOTHING
"""
_SET_ASIDE_FREE: Final = """
UPDATE cell.outbox o SET error = w.error FROM unnest($1::bigint[], $2::text[]) AS w (seq, error) WHERE o.seq = w.seq
"""
_DROP: Final = "DELETE FROM cell.outbox WHERE tenant = ANY ($1) AND batch IS NULL"
_PUT_BACK: Final = "UPDATE cell.outbox SET batch = NULL WHERE batch = $1 AND seq = ANY ($2::bigint[])"
_SET_ASIDE: Final = """
UPDATE cell.outbox o SET batch = NULL, error = w.error
FROM unnest($2::bigint[], $3::text[]) AS w (seq, error) WHERE o.seq = w.seq AND o.batch = $1
"""
_RECEIPTS: Final = """
WITH gone AS (DELETE FROM cell.outbox WHERE batch = $2 RETURNING tenant, type, id, version)
INSERT INTO cell.deliveries (destination, tenant, type, id, version, batch, table_version, delivered_at)
SELECT DISTINCT $1, tenant, type, id, version, $2::bigint, $3::bigint, clock_timestamp() FROM gone
ON CONFLICT DO NOTHING RETURNING tenant
"""
_DELIVERED: Final = """
UPDATE cell.batches
SET state = 'delivered', delivered_at = clock_timestamp(), table_version = $3, rows = $4, error = NULL
WHERE destination = $1 AND number = $2
"""
_FAILED: Final = "UPDATE cell.batches SET attempts = attempts + 1, error = $3 WHERE destination = $1 AND number = $2"


@dataclass(frozen=True, slots=True)
class Pointer:
    """A resource version that waits: `tenant` is the hospital's schema."""

    seq: int
    tenant: str
    type: str
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A claimed set of pointers on its way."""

    number: int
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What nobody has claimed: how many (counted up to a limit) and the age in seconds of the first."""

    rows: int
    age: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """Everything without a receipt, claimed or not: rows, those set aside, and the age in seconds of the first."""

    rows: int
    broken: int
    age: float


class Outbox:
    """The outbox of one cell, for one destination. Every change is made under the lease."""

    def __init__(self, relay: RolePool) -> None:
        self._relay = relay

    async def open_batch(self) -> Batch | None:
        """The batch that an earlier turn, or an earlier process, claimed and did not finish."""
        async with self._relay.connection() as connection:
            row = await connection.fetchrow(_OPEN, DESTINATION, name="outbox.open")
        return None if row is None else Batch(row["number"], row["attempts"])

    async def waiting(self, limit: int, paused: Sequence[str] = ()) -> Waiting:
        """What could be claimed; nothing of the schemas in `paused`."""
        async with self._relay.connection() as connection:
            row = await connection.fetchrow(_WAITING, limit, paused, name="outbox.waiting")
        return Waiting(row["rows"], row["age"]) if row else Waiting(0, 0.0)

    async def drop(self, schemas: Sequence[str]) -> None:
        """Forget what must never leave: what nobody has claimed of these schemas."""
        async with self._relay.connection() as connection:
            await connection.execute(_DROP, list(schemas), name="outbox.drop")

    async def last(self) -> int:
        """The last number that was given; 0 before the first."""
        async with self._relay.connection() as connection:
            number: int = await connection.fetchval(_LAST, DESTINATION, name="outbox.last")
        return number

    async def free(self) -> list[Pointer]:
        """Everything that nobody has claimed."""
        async with self._relay.connection() as connection:
            rows = await connection.fetch(_FREE, name="outbox.free")
        return [Pointer(*row.values()) for row in rows]

    async def settled(
        self, lease: Lease, batch: int, there: Sequence[Pointer], differs: Sequence[tuple[Pointer, str]]
    ) -> None:
        """Free pointers that need no sending: receipts for what is there already, reasons for what must not be sent."""
        async with self._relay.transaction() as connection:
            await guard(connection, lease)
            await connection.execute(_SETTLE, DESTINATION, [each.seq for each in there], batch, name="outbox.settle")
            await connection.execute(
                _SET_ASIDE_FREE,
                [pointer.seq for pointer, _ in differs],
                [reason for _, reason in differs],
                name="outbox.set_aside",
            )

    async def backlog(self) -> Backlog:
        """What a monitor wants to know; counts stop at 100,000."""
        async with self._relay.connection() as connection:
            row = await connection.fetchrow(_BACKLOG, _COUNTED, name="outbox.backlog")
        return Backlog(row["rows"], row["broken"], row["age"]) if row else Backlog(0, 0, 0.0)

    async def claim(self, lease: Lease, limit: int, after: int, paused: Sequence[str] = ()) -> Batch | None:
        """Claim the first rows under a number that is greater than every one before and than `after`; none of the
        schemas in `paused`.

        `after` is the last number that the destination knows: a database that was restored to an earlier time must not
        give a number again, or its batch would pass for delivered.
        """
        async with self._relay.transaction() as connection:
            await guard(connection, lease)
            number = max(await connection.fetchval(_LAST, DESTINATION, name="outbox.last"), after) + 1
            claimed = await connection.fetchval(_CLAIM, DESTINATION, number, limit, paused, name="outbox.claim")
        return None if claimed is None else Batch(number)

    async def pointers(self, batch: Batch) -> list[Pointer]:
        """What the batch has to send, in the order in which it was written; nothing that has a receipt already."""
        async with self._relay.connection() as connection:
            rows = await connection.fetch(_POINTERS, batch.number, DESTINATION, name="outbox.pointers")
        return [Pointer(*row.values()) for row in rows]

    async def narrow(
        self, lease: Lease, batch: Batch, later: Sequence[Pointer], broken: Iterable[tuple[Pointer, str]]
    ) -> None:
        """Before anything is sent: give rows back to the next batch, set aside what cannot be read."""
        wrong = list(broken)
        async with self._relay.transaction() as connection:
            await guard(connection, lease)
            await connection.execute(_PUT_BACK, batch.number, [each.seq for each in later], name="outbox.put_back")
            await connection.execute(
                _SET_ASIDE,
                batch.number,
                [pointer.seq for pointer, _ in wrong],
                [reason for _, reason in wrong],
                name="outbox.set_aside",
            )

    async def receipts(self, lease: Lease, batch: Batch, table_version: int | None, reached: Reached) -> dict[str, int]:
        """A receipt for each version and the end of its pointer, in one transaction; how many by hospital's schema."""
        async with self._relay.transaction() as connection:
            await guard(connection, lease)
            rows = await connection.fetch(_RECEIPTS, DESTINATION, batch.number, table_version, name="outbox.receipts")
            reached("relay-receipts-written")
            await connection.execute(
                _DELIVERED, DESTINATION, batch.number, table_version, len(rows), name="outbox.delivered"
            )
        counts: dict[str, int] = {}
        for row in rows:
            counts[row["tenant"]] = counts.get(row["tenant"], 0) + 1
        return counts

    async def failed(self, batch: Batch, reason: str) -> None:
        """Remember that an attempt failed, and why, for whoever asks for the status."""
        async with self._relay.connection() as connection:
            await connection.execute(_FAILED, DESTINATION, batch.number, reason, name="outbox.failed")

"""Moves rows of the journals into the trail of their hospital, or of the directory, and seals them, a batch in one
transaction.

Rows get gapless numbers in the order of the journal; each batch gets a Merkle root chained to the batch before
(`emr.audit.seals`). Any number of workers may seal: a transaction-level advisory lock lets one at a time work on a
hospital, and the batch number is a key, so that a chain cannot fork even without the lock.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import asyncpg

from emr.audit import seals
from emr.audit.rows import Event, event_of
from emr.audit.stored import DIRECTORY
from emr.db.connection import Connection, Row
from emr.db.pools import Cell, RolePool
from emr.kernel.clock import Clock
from emr.kernel.tenant import SCHEMA
from emr.telemetry import metrics
from emr.telemetry.logs import exception_facts, get_logger

BATCH_ROWS: Final = 5_000

_WAITING: Final = """
SELECT tenant, extract(epoch FROM clock_timestamp() - min(at))::float8 AS age FROM cell.audit_journal
GROUP BY tenant ORDER BY age DESC
"""
_LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('emr.audit.seal.' || $1, 0))"
_TAKE: Final = """
DELETE FROM cell.audit_journal WHERE seq = ANY (ARRAY(
  SELECT seq FROM cell.audit_journal WHERE tenant = $1 ORDER BY seq LIMIT $2)) RETURNING seq, at, row
"""
_TAKE_OF_DIRECTORY: Final = """
DELETE FROM directory.audit_journal WHERE seq = ANY (ARRAY(
  SELECT seq FROM directory.audit_journal ORDER BY seq LIMIT $1)) RETURNING seq, at, row
"""
_BECOME: Final = "SELECT set_config('role', $1, true), set_config('search_path', $1, true)"
_IN_DIRECTORY: Final = "SELECT set_config('search_path', 'directory', true)"
_HEAD: Final = "SELECT batch, last, hash FROM audit_seals ORDER BY batch DESC LIMIT 1"
_SEAL: Final = """
INSERT INTO audit_seals (batch, first, last, root, previous, hash, sealed_at, format)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_COLUMNS: Final = ("number", "at", "action", "actor", "patients", "row")


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals the hospitals of one cell. `reached` hears of the points that fault tests name. elsewhere: streams of
    hospitals that are on their way to another cell, or there: their rows go along. own: the cell as the hospital's
    own login reaches it, if it has one.
    """

    name: str
    cell: Cell
    clock: Clock
    hospital_of: Callable[[str], str | None]
    reached: Callable[[str], None]
    failing: dict[str, str] = field(default_factory=dict)
    elsewhere: Callable[[], Collection[str]] = tuple
    own: Callable[[str], Cell | None] = lambda _: None

    async def turn(self) -> bool:
        """Seal a batch of each hospital that has rows in the journal. True when a hospital may have more."""
        async with self.cell.audit.connection() as connection:
            waiting = await connection.fetch(_WAITING, name="audit.waiting")
        metrics.AUDIT_SEAL_LAG_SECONDS.labels(self.name).set(waiting[0]["age"] if waiting else 0)
        elsewhere = self.elsewhere()
        sealed = [await self._seal_or_tell(row["tenant"]) for row in waiting if row["tenant"] not in elsewhere]
        return BATCH_ROWS in sealed

    async def _seal_or_tell(self, stream: str) -> int:
        """A hospital that cannot be sealed is told of once and holds up no other; its rows stay in the journal."""
        try:
            sealed = await self.seal(stream)
        except (asyncpg.PostgresError, ValueError) as error:
            if self.failing.get(stream) != type(error).__name__:
                get_logger().error("hospital not sealed", target=stream, **exception_facts(error))
                self.failing[stream] = type(error).__name__
            return 0
        self.failing.pop(stream, None)
        return sealed

    async def seal(self, stream: str) -> int:
        """Seal one batch of this hospital and say how many rows it has; 0 when another worker is at it.

        Raises `ValueError` for a name that is no hospital's schema.
        """
        if not SCHEMA.fullmatch(stream):
            raise ValueError("a row of the journal belongs to no hospital")
        async with (self.own(stream) or self.cell).audit.transaction() as connection:
            if not await connection.fetchval(_LOCK, stream, name="audit.lock"):
                return 0
            taken = await connection.fetch(_TAKE, stream, BATCH_ROWS, name="audit.take")
            if not taken:
                return 0
            self.reached("sealer-taken")
            await connection.execute(_BECOME, stream, name="audit.become")
            await _append(connection, taken, (stream, self.clock(), self.reached))
            self.reached("sealer-before-commit")
        self.reached("sealer-after-commit")
        metrics.AUDIT_SEALED_ROWS.labels(metrics.hospital_label(self.hospital_of(stream))).inc(len(taken))
        return len(taken)


@dataclass(frozen=True, slots=True)
class DirectorySealer:
    """Seals what belongs to no hospital, in the directory's own schema."""

    pool: RolePool
    clock: Clock

    async def turn(self) -> bool:
        """Seal one batch. True when there may be more."""
        async with self.pool.transaction() as connection:
            if not await connection.fetchval(_LOCK, DIRECTORY, name="audit.lock"):
                return False
            taken = await connection.fetch(_TAKE_OF_DIRECTORY, BATCH_ROWS, name="audit.take")
            if taken:
                await connection.execute(_IN_DIRECTORY, name="audit.directory")
                await _append(connection, taken, (DIRECTORY, self.clock(), lambda _: None))
        metrics.AUDIT_SEALED_ROWS.labels(metrics.hospital_label(None)).inc(len(taken))
        return len(taken) == BATCH_ROWS


async def head_of(connection: Connection) -> seals.Head:
    """Where the stream ends whose schema the connection sees."""
    found = await connection.fetchrow(_HEAD, name="audit.head")
    return seals.Head(found["batch"], found["last"], found["hash"]) if found else seals.Head()


async def directory_head(pool: RolePool) -> seals.Head:
    """Where the directory's own stream ends."""
    async with pool.transaction() as connection:
        await connection.execute(_IN_DIRECTORY, name="audit.directory")
        return await head_of(connection)


async def _append(
    connection: Connection, taken: Sequence[Row], how: tuple[str, datetime, Callable[[str], None]]
) -> None:
    stream, now, reached = how
    head = await head_of(connection)
    # Hashing and parsing thousands of rows would hold up whatever else the worker does.
    events, seal = await asyncio.to_thread(_sealed, stream, head, taken, now.astimezone(UTC))
    await connection.driver.copy_records_to_table("audit_events", records=events, columns=_COLUMNS)
    reached("sealer-rows-written")
    await connection.execute(
        _SEAL, seal.batch, seal.first, seal.last, seal.root, seal.previous, seal.hash(), seal.sealed_at,
        seal.format, name="audit.seal",
    )  # fmt: skip


def _sealed(stream: str, head: seals.Head, taken: Sequence[Row], sealed_at: datetime) -> tuple[list[Event], seals.Seal]:
    ordered = sorted(taken, key=lambda row: int(row["seq"]))
    numbered = list(enumerate(ordered, head.last + 1))
    leaves = [seals.leaf(number, row["row"]) for number, row in numbered]
    return [event_of(number, row["row"]) for number, row in numbered], seals.seal(stream, head, leaves, sealed_at)

"""Moves old batches of a hospital's trail from its table into files: what is due, what is kept, what may be removed.

A range of batches passes three states, and each step finds out from the database where it stands: in the table; in the
table and in a file that `audit_archives` names; in the file alone. A range whose file does not hold its rows to the
letter, or whose seals are not anchored, never reaches the third.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from emr.audit import archives
from emr.audit.archive_file import Span, packed
from emr.audit.archives import Archive
from emr.audit.columns import encoded
from emr.audit.rows import Event, Unreadable, event_of
from emr.audit.seals import Head, Kept, Seal
from emr.audit.verification import verify
from emr.db.connection import Connection, Row
from emr.db.pools import RolePool
from emr.kernel.errors import Conflict
from emr.storage.blobs import Blob, BlobStore

FILE_ROWS: Final = 20_000
"""A file has at least so many rows, one batch less at most than its double: some 10 MB of texts, 2 MB compressed."""
LONGEST_WAIT: Final = timedelta(days=31)
"""How much older than need be a row may get while its file is not full."""
_FROM: Final = "SELECT coalesce(max(last_batch), 0), coalesce(max(last), 0) FROM audit_archives"
_DUE: Final = """
SELECT batch, first, last, root, previous, hash, sealed_at, format FROM audit_seals
WHERE batch > $1 AND last <= $2 AND sealed_at < $3 ORDER BY batch
"""
_SEALS: Final = """
SELECT batch, first, last, root, previous, hash, sealed_at, format FROM audit_seals
WHERE batch >= $1 AND batch <= $2 ORDER BY batch
"""
_HEAD: Final = "SELECT batch, last, hash FROM audit_seals WHERE batch = $1"
_ROWS: Final = """
SELECT number, at, action, actor, patients, row FROM audit_events WHERE number >= $1 AND number <= $2 ORDER BY number
"""
_OLDEST: Final = "SELECT min(number) FROM audit_events"
_BECOME: Final = "SELECT set_config('search_path', $1, true)"
_REMOVE: Final = "DELETE FROM audit_events WHERE number >= $1 AND number <= $2"


@dataclass(frozen=True, slots=True)
class Due:
    """Batches that are old enough, and the head that they follow."""

    span: Span
    after: Head
    seals: tuple[Kept, ...]


class TrailBroken(Conflict):
    """The rows are not what was sealed, or the file is not what the rows were: nothing is moved or removed."""

    def __init__(self, span: Span, fault: str) -> None:
        super().__init__("trail-broken", f"Rows {span.first} to {span.last} of the trail stay where they are: {fault}.")


async def due(db: Connection, stream: str, before: datetime) -> Due | None:
    """The next batches for a file that were sealed before this moment; None until they are worth one."""
    batch, number = await _archived(db)
    found = await db.fetch(_DUE, batch, number + 2 * FILE_ROWS, before, name="archive.due")
    chosen: list[Kept] = []
    for each in _kept(stream, found):
        chosen.append(each)
        if each.seal.last - number >= FILE_ROWS:
            break
    if not chosen:
        return None
    full = chosen[-1].seal.last - number >= FILE_ROWS
    if not full and chosen[0].seal.sealed_at > before - LONGEST_WAIT:
        return None
    last = chosen[-1].seal
    return Due(Span(stream, batch + 1, last.batch, number + 1, last.last), await _head(db, batch), tuple(chosen))


async def rows_of(db: Connection, wanted: Due) -> list[Event]:
    """Their rows, proved against their seals. Raises `TrailBroken`."""
    found = await db.fetch(_ROWS, wanted.span.first, wanted.span.last, name="archive.rows")
    events = [(each[0], each[1], each[2], each[3], list(each[4]), each[5]) for each in found]
    await _prove(wanted, events)
    return events


async def packed_rows(wanted: Due, events: Sequence[Event]) -> bytes:
    """The file of these rows."""
    return await asyncio.to_thread(packed, wanted.span, [event[5] for event in events])


async def keep(db: Connection, wanted: Due, events: Sequence[Event], stored: tuple[Blob, datetime]) -> None:
    """Write down that these rows lie in this object."""
    times = [event[1] for event in events]
    await archives.record(db, Archive(wanted.span, min(times), max(times), stored[0]), events, stored[1])


async def lingering(db: Connection, stream: str) -> Archive | None:
    """The first file whose rows are still in the table."""
    oldest = await db.fetchval(_OLDEST, name="archive.oldest")
    return None if oldest is None else await archives.after(db, stream, oldest)


async def prove_removable(db: Connection, blobs: BlobStore, archive: Archive, anchored: Head | None) -> bool:
    """Whether an anchor witnesses the rows of this file and they may go from the table. Raises `TrailBroken` when the
    file, read back, is not what was sealed, or not what the table holds.
    """
    span = archive.span
    seals = tuple(_kept(span.stream, await db.fetch(_SEALS, span.first_batch, span.last_batch, name="archive.seals")))
    try:
        held = await archives.texts(blobs, archive)
        events = await asyncio.to_thread(lambda: [event_of(span.first + n, text) for n, text in enumerate(held)])
    except Unreadable as error:
        raise TrailBroken(span, str(error)) from error
    await _prove(Due(span, await _head(db, span.first_batch - 1), seals), events)
    rows = await db.fetch(_ROWS, span.first, span.last, name="archive.rows")
    if any(events[row[0] - span.first][5] != row[5] for row in rows):
        raise TrailBroken(span, "the file and the table differ")
    if anchored is None or anchored.batch < span.last_batch:
        return False
    if await _head(db, anchored.batch) != anchored:
        raise TrailBroken(span, f"seal {anchored.batch} was anchored and is another one")
    return True


async def remove(pool: RolePool, archive: Archive) -> int:
    """Take the rows of this file out of the table, as the role that can do only that; how many there were."""
    async with pool.transaction() as connection:
        await connection.execute(_BECOME, archive.span.stream, name="archive.become")
        done = await connection.execute(_REMOVE, archive.span.first, archive.span.last, name="archive.remove")
    return int(done.split()[-1])


async def _archived(db: Connection) -> tuple[int, int]:
    found = await db.fetchrow(_FROM, name="archive.from")
    return (found[0], found[1]) if found else (0, 0)


async def _head(db: Connection, batch: int) -> Head:
    found = await db.fetchrow(_HEAD, batch, name="archive.head") if batch else None
    return Head(found["batch"], found["last"], found["hash"]) if found else Head()


def _kept(stream: str, found: Sequence[Row]) -> list[Kept]:
    return [Kept(Seal(stream, row[0], row[1], row[2], row[3], row[4], row[6], row[7]), row[5]) for row in found]


async def _prove(wanted: Due, events: Sequence[Event]) -> None:
    """Hashing thousands of rows would hold up whatever else the worker does."""
    span, seals = wanted.span, wanted.seals
    faults = verify(span.stream, seals, map(encoded, events), after=wanted.after)
    fault = await asyncio.to_thread(next, faults, None)
    if fault is not None or not seals or (seals[0].seal.first, seals[-1].seal.last) != (span.first, span.last):
        raise TrailBroken(span, fault or "their seals are missing")

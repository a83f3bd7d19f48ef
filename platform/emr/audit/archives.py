"""A hospital's files of old rows: where they lie, what they hold, and their rows found again.

Newest first, as `audit.reading` finds rows in the table. A file is opened only if its time, its patients and its people
fit what is wanted; then its rows are asked one by one.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any, Final

from emr.audit.archive_file import Span, unpacked
from emr.audit.reading import Wanted
from emr.audit.rows import Event, Unreadable, event_of
from emr.db.connection import Connection
from emr.kernel.errors import Unavailable
from emr.storage.blobs import Blob, BlobStore
from emr.storage.errors import ObjectMissing, SealBroken

MEDIA_TYPE: Final = "application/zstd"
BROKEN: Final = "archive-broken"
"""The code of what is told when a file is not what was written."""
RETENTION: Final = "audit"
"""The class of its blob: it is kept as long as the hospital's record, and longer."""
_NEXT: Final = """
SELECT first_batch, last_batch, first, last, since, until, key, digest, size, key_id
FROM audit_archives WHERE last >= $1 ORDER BY first LIMIT 1
"""
_FITTING: Final = """
SELECT first_batch, last_batch, first, last, since, until, key, digest, size, key_id
FROM audit_archives
WHERE first < $1 AND until >= $2 AND since < $3 AND ($5::text IS NULL OR $5 = ANY (actors))
ORDER BY first DESC LIMIT $4
"""
_FITTING_PATIENT: Final = """
SELECT first_batch, last_batch, first, last, since, until, key, digest, size, key_id
FROM audit_archives
WHERE first < $1 AND until >= $2 AND since < $3 AND ($5::text IS NULL OR $5 = ANY (actors))
  AND patients @> ARRAY[$6::text]
ORDER BY first DESC LIMIT $4
"""
_MOVED: Final = """
SELECT first_batch, last_batch, first, last, since, until, key, digest, size, key_id
FROM audit_archives WHERE last < coalesce((SELECT min(number) FROM audit_events), 9223372036854775807) ORDER BY first
"""
_RECORD: Final = """
INSERT INTO audit_archives
  (first_batch, last_batch, first, last, since, until, patients, actors, key, digest, size, key_id, archived_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
_SPAN: Final = "SELECT min(since), max(until), count(*) FROM audit_archives WHERE until >= $1 AND since < $2"
_FOLLOWING: Final = "SELECT number, row FROM audit_events WHERE number > $1 AND number <= $2 ORDER BY number LIMIT 2000"
_OLDEST: Final = "SELECT min(number) FROM audit_events"


@dataclass(frozen=True, slots=True)
class Archive:
    """One file. digest: of its bytes before they were sealed."""

    span: Span
    since: datetime
    until: datetime
    blob: Blob

    @property
    def locked_name(self) -> str:
        """Where its copy under object lock lies, beside the anchors."""
        return f"{locked_names(self.span.stream)}{self.blob.key}"

    @classmethod
    def of(cls, stream: str, row: Iterable[Any]) -> "Archive":
        """From its row in `audit_archives`."""
        first_batch, last_batch, first, last, since, until, key, digest, size, key_id = row
        blob = Blob(key, bytes(digest).hex(), size, MEDIA_TYPE, key_id)
        return cls(Span(stream, first_batch, last_batch, first, last), since, until, blob)


@dataclass(frozen=True, slots=True)
class Stored:
    """What of a wanted time lies in files: the times of their first and last rows, and how many files they are."""

    since: datetime
    until: datetime
    files: int


def locked_names(stream: str) -> str:
    """What the names of a stream's locked copies begin with; no cell's anchors do, since a cell's name has no dot."""
    return f".files/{stream}/"


async def after(db: Connection, stream: str, number: int) -> Archive | None:
    """The first file that has this row or a later one."""
    row = await db.fetchrow(_NEXT, number, name="archive.next")
    return Archive.of(stream, row) if row else None


async def moved(db: Connection, stream: str) -> list[Archive]:
    """Every file whose rows are in the table no more."""
    return [Archive.of(stream, row) for row in await db.fetch(_MOVED, name="archive.moved")]


async def fitting(db: Connection, stream: str, wanted: Wanted, most: int) -> list[Archive]:
    """Files that may have what is wanted and is in the table no more, the newest first."""
    oldest = await db.fetchval(_OLDEST, name="archive.oldest")
    before = wanted.before if oldest is None else min(wanted.before, oldest)
    asked = (before, wanted.since, wanted.until, most, wanted.actor)
    if wanted.patient is None:
        found = await db.fetch(_FITTING, *asked, name="archive.fitting")
    else:
        found = await db.fetch(_FITTING_PATIENT, *asked, wanted.patient, name="archive.fitting")
    return [Archive.of(stream, row) for row in found]


async def stored(db: Connection, wanted: Wanted) -> Stored | None:
    """What of this time lies in files; None when nothing does."""
    row = await db.fetchrow(_SPAN, wanted.since, wanted.until, name="archive.span")
    return Stored(row[0], row[1], row[2]) if row and row[2] else None


async def record(db: Connection, archive: Archive, events: Sequence[Event], now: datetime) -> None:
    """Write down where these rows lie."""
    span, blob = archive.span, archive.blob
    patients = sorted({patient for event in events for patient in event[4]})
    actors = sorted({event[3] for event in events})
    await db.execute(
        _RECORD, span.first_batch, span.last_batch, span.first, span.last, archive.since, archive.until, patients,
        actors, blob.key, bytes.fromhex(blob.digest), blob.size, blob.key_id, now, name="archive.record",
    )  # fmt: skip


async def texts(blobs: BlobStore, archive: Archive) -> list[str]:
    """What the file holds. Raises `Unreadable` when it is missing or not what was written, `StoreUnavailable`."""
    try:
        data = b"".join([chunk async for chunk in blobs.open(archive.blob)])
    except ObjectMissing as error:
        raise Unreadable("the file is missing") from error
    except SealBroken as error:
        raise Unreadable("the file does not open") from error
    if sha256(data).hexdigest() != archive.blob.digest:
        raise Unreadable("the file is another one")
    return await asyncio.to_thread(unpacked, archive.span, data)


async def matching(
    blobs: BlobStore, archive: Archive, wanted: Wanted, most: int, fits: Callable[[Event], bool] | None = None
) -> list[Event]:
    """At most so many rows of the file that are wanted, the newest first. Raises `Unavailable` for a broken file."""
    try:
        held = await texts(blobs, archive)
        return await asyncio.to_thread(lambda: list(islice(filter(fits or _any, _wanted(archive, held, wanted)), most)))
    except Unreadable as error:
        raise Unavailable(BROKEN, "A file of the trail's archive cannot be read.") from error


async def following(db: Connection, blobs: BlobStore, stream: str, span: tuple[int, int]) -> list[tuple[int, str]]:
    """Rows after a number and up to another, with their texts: some thousands from the table, or what a file has.

    Raises `Unavailable` for a broken file.
    """
    after_, last = span
    found = await db.fetch(_FOLLOWING, after_, last, name="archive.following")
    if found and found[0]["number"] == after_ + 1:
        return [(row["number"], row["row"]) for row in found]
    archive = await after(db, stream, after_ + 1)
    if archive is None or archive.span.first > after_ + 1:
        return [(row["number"], row["row"]) for row in found]
    try:
        held = await texts(blobs, archive)
    except Unreadable as error:
        raise Unavailable(BROKEN, "A file of the trail's archive cannot be read.") from error
    return [each for each in enumerate(held, archive.span.first) if after_ < each[0] <= last]


def _any(event: Event) -> bool:
    del event
    return True


def _wanted(archive: Archive, held: Sequence[str], wanted: Wanted) -> Iterator[Event]:
    marks = [json.dumps(each, ensure_ascii=False) for each in (wanted.patient, wanted.actor) if each is not None]
    for number in range(min(archive.span.last, wanted.before - 1), archive.span.first - 1, -1):
        text = held[number - archive.span.first]
        # To look for the id costs a hundredth of what parsing costs; most rows do not have it.
        if not all(mark in text for mark in marks):
            continue
        event = event_of(number, text)
        if _fits(event, wanted):
            yield event


def _fits(event: Event, wanted: Wanted) -> bool:
    return (
        wanted.since <= event[1] < wanted.until
        and (wanted.patient is None or wanted.patient in event[4])
        and (wanted.actor is None or wanted.actor == event[3])
        and (wanted.actions is None or event[2] in wanted.actions)
    )

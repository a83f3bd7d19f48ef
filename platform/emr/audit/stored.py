"""A stream as it lies in its database, read in one snapshot through server-side cursors, and in its files."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Final, LiteralString

import psycopg
from psycopg.types.string import ByteaBinaryLoader

from emr.audit.archives import Archive
from emr.audit.columns import Encoded, encoded
from emr.audit.rows import Unreadable, event_of
from emr.audit.seals import Head, Kept, Seal

DIRECTORY: Final = "directory"
"""The stream of what belongs to no hospital: sign-ins, refusals before a hospital is known, operators' acts."""

ReadFile = Callable[[Archive], Sequence[str]]
"""Gives the texts of a file. Raises `Unreadable` when it is missing or not what was written."""

_PIECE: Final = 10_000
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
# Moments are compared with what the rows' texts say, which is UTC: of one zone they are compared at once.
_BECOME: Final = (
    "SELECT set_config('role', %s, true), set_config('search_path', %s, true), set_config('TimeZone', 'UTC', true)"
)
_SEALS: Final = (
    "SELECT batch, first, last, root, previous, hash, sealed_at, format FROM audit_seals"
    " WHERE batch > %s AND batch <= %s ORDER BY batch"
)
_ROWS: Final = (
    "SELECT number, at, action, actor, patients, row FROM audit_events WHERE number > %s AND number <= %s"
    " ORDER BY number"
)
_ARCHIVES: Final = (
    "SELECT first_batch, last_batch, first, last, since, until, key, digest, size, key_id"
    " FROM audit_archives WHERE last > %s AND first <= %s ORDER BY first"
)
_CUTS: Final = (
    "SELECT DISTINCT ON (last / %(rows)s) batch, last, hash FROM audit_seals ORDER BY last / %(rows)s, batch DESC"
)
_LAST: Final = "SELECT coalesce(max(last), 0), coalesce(max(batch), 0), min(sealed_at) FROM audit_seals"
_WAITING: Final = (
    "SELECT count(*), extract(epoch FROM clock_timestamp() - min(at))::float8 FROM cell.audit_journal WHERE tenant = %s"
)
_WAITING_OF_DIRECTORY: Final = (
    "SELECT count(*), extract(epoch FROM clock_timestamp() - min(at))::float8 FROM directory.audit_journal"
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The rows that no seal covers yet: how many, and the age of the oldest in seconds."""

    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Extent:
    """How long a stream is: its last row's number, its last batch, and when its first batch was sealed."""

    rows: int
    batches: int
    begun: datetime | None


@dataclass(frozen=True, slots=True)
class Part:
    """Batches that follow each other: those after a head, up to another one (None: to the end of the stream)."""

    after: Head = field(default_factory=Head)
    until: Head | None = None

    @property
    def batches(self) -> tuple[int, int]:
        """The batch before the first, and the last."""
        return self.after.batch or _LEAST, self.until.batch if self.until else _MOST

    @property
    def rows(self) -> tuple[int, int]:
        """The number before the first, and the last."""
        return self.after.last if self.after.batch else _LEAST, self.until.last if self.until else _MOST


WHOLE: Final = Part()


class StoredStream:
    """A part of one stream inside one transaction; `kept` and `rows` may be walked side by side, each once.

    faults: what was wrong with files while `rows` was walked.
    """

    def __init__(self, connection: psycopg.Connection[Any], stream: str, part: Part = WHOLE) -> None:
        self._connection, self._stream, self._part = connection, stream, part
        self.faults: list[str] = []

    def extent(self) -> Extent:
        """What the seals say."""
        found = self._connection.execute(_LAST).fetchone()
        return Extent(*found) if found else Extent(0, 0, None)

    def parts(self, rows: int) -> list[Part]:
        """The stream in parts of some `rows` rows each, cut where seals end."""
        cuts = [Head(*found) for found in self._connection.execute(_CUTS, {"rows": rows})][:-1]
        return [Part(after, until) for after, until in zip([Head(), *cuts], [*cuts, None], strict=True)]

    def kept(self) -> Iterator[Kept]:
        """The seals by batch."""
        found = chain.from_iterable(self._walk("seals", _SEALS, *self._part.batches))
        for batch, first, last, root, previous, digest, sealed_at, form in found:
            seal = Seal(self._stream, batch, first, last, root, previous, sealed_at, form)
            yield Kept(seal, digest)

    def rows(self, read: ReadFile) -> Iterator[Sequence[Encoded]]:
        """The rows by number, some thousands at a time, from files that `read` opens and from the table; what lies in
        both alike comes once.
        """
        before, until = self._part.rows
        files = self._files()
        last = min(files[-1].span.last, until) if files else before
        if files:
            lingering = chain.from_iterable(self._walk("lingering", _ROWS, before, last))
            merged = _once(heapq.merge(self._filed(files, read), lingering, key=itemgetter(0)))
            yield from iter(lambda: list(islice(merged, _PIECE)), [])
        yield from self._walk("rows", _ROWS, last, until)

    def _files(self) -> list[Archive]:
        return [Archive.of(self._stream, row) for row in self._connection.execute(_ARCHIVES, self._part.rows)]

    def _filed(self, files: Sequence[Archive], read: ReadFile) -> Iterator[Encoded]:
        before, until = self._part.rows
        for each in files:
            span = each.span
            try:
                numbered = enumerate(read(each), span.first)
                yield from [encoded(event_of(number, text)) for number, text in numbered if before < number <= until]
            except Unreadable as error:
                self.faults.append(f"the file of rows {span.first} to {span.last}: {error}")

    def _walk(self, name: str, query: LiteralString, *parameters: int) -> Iterator[Sequence[Any]]:
        with self._connection.cursor(name, binary=True) as cursor:
            # What is hashed and compared are bytes: a text that is decoded would be encoded again.
            cursor.adapters.register_loader("text", ByteaBinaryLoader)
            cursor.execute(query, parameters)
            yield from iter(lambda: cursor.fetchmany(_PIECE), [])


def _once(rows: Iterable[Encoded]) -> Iterator[Encoded]:
    before: Encoded | None = None
    for row in rows:
        if row != before:
            yield row
        before = row


@contextmanager
def stored_stream(url: str, stream: str, part: Part = WHOLE) -> Iterator[StoredStream]:
    """A hospital's stream as its own role sees it, or the directory's; what is written meanwhile is not seen."""
    role = "emr_directory" if stream == DIRECTORY else stream
    with psycopg.connect(url, connect_timeout=10) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute(_BECOME, (role, stream))
        yield StoredStream(connection, stream, part)


def waiting(url: str, stream: str) -> Waiting:
    """What is in the journal for this stream and under no seal yet."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        connection.execute(_BECOME, ("emr_audit", "cell"))
        if stream == DIRECTORY:
            found = connection.execute(_WAITING_OF_DIRECTORY).fetchone()
        else:
            found = connection.execute(_WAITING, (stream,)).fetchone()
    rows, seconds = found or (0, None)
    return Waiting(rows, seconds or 0.0)

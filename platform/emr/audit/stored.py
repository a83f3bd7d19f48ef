"""A stream as it lies in its database, read in one snapshot through server-side cursors, and in its files."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, LiteralString

import psycopg

from emr.audit.archives import Archive
from emr.audit.rows import Event, Unreadable, event_of
from emr.audit.seals import Kept, Seal

DIRECTORY: Final = "directory"
"""The stream of what belongs to no hospital: sign-ins, refusals before a hospital is known, operators' acts."""

ReadFile = Callable[[Archive], Sequence[str]]
"""Gives the texts of a file. Raises `Unreadable` when it is missing or not what was written."""

_PIECE: Final = 10_000
_BECOME: Final = "SELECT set_config('role', %s, true), set_config('search_path', %s, true)"
_SEALS: Final = "SELECT batch, first, last, root, previous, hash, sealed_at, format FROM audit_seals ORDER BY batch"
_ROWS: Final = "SELECT number, at, action, actor, patients, row FROM audit_events WHERE number > %s ORDER BY number"
_LINGERING: Final = (
    "SELECT number, at, action, actor, patients, row FROM audit_events WHERE number <= %s ORDER BY number"
)
_ARCHIVES: Final = (
    "SELECT first_batch, last_batch, first, last, since, until, key, digest, size, key_id"
    " FROM audit_archives ORDER BY first"
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


class StoredStream:
    """One stream inside one transaction; `kept` and `rows` may be walked side by side, each once.

    faults: what was wrong with files while `rows` was walked.
    """

    def __init__(self, connection: psycopg.Connection[Any], stream: str) -> None:
        self._connection, self._stream = connection, stream
        self.faults: list[str] = []

    def extent(self) -> Extent:
        """What the seals say."""
        found = self._connection.execute(_LAST).fetchone()
        return Extent(*found) if found else Extent(0, 0, None)

    def kept(self) -> Iterator[Kept]:
        """The seals by batch."""
        for batch, first, last, root, previous, digest, sealed_at, form in self._walk("seals", _SEALS):
            seal = Seal(self._stream, batch, first, last, root, previous, sealed_at, form)
            yield Kept(seal, digest)

    def rows(self, read: ReadFile) -> Iterator[Event]:
        """The rows by number, from files that `read` opens and from the table; what lies in both alike comes once."""
        files = self._files()
        last = files[-1].span.last if files else 0
        if files:
            lingering = self._walk("lingering", _LINGERING, last)
            yield from _once(heapq.merge(self._filed(files, read), lingering, key=itemgetter(0)))
        yield from self._walk("rows", _ROWS, last)

    def _files(self) -> list[Archive]:
        if self._stream == DIRECTORY:
            return []
        return [Archive.of(self._stream, row) for row in self._connection.execute(_ARCHIVES)]

    def _filed(self, files: Sequence[Archive], read: ReadFile) -> Iterator[Event]:
        for each in files:
            span = each.span
            try:
                yield from [event_of(span.first + place, text) for place, text in enumerate(read(each))]
            except Unreadable as error:
                self.faults.append(f"the file of rows {span.first} to {span.last}: {error}")

    def _walk(self, name: str, query: LiteralString, *parameters: int) -> Iterator[Any]:
        with self._connection.cursor(name, binary=True) as cursor:
            cursor.itersize = _PIECE
            yield from cursor.execute(query, parameters)


def _once(rows: Iterable[Event]) -> Iterator[Event]:
    before: Event | None = None
    for row in rows:
        if row != before:
            yield row
        before = row


@contextmanager
def stored_stream(url: str, stream: str) -> Iterator[StoredStream]:
    """A hospital's stream as its own role sees it, or the directory's; what is written meanwhile is not seen."""
    role = "emr_directory" if stream == DIRECTORY else stream
    with psycopg.connect(url, connect_timeout=10) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute(_BECOME, (role, stream))
        yield StoredStream(connection, stream)


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

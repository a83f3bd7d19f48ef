"""Two databases of the owner's side by side: the same question to both at once, and rows from one into the other."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

Own = psycopg.Connection[tuple[Any, ...]]

_OPTIONS: Final = "-c lock_timeout=4s -c statement_timeout=0 -c application_name=emr-move"


@dataclass(frozen=True, slots=True)
class Pair:
    """Connections of the owner in the cell that a hospital leaves and in the one that it comes to; each statement is a
    transaction of its own unless one is begun. tenant: the hospital's schema.
    """

    source: Own
    target: Own
    tenant: str

    def ask_both(self, query: sql.Composed, **values: object) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """The answers of both, asked at the same time."""
        given = {"tenant": self.tenant, **values}

        def ask(connection: Own) -> list[tuple[Any, ...]]:
            return connection.execute(query, given).fetchall()

        with ThreadPoolExecutor(2) as threads:
            first, second = threads.submit(ask, self.source), threads.submit(ask, self.target)
            return first.result(), second.result()

    def copy(self, read: sql.Composed, write: sql.Composed, **values: object) -> None:
        """Rows from the source into the target, in the target's present transaction."""
        given = {"tenant": self.tenant, **values}
        with (
            self.source.cursor().copy(read, given) as reading,
            self.target.cursor().copy(write) as writing,
        ):
            for block in reading:
                writing.write(block)

    def reversed(self) -> "Pair":
        """The other way round."""
        return Pair(self.target, self.source, self.tenant)


@contextmanager
def pair_of(source: str, target: str, tenant: str) -> Iterator[Pair]:
    """Both connections, by the owner's addresses."""
    with connected(source) as first, connected(target) as second:
        yield Pair(first, second, tenant)


@contextmanager
def connected(url: str) -> Iterator[Own]:
    """One of them."""
    with psycopg.connect(url, autocommit=True, options=_OPTIONS, connect_timeout=10) as connection:
        yield connection


def names(columns: Sequence[str]) -> sql.Composed:
    """Columns, parted by commas."""
    return sql.SQL(", ").join(sql.Identifier(each) for each in columns)

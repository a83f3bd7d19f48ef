"""One connection inside one transaction, with a span around each statement."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal

import asyncpg

from emr.kernel.errors import Refusal, Unavailable
from emr.telemetry.spans import span

Row = asyncpg.Record
Driver = asyncpg.Connection
CopyForm = Literal["binary", "text"]
USELESS: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""Beside what the server says itself: the connection is closed, or was ended while the driver spoke to it."""
FAILURES: Final = (Unavailable, asyncpg.PostgresError, *USELESS)
"""What a database that does not answer, or answers with an error, looks like to who asks it again later."""


@dataclass(frozen=True, slots=True)
class Limited:
    """How a transaction of limited sight becomes the hospital itself, and limited again; `mark`: of the hospital."""

    mark: str
    become_whole: str
    become_seen: str


@dataclass(frozen=True, slots=True)
class Connection:
    """Statements with `$1` parameters on a connection whose role and transaction someone else decides.

    `name` says in traces what a statement does; parameters never reach a trace. `mark` is put in front of each
    statement as a comment: a prepared statement is planned for one search path, and PostgreSQL plans it anew whenever
    it is used under another. With its hospital's mark it is one hospital's own, and stays planned.
    """

    driver: Driver
    mark: str = ""
    limited: Limited | None = None

    @asynccontextmanager
    async def whole(self) -> AsyncIterator["Connection"]:
        """The same transaction as the hospital itself, for writes, and for what must be right whoever is looking.

        Nothing that is found so may reach the one whose sight is limited.
        """
        if self.limited is None:
            yield self
            return
        await self.driver.execute(self.limited.become_whole)
        try:
            yield replace(self, mark=self.limited.mark, limited=None)
        except Refusal:
            with suppress(asyncpg.InFailedSQLTransactionError):
                await self.driver.execute(self.limited.become_seen)
            raise
        # After any other failure the transaction, or its savepoint, is undone, and the role with it.
        await self.driver.execute(self.limited.become_seen)

    async def fetch(self, sql: str, *args: object, name: str = "query") -> Sequence[Row]:
        """All rows."""
        with span("sql", statement=name):
            rows: Sequence[Row] = await self.driver.fetch(_marked(self.mark, sql), *args)
            return rows

    async def fetchrow(self, sql: str, *args: object, name: str = "query") -> Row | None:
        """The first row, or None."""
        with span("sql", statement=name):
            return await self.driver.fetchrow(_marked(self.mark, sql), *args)

    async def fetchval(self, sql: str, *args: object, name: str = "query") -> Any:
        """The first column of the first row, or None."""
        with span("sql", statement=name):
            return await self.driver.fetchval(_marked(self.mark, sql), *args)

    async def execute(self, sql: str, *args: object, name: str = "execute") -> str:
        """The command tag, such as `INSERT 0 1`."""
        with span("sql", statement=name):
            return await self.driver.execute(_marked(self.mark, sql), *args)

    async def executemany(self, sql: str, rows: Iterable[Sequence[object]], *, name: str = "executemany") -> None:
        """The same statement for each row, in one exchange."""
        with span("sql", statement=name):
            await self.driver.executemany(_marked(self.mark, sql), rows)

    async def copy(
        self, table: str, columns: Sequence[str], data: bytes, *, form: CopyForm = "binary", name: str = "copy"
    ) -> None:
        """Rows in one of the formats of COPY, headers and all, into a table of the hospital."""
        with span("sql", statement=name):
            await self.driver.copy_to_table(table, columns=columns, source=_in_one(data), format=form)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What happens inside is undone alone when an exception passes."""
        await self.driver.execute("SAVEPOINT entry")
        try:
            yield
        except BaseException:
            await self.driver.execute("ROLLBACK TO SAVEPOINT entry")
            raise
        await self.driver.execute("RELEASE SAVEPOINT entry")


async def _in_one(data: bytes) -> AsyncIterator[bytes]:
    yield data


@dataclass(frozen=True, slots=True)
class EachInItsOwn(Connection):
    """Behind a pooler: each statement is a transaction of its own, which begins by saying what the connection is not.

    `begin`: `BEGIN` and what has to be said in each transaction, in one text.
    """

    begin: str = ""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Several statements in one transaction; commits unless an exception passes."""
        try:
            await self.driver.execute(self.begin)
            yield Connection(self.driver)
            await self.driver.execute("COMMIT")
        except BaseException:
            await settle(self.driver)
            raise

    async def fetch(self, sql: str, *args: object, name: str = "query") -> Sequence[Row]:
        """All rows."""
        async with self.transaction() as own:
            return await own.fetch(sql, *args, name=name)

    async def fetchrow(self, sql: str, *args: object, name: str = "query") -> Row | None:
        """The first row, or None."""
        async with self.transaction() as own:
            return await own.fetchrow(sql, *args, name=name)

    async def fetchval(self, sql: str, *args: object, name: str = "query") -> Any:
        """The first column of the first row, or None."""
        async with self.transaction() as own:
            return await own.fetchval(sql, *args, name=name)

    async def execute(self, sql: str, *args: object, name: str = "execute") -> str:
        """The command tag, such as `INSERT 0 1`."""
        async with self.transaction() as own:
            return await own.execute(sql, *args, name=name)

    async def executemany(self, sql: str, rows: Iterable[Sequence[object]], *, name: str = "executemany") -> None:
        """The same statement for each row, all of them or none."""
        async with self.transaction() as own:
            await own.executemany(sql, rows, name=name)

    async def copy(
        self, table: str, columns: Sequence[str], data: bytes, *, form: CopyForm = "binary", name: str = "copy"
    ) -> None:
        """Rows in one of the formats of COPY, all of them or none."""
        async with self.transaction() as own:
            await own.copy(table, columns, data, form=form, name=name)


async def settle(driver: Driver) -> None:
    """Undo what somebody was doing who did not come to its end, or close the connection when that cannot be known.

    A statement that was given up is waited for: what it has begun meanwhile, a transaction for one, is not found out
    before. Without this the next one's changes would be made in a transaction that nobody knows of, and be lost.
    """
    settled = driver.is_closed()
    try:
        with suppress(asyncpg.PostgresError, *USELESS):
            if not settled:
                await driver.execute("ROLLBACK")
                settled = True
    finally:
        if not settled:
            driver.terminate()


@lru_cache(maxsize=20_000)
def _marked(mark: str, sql: str) -> str:
    return mark + sql

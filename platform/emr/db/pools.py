"""Pools of connections and the transactions that turn one of them into a hospital.

The login role of the service is NOINHERIT and owns nothing. A connection of a role pool (`emr_directory`,
`emr_cell`, `emr_audit`) takes that role when it connects; a hospital's connection takes the hospital's role at the
start of each transaction and loses it at the end.
"""

import asyncio
import re
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from emr.db.cells import login_urls
from emr.db.connection import Connection, Driver, EachInItsOwn, Limited, settle
from emr.db.keeping import Left, Pool
from emr.db.seen import SETTLE, Sight, seen_of
from emr.kernel.errors import Unavailable
from emr.kernel.tenant import DEDICATED, SCHEMA, Tenant
from emr.settings import Database
from emr.telemetry.metrics import watch_pool

_ROLE: Final = re.compile(r"emr_[a-z]+")
_BEGIN: Final = "BEGIN"
_BEGIN_TO_READ: Final = "BEGIN READ ONLY"


class RolePool:
    """Connections that are one fixed role from the moment they connect, or behind a pooler in each transaction."""

    def __init__(self, url: str, role: str, *, size: int, pooled: bool = False) -> None:
        if not _ROLE.fullmatch(role):
            raise ValueError(f"not a platform role: {role!r}")
        self._pool = Pool(url, size, {"role": role, "search_path": role.removeprefix("emr_")}, pooled=pooled)
        self._begin = ";".join((_BEGIN, *self._pool.local)) if pooled else ""
        watch_pool(role, self._pool)

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection where each statement is its own transaction."""
        driver = await self._pool.lend()
        try:
            yield EachInItsOwn(driver, begin=self._begin) if self._begin else Connection(driver)
        except BaseException:
            await settle(driver)
            raise
        finally:
            await self._pool.take_back(driver)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside one transaction."""
        async with self.connection() as connection:
            if isinstance(connection, EachInItsOwn):
                async with connection.transaction() as own:
                    yield own
            else:
                async with connection.driver.transaction():
                    yield connection


class Cell:
    """One PostgreSQL cluster with its hospitals: `slices` pools, a hospital belonging to one by hash.

    A backend that has touched a table never gives the memory back, so each sees only its slice of the hospitals.
    """

    def __init__(self, url: str, settings: Database) -> None:
        self.relay = RolePool(url, "emr_cell", size=4, pooled=settings.pooler)
        self.audit = RolePool(url, "emr_audit", size=4, pooled=settings.pooler)
        self.archive = RolePool(url, "emr_archive", size=1, pooled=settings.pooler)
        limits = {"statement_timeout": str(settings.statement_timeout_ms)}
        share = max(1, settings.pool_size * settings.pool_share // 100)
        self._slices = tuple(
            Pool(url, settings.pool_size, limits, share, knows=settings.pool_hospitals, pooled=settings.pooler)
            for _ in range(settings.pool_slices)
        )
        for pool in self._slices:
            watch_pool("hospital", pool)
        self._prologues: dict[tuple[str, str, bool], str] = {}
        self._limited: dict[str, Limited] = {}

    async def open(self) -> None:
        await asyncio.gather(
            self.relay.open(), self.audit.open(), self.archive.open(), *(pool.open() for pool in self._slices)
        )

    async def close(self) -> None:
        await asyncio.gather(
            self.relay.close(), self.audit.close(), self.archive.close(), *(pool.close() for pool in self._slices)
        )

    @asynccontextmanager
    async def hospital(self, schema: str, sight: Sight | None = None) -> AsyncIterator[Connection]:
        """A transaction as the hospital's role, seeing only its schema, and with `sight` only what that shows of it;
        commits unless an exception passes.
        """
        pool = self._pool_of(schema)
        driver = await pool.lend(schema)
        try:
            try:
                await driver.execute(self._prologue(schema, _BEGIN, driver))
                yield (
                    Connection(driver, f"/*{schema}*/")
                    if sight is None
                    else await self._limited_to(sight, driver, schema)
                )
            except BaseException:
                await settle(driver)
                raise
            if await driver.execute("COMMIT") != "COMMIT":
                raise Unavailable("not-committed", "The database could not keep this change; nothing was stored.")
        finally:
            await pool.take_back(driver)

    @asynccontextmanager
    async def hospital_to_read(self, schema: str, sight: Sight | None = None) -> AsyncIterator[Connection]:
        """The same in a transaction in which PostgreSQL lets nothing be written or locked.

        There is nothing to commit, so it is left open: the hospital's next one to read goes on with it for a while,
        still as the hospital's role, and saves the exchange that makes the connection the hospital's. Behind a pooler
        it is ended at once, since it would keep a backend from everybody else.
        """
        pool = self._pool_of(schema)
        driver, left = await pool.lend_to_read(schema)
        try:
            if left is None:
                left = Left(schema, time.monotonic())
                await driver.execute(self._prologue(schema, _BEGIN_TO_READ, driver))
            yield (
                Connection(driver, f"/*{schema}*/") if sight is None else await self._limited_to(sight, driver, schema)
            )
            if pool.local:
                await driver.execute("COMMIT")
        except BaseException:
            try:
                await settle(driver)
            finally:
                await pool.take_back(driver)
            raise
        # What has become limited stays so until it ends.
        pool.take_back_open(driver, left if sight is None else None)

    def _pool_of(self, schema: str) -> Pool:
        return self._slices[zlib.crc32(schema.encode()) % len(self._slices)]

    def _prologue(self, schema: str, begin: str, driver: Driver) -> str:
        """Constant text per hospital, one exchange; the name can only be a schema's (checked against its pattern).

        It ends the transaction that the one before has left open, if it did.
        """
        asked = schema, begin, driver.is_in_transaction()
        text = self._prologues.get(asked)
        if text is None:
            if not SCHEMA.fullmatch(schema):
                raise ValueError(f"not a hospital schema name: {schema!r}")
            steps = ("COMMIT",) if asked[2] else ()
            text = ";".join((*steps, begin, *self._pool_of(schema).local, _becoming(schema, schema)))
            self._prologues[asked] = text
        return text

    async def _limited_to(self, sight: Sight, driver: Driver, schema: str) -> Connection:
        """From here on the transaction shows what `sight` does."""
        seen = seen_of(schema)
        limited = self._limited.get(schema)
        if limited is None:
            limited = Limited(f"/*{schema}*/", _becoming(schema, schema), _becoming(seen, seen + ", " + schema))
            self._limited[schema] = limited
        await driver.execute(limited.become_seen)
        await driver.fetchrow(SETTLE, *sight.settings())
        return Connection(driver, f"/*{seen}*/", limited)


@dataclass(frozen=True, slots=True)
class Databases:
    """The directory and every cell."""

    directory: RolePool
    directory_audit: RolePool
    """Seals what belongs to no hospital."""
    directory_archive: RolePool
    """Takes rows out of the directory's trail that lie in its files."""
    cells: Mapping[str, Cell]
    dedicated: Mapping[str, Cell]
    """For hospitals of the dedicated tier, by slug and cell, the cell as their own logins reach it."""

    def cell(self, name: str) -> Cell:
        """`Unavailable` for a cell that this process was not told of."""
        try:
            return self.cells[name]
        except KeyError as error:
            raise Unavailable("cell-unknown", "The database of this hospital is not configured here.") from error

    def place(self, tenant: Tenant) -> Cell:
        """The cell as this hospital's login reaches it. `Unavailable` for what this process was not told of."""
        if tenant.tier != DEDICATED:
            return self.cell(tenant.cell)
        try:
            return self.dedicated[f"{tenant.slug}@{tenant.cell}"]
        except KeyError as error:
            rule = "This hospital has a database login of its own, which is not configured here."
            raise Unavailable("dedicated-login-missing", rule) from error

    def hospital(self, tenant: Tenant, sight: Sight | None = None) -> AbstractAsyncContextManager[Connection]:
        """A transaction as this hospital, or as one who sees only a part of it."""
        return self.place(tenant).hospital(tenant.tables, sight)

    def hospital_to_read(self, tenant: Tenant, sight: Sight | None = None) -> AbstractAsyncContextManager[Connection]:
        """The same in a transaction that can only read."""
        return self.place(tenant).hospital_to_read(tenant.tables, sight)

    async def open(self) -> None:
        own = (self.directory.open(), self.directory_audit.open(), self.directory_archive.open())
        await asyncio.gather(*own, *(cell.open() for cell in (*self.cells.values(), *self.dedicated.values())))

    async def close(self) -> None:
        own = (self.directory.close(), self.directory_audit.close(), self.directory_archive.close())
        await asyncio.gather(*own, *(cell.close() for cell in (*self.cells.values(), *self.dedicated.values())))


def databases(settings: Database) -> Databases:
    """Pools for everything that the settings name; nothing connects before `open`."""
    return Databases(
        directory=RolePool(settings.url, "emr_directory", size=settings.pool_size, pooled=settings.pooler),
        directory_audit=RolePool(settings.url, "emr_audit", size=1, pooled=settings.pooler),
        directory_archive=RolePool(settings.url, "emr_archive", size=1, pooled=settings.pooler),
        cells={name: Cell(url, settings) for name, url in login_urls(settings).items()},
        dedicated={name: Cell(url, settings) for name, url in settings.dedicated.items()},
    )


def _becoming(role: str, path: str) -> str:
    return ";".join(("SET LOCAL ROLE " + role, "SET LOCAL search_path TO " + path))

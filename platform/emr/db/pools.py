"""Pools of connections and the transactions that turn one of them into a hospital.

The login role of the service is NOINHERIT and owns nothing. A connection of a role pool (`emr_directory`,
`emr_cell`, `emr_audit`) takes that role when it connects; a hospital's connection takes the hospital's role at the
start of each transaction and loses it at the end.
"""

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg

from emr.db.connection import Connection
from emr.kernel.errors import Unavailable
from emr.kernel.tenant import SCHEMA, Tenant
from emr.settings import Database
from emr.telemetry.metrics import watch_pool

DEFAULT_CELL: Final = "default"
_ROLE: Final = re.compile(r"emr_[a-z]+")
_UNREACHABLE: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)


class RolePool:
    """Connections that are one fixed role from the moment they connect."""

    def __init__(self, url: str, role: str, *, size: int) -> None:
        if not _ROLE.fullmatch(role):
            raise ValueError(f"not a platform role: {role!r}")
        self._pool = _Pool(url, size, {"role": role, "search_path": role.removeprefix("emr_")})
        watch_pool(role, self._pool)

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection where each statement is its own transaction."""
        async with self._pool.acquired() as driver:
            yield Connection(driver)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside one transaction."""
        async with self._pool.acquired() as driver, driver.transaction():
            yield Connection(driver)


class Cell:
    """One PostgreSQL cluster with its hospitals: `slices` pools, a hospital belonging to one by hash.

    A backend that has touched a table never gives the memory back, so each sees only its slice of the hospitals.
    """

    def __init__(self, url: str, settings: Database) -> None:
        self.relay = RolePool(url, "emr_cell", size=4)
        self.audit = RolePool(url, "emr_audit", size=4)
        self._slices = tuple(
            _Pool(url, settings.pool_size, {"statement_timeout": str(settings.statement_timeout_ms)})
            for _ in range(settings.pool_slices)
        )
        for pool in self._slices:
            watch_pool("hospital", pool)
        self._prologues: dict[str, str] = {}

    async def open(self) -> None:
        await asyncio.gather(self.relay.open(), self.audit.open(), *(pool.open() for pool in self._slices))

    async def close(self) -> None:
        await asyncio.gather(self.relay.close(), self.audit.close(), *(pool.close() for pool in self._slices))

    @asynccontextmanager
    async def hospital(self, schema: str) -> AsyncIterator[Connection]:
        """A transaction as the hospital's role, seeing only its schema; commits unless an exception passes."""
        pool = self._slices[zlib.crc32(schema.encode()) % len(self._slices)]
        async with pool.acquired() as driver:
            await driver.execute(self._prologue(schema))
            try:
                yield Connection(driver)
            except BaseException:
                await _roll_back(driver)
                raise
            if await driver.execute("COMMIT") != "COMMIT":
                raise Unavailable("not-committed", "The database could not keep this change; nothing was stored.")

    def _prologue(self, schema: str) -> str:
        """Constant text per hospital, one exchange; the name can only be a schema's (checked against its pattern)."""
        text = self._prologues.get(schema)
        if text is None:
            if not SCHEMA.fullmatch(schema):
                raise ValueError(f"not a hospital schema name: {schema!r}")
            text = ";".join(
                (
                    "BEGIN",
                    "SET LOCAL ROLE " + schema,
                    "SET LOCAL search_path TO " + schema,
                )
            )
            self._prologues[schema] = text
        return text


@dataclass(frozen=True, slots=True)
class Databases:
    """The directory and every cell."""

    directory: RolePool
    cells: Mapping[str, Cell]

    def cell(self, name: str) -> Cell:
        """`Unavailable` for a cell that this process was not told of."""
        try:
            return self.cells[name]
        except KeyError as error:
            raise Unavailable("cell-unknown", "The database of this hospital is not configured here.") from error

    def hospital(self, tenant: Tenant) -> AbstractAsyncContextManager[Connection]:
        """A transaction as this hospital."""
        return self.cell(tenant.cell).hospital(tenant.schema)

    async def open(self) -> None:
        await asyncio.gather(self.directory.open(), *(cell.open() for cell in self.cells.values()))

    async def close(self) -> None:
        await asyncio.gather(self.directory.close(), *(cell.close() for cell in self.cells.values()))


def databases(settings: Database) -> Databases:
    """Pools for everything that the settings name; nothing connects before `open`."""
    urls = {DEFAULT_CELL: settings.url} | settings.cells
    return Databases(
        directory=RolePool(settings.url, "emr_directory", size=settings.pool_size),
        cells={name: Cell(url, settings) for name, url in urls.items()},
    )


class _Pool:
    """An asyncpg pool that is made when it is opened, so that it belongs to the loop that uses it."""

    def __init__(self, url: str, size: int, settings: dict[str, str]) -> None:
        self._url, self._size, self._settings = url, size, settings
        self._made: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Ready to connect; a database that is down is found out by the first who asks."""
        self._made = asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._size,
            max_inactive_connection_lifetime=300,
            server_settings={"application_name": "emr", "jit": "off"} | self._settings,
            reset=_keep,
            init=_prepare,
        )
        await self._made

    async def close(self) -> None:
        if self._made is not None:
            await self._made.close()

    def open_connections(self) -> int:
        """How many connections there are."""
        return self._made.get_size() if self._made is not None else 0

    def idle_connections(self) -> int:
        """How many of them wait for work."""
        return self._made.get_idle_size() if self._made is not None else 0

    @asynccontextmanager
    async def acquired(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        """A connection for a while; `Unavailable` when there is none within 10 s."""
        if self._made is None:
            raise RuntimeError("the pool has not been opened")
        try:
            driver = await self._made.acquire(timeout=10)
        except (*_UNREACHABLE, TimeoutError) as error:
            raise Unavailable("database-unavailable", "The database does not answer.") from error
        try:
            yield driver
        finally:
            await self._made.release(driver)


async def _keep(connection: asyncpg.Connection) -> None:
    """Every transaction cleans up after itself, so a connection goes back as it is; one that does not is closed."""
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("xid8", schema="pg_catalog", encoder=str, decoder=int, format="text")


async def _roll_back(driver: asyncpg.pool.PoolConnectionProxy) -> None:
    if not driver.is_closed():
        await driver.execute("ROLLBACK")

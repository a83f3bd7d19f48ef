"""Connections kept open between the transactions of one database.

asyncpg's own pool makes a task for each connection that comes back and a timer for each that is lent: for a read of
one row, as much as the statement itself costs. Here a connection that is free is handed out at once, and only who has
to wait gets a timer.
"""

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

import asyncpg

from emr.db.acquaintance import Acquaintance
from emr.db.connection import USELESS
from emr.db.hoping import Hopes
from emr.kernel.errors import Unavailable

_WAIT_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 300.0
_OPEN_SECONDS: Final = 0.05
"""The longest that a transaction which only read stays open for the next one to go on with it, or to end it."""
_GOES_ON_SECONDS: Final = 0.25
"""The longest that one goes on: it keeps its locks on tables meanwhile, and a migration has to wait for them."""
_STATEMENTS: Final = 600
"""Prepared statements that a connection keeps: about fifteen for each of forty hospitals, some 20 MB of a backend."""
_UNREACHABLE: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)


_Awaited = asyncio.Future[asyncpg.Connection | None]


@dataclass(frozen=True, slots=True)
class Left:
    """A transaction that is READ ONLY and was left open: for whom it can go on, and when it began."""

    name: str
    began: float


@dataclass(slots=True)
class _Free:
    driver: asyncpg.Connection
    since: float
    left: Left | None = None


class Pool:
    """At most `size` connections to one address, made when they are needed, lent to one at a time.

    `settings` are PostgreSQL parameters of each connection. The one that came back last is lent first, so that the
    others grow old and are closed after five minutes without work. Whoever borrows says for whom: of the connections no
    owner has more than `share` at a time, and those who wait are served in turns by owner, so that one with a thousand
    requests is no faster than one with one.

    knows: so many owners at most for each connection, after which it is closed (`emr.db.acquaintance`); 0: no limit.

    pooled: the address is that of a pooler which gives each transaction whatever backend is free. A connection then has
    neither parameters nor prepared statements of its own; `local` has to be said in each transaction.
    """

    def __init__(
        self, url: str, size: int, settings: dict[str, str], share: int = 0, *, knows: int = 0, pooled: bool = False
    ) -> None:
        self._url, self._size, self._share = url, size, share or size
        wanted = {"jit": "off"} | settings
        self._settings = {"application_name": "emr"} | ({} if pooled else wanted)
        self._statements = 0 if pooled else _STATEMENTS
        self.local = tuple("SET LOCAL " + name + " TO " + value for name, value in wanted.items()) if pooled else ()
        """The parameters as statements; empty where each connection has them."""
        self._free: list[_Free] = []
        self._known = Acquaintance(0 if pooled else knows, size)
        self._hopes = Hopes(self._keep)
        self._hopers_first = False
        self._retired = 0
        self._lent: dict[asyncpg.Connection, str] = {}
        self._held: dict[str, int] = {}
        self._making = 0
        self._waiting: dict[str, deque[_Awaited]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._watched = False
        self._closed = True

    async def open(self) -> None:
        """Ready to connect; a database that is down is found out by the first who asks."""
        self._closed = False

    async def close(self) -> None:
        """Close what is free, and what is lent when it comes back."""
        self._closed = True
        free, self._free = self._free, []
        self._hopes.disappoint_all()
        for each in free:
            await each.driver.close()
        queues, self._waiting = self._waiting, {}
        for waiting in (each for queue in queues.values() for each in queue):
            if not waiting.done():
                waiting.set_result(None)

    def open_connections(self) -> int:
        """How many connections there are."""
        return len(self._free) + len(self._lent)

    def idle_connections(self) -> int:
        """How many of them wait for work."""
        return len(self._free)

    def most_known(self) -> int:
        """How many owners the connection has served that has served the most."""
        return self._known.most()

    def retired(self) -> int:
        """How many connections were closed because they had served too many."""
        return self._retired

    async def lend(self, owner: str = "") -> asyncpg.Connection:
        """A connection that is the caller's until it comes back; `Unavailable` when there is none within 10 s.

        Where connections come back by `take_back_open`, it may be in a transaction that the caller has to end first.
        """
        if self._closed:
            raise RuntimeError("the pool is not open")
        driver = await self._hopes.wait(owner) if self._hopes_for_more(owner) else None
        if driver is not None:
            return driver
        if self._closed:
            raise Unavailable("database-unavailable", "The service is stopping.")
        driver = self._known_one(owner)
        if driver is not None:
            return driver
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                return await self._made_or_awaited(owner)
        except (*_UNREACHABLE, TimeoutError) as error:
            raise Unavailable("database-unavailable", "The database does not answer.") from error

    def _known_one(self, owner: str) -> asyncpg.Connection | None:
        """A free connection; None where there is none for this owner, or a new one is better."""
        while self._free and self._held.get(owner, 0) < self._share:
            place = self._known.choose([each.driver for each in self._free], owner)
            if place is None:
                if not self._may_make(owner):
                    self._retire(self._free.pop(0).driver)
                return None
            driver = self._free.pop(place).driver
            if not driver.is_closed():
                self._give(driver, owner)
                return driver
            self._known.forget(driver)
        return None

    def _hopes_for_more(self, owner: str) -> bool:
        """Whether the connections that know this owner are enough, and all of them lent."""
        if not self._known.known_enough(owner) or self._held.get(owner, 0) >= self._share:
            return False
        return not any(self._known.knows(each.driver, owner) for each in self._free)

    def _retire(self, driver: asyncpg.Connection) -> None:
        """It has served as many as it may."""
        self._retired += 1
        self._known.forget(driver)
        task = asyncio.create_task(self._say_goodbye(driver))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _say_goodbye(self, driver: asyncpg.Connection) -> None:
        with contextlib.suppress(asyncpg.PostgresError, TimeoutError, *USELESS):
            await driver.close(timeout=_WAIT_SECONDS)

    async def lend_to_read(self, name: str) -> tuple[asyncpg.Connection, Left | None]:
        """A connection as by `lend`; one whose transaction was left open under this name a moment ago, if there is one,
        and then also what was left: every statement of it sees what has been committed before the statement began.
        """
        youngest = time.monotonic() - _GOES_ON_SECONDS
        has_room = self._held.get(name, 0) < self._share
        for place in range(len(self._free) - 1, -1, -1) if has_room else ():
            free = self._free[place]
            left = free.left
            if left is None or left.name != name or left.began <= youngest or free.driver.is_closed():
                continue
            if free.driver.is_in_transaction():
                del self._free[place]
                self._give(free.driver, name)
                return free.driver, left
        return await self.lend(name), None

    async def take_back(self, driver: asyncpg.Connection) -> None:
        """The caller is done. Every transaction cleans up after itself; a connection that is still inside one is
        closed, since nobody knows what was left undone.
        """
        if not driver.is_closed() and driver.is_in_transaction():
            driver.terminate()
        self._keep(driver)

    def take_back_open(self, driver: asyncpg.Connection, left: Left | None = None) -> None:
        """The caller is done, and has left open a transaction that is READ ONLY: nothing depends on how it ends.

        Whoever gets the connection by `lend_to_read` under the name of `left` goes on with it, which saves an exchange;
        anybody else ends it with the statement that begins another one; when nobody comes, it is ended here.
        """
        self._keep(driver, left)
        if not self._watched:
            self._watched = True
            asyncio.get_running_loop().call_later(_OPEN_SECONDS, self._end_open)

    def _give(self, driver: asyncpg.Connection, owner: str) -> None:
        self._lent[driver] = owner
        self._held[owner] = self._held.get(owner, 0) + 1
        self._known.meet(driver, owner)

    def _let_go(self, owner: str) -> None:
        held = self._held[owner] - 1
        if held:
            self._held[owner] = held
        else:
            del self._held[owner]

    def _keep(self, driver: asyncpg.Connection, left: Left | None = None) -> None:
        self._let_go(self._lent.pop(driver))
        if driver.is_closed() or self._closed:
            driver.terminate()
            self._known.forget(driver)
            self._wake(None)
        elif self._known.knows_too_many(driver):
            self._retire(driver)
            self._wake(None)
        elif not self._pass(driver):
            self._free.append(_Free(driver, time.monotonic(), left))
            self._close_old()

    def _pass(self, driver: asyncpg.Connection) -> bool:
        """Give it to who hopes for it or to who takes any: in turns, so that neither waits for the other."""
        self._hopers_first = not self._hopers_first
        first, then = (self._fulfil, self._wake) if self._hopers_first else (self._wake, self._fulfil)
        return first(driver) or then(driver)

    def _fulfil(self, driver: asyncpg.Connection) -> bool:
        owner = self._hopes.fulfil(
            driver, lambda owner: self._known.knows(driver, owner) and self._held.get(owner, 0) < self._share
        )
        if owner is not None:
            self._give(driver, owner)
        return owner is not None

    def _end_open(self) -> None:
        """End what has been left open for too long, and look again while anything is open."""
        self._watched = False
        open_ = [each for each in self._free if each.driver.is_in_transaction()]
        due = [each for each in open_ if each.since <= time.monotonic() - _OPEN_SECONDS]
        for each in due:
            self._free.remove(each)
            self._give(each.driver, "")
            task = asyncio.create_task(self._end(each.driver))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        if len(due) < len(open_) and not self._closed:
            self._watched = True
            asyncio.get_running_loop().call_later(_OPEN_SECONDS, self._end_open)

    async def _end(self, driver: asyncpg.Connection) -> None:
        with contextlib.suppress(asyncpg.PostgresError, *USELESS):
            await driver.execute("COMMIT")
        await self.take_back(driver)

    async def _made_or_awaited(self, owner: str) -> asyncpg.Connection:
        while True:
            if self._may_make(owner):
                return await self._make(owner)
            waiting: _Awaited = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(owner, deque()).append(waiting)
            try:
                driver = await waiting
            except asyncio.CancelledError:
                self._pass_on(waiting)
                raise
            if self._closed:
                raise Unavailable("database-unavailable", "The service is stopping.")
            if driver is not None:
                return driver

    def _may_make(self, owner: str) -> bool:
        there = len(self._lent) + len(self._free) + self._making
        return there < self._size and self._held.get(owner, 0) < self._share

    async def _make(self, owner: str) -> asyncpg.Connection:
        self._making += 1
        self._held[owner] = self._held.get(owner, 0) + 1
        try:
            driver = await asyncpg.connect(
                self._url, server_settings=self._settings, statement_cache_size=self._statements
            )
            await driver.set_type_codec("xid8", schema="pg_catalog", encoder=str, decoder=int, format="text")
        except BaseException:
            self._let_go(owner)
            self._wake(None)
            raise
        finally:
            self._making -= 1
        self._lent[driver] = owner
        self._known.meet(driver, owner)
        return driver

    def _wake(self, driver: asyncpg.Connection | None) -> bool:
        """Give the next owner's longest waiting a connection, or room for one; False when nobody waits who may have
        it. That owner's turn comes again after the others'.
        """
        for owner in list(self._waiting):
            if self._held.get(owner, 0) >= self._share:
                continue
            queue = self._waiting.pop(owner)
            while queue:
                waiting = queue.popleft()
                if waiting.done():
                    continue
                if queue:
                    self._waiting[owner] = queue
                if driver is not None:
                    self._give(driver, owner)
                waiting.set_result(driver)
                return True
        return False

    def _pass_on(self, waiting: "asyncio.Future[asyncpg.Connection | None]") -> None:
        """Who gave up while being served leaves what it was given to the next."""
        if waiting.cancelled() or not waiting.done():
            return
        driver = waiting.result()
        if driver is None:
            self._wake(None)
        else:
            self._keep(driver)

    def _close_old(self) -> None:
        """The one that has been free longest, if that is too long."""
        oldest = self._free[0]
        if oldest.since < time.monotonic() - _IDLE_SECONDS:
            del self._free[0]
            self._known.forget(oldest.driver)
            oldest.driver.terminate()

"""Who would rather wait a moment for the connection that knows them than teach another one.

A backend that meets a hospital for the first time reads the descriptions of its tables and makes its plans anew, which
takes several times as long as most transactions do.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import asyncpg

_PATIENCE_SECONDS: Final = 0.01
"""The longest that somebody hopes: who knows them may be busy for long."""
_Hope = asyncio.Future[asyncpg.Connection | None]


class Hopes:
    """Owners who wait for one of the connections that know them. give_back: takes what came to one who gave up."""

    def __init__(self, give_back: Callable[[asyncpg.Connection], None]) -> None:
        self._give_back = give_back
        self._hoping: dict[str, deque[_Hope]] = {}

    async def wait(self, owner: str) -> asyncpg.Connection | None:
        """The connection, which is the caller's then; None when none came in time."""
        loop = asyncio.get_running_loop()
        hope: _Hope = loop.create_future()
        self._hoping.setdefault(owner, deque()).append(hope)
        timer = loop.call_later(_PATIENCE_SECONDS, self._disappoint, owner, hope)
        try:
            return await hope
        except asyncio.CancelledError:
            if not hope.cancelled() and (driver := hope.result()) is not None:
                self._give_back(driver)
            raise
        finally:
            timer.cancel()
            self._forget(owner, hope)

    def fulfil(self, driver: asyncpg.Connection, fits: Callable[[str], bool]) -> str | None:
        """Give a connection to the first who hopes for it, and tell to which owner; None where nobody does."""
        for owner, queue in list(self._hoping.items()):
            if not fits(owner):
                continue
            while queue:
                hope = queue.popleft()
                if not hope.done():
                    hope.set_result(driver)
                    return owner
        return None

    def disappoint_all(self) -> None:
        """Nobody is to hope any longer."""
        for owner, queue in list(self._hoping.items()):
            for hope in list(queue):
                self._disappoint(owner, hope)

    def _disappoint(self, owner: str, hope: _Hope) -> None:
        self._forget(owner, hope)
        if not hope.done():
            hope.set_result(None)

    def _forget(self, owner: str, hope: _Hope) -> None:
        queue = self._hoping.get(owner)
        if queue is None:
            return
        if hope in queue:
            queue.remove(hope)
        if not queue:
            del self._hoping[owner]

"""What goes wrong in the middle of a transaction: by us, by the statement, by the clock, by the server, by whoever asked."""

import asyncio
from dataclasses import dataclass
from typing import Final

import asyncpg

from emr.db.connection import Connection

GIVEN_UP: Final = "given up"
KINDS: Final = ("raised", "failed", "slow", "stopped", "killed", GIVEN_UP, GIVEN_UP)
"""A caller's own error; a statement's; the time limit; a statement that the server is told to stop; a backend that is
ended; and twice, since there are most places where it may happen, a caller who is gone.
"""
_DIVIDE: Final = "SELECT 1 / (SELECT count(*) FROM resources WHERE id = $1)"
_SLEEP: Final = "SELECT pg_sleep(20)"


class Raised(Exception):
    """What a caller of ours might raise in the middle."""


@dataclass(frozen=True)
class Trouble:
    """Somebody who may do anything at the server, one thing at a time."""

    curtain: asyncpg.Connection
    turn: asyncio.Lock

    async def make(self, kind: str, db: Connection) -> None:
        """Do it to this transaction; whatever comes of it passes through."""
        if kind == "raised":
            raise Raised
        if kind == "failed":
            await db.fetchval(_DIVIDE, "nobody")
        if kind == "slow":
            await db.execute("SET LOCAL statement_timeout = 3")
            await db.fetchval(_SLEEP)
        pid = await db.fetchval("SELECT pg_backend_pid()")
        if kind == "killed":
            await self._signal("SELECT pg_terminate_backend($1)", pid)
            await db.fetchval("SELECT 1")
        if kind == "stopped":
            sleeping = asyncio.create_task(db.fetchval(_SLEEP))
            while not sleeping.done():
                await asyncio.sleep(0.003)
                await self._signal("SELECT pg_cancel_backend($1)", pid)
            await sleeping
        raise AssertionError(f"{kind} did not disturb anything")

    async def _signal(self, sql: str, pid: int) -> None:
        async with self.turn:
            assert await self.curtain.fetchval(sql, pid)

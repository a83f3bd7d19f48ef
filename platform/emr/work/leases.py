"""Leases in `cell.jobs`: one holder at a time, and a fence that grows with each new one.

Time is the database's own, so that clocks of machines need not agree. A holder that lost its lease without noticing is
stopped by `guard`, which locks the lease inside the transaction that would change something.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg

from emr.db.connection import USELESS, Connection
from emr.db.pools import RolePool
from emr.kernel.errors import Conflict, Unavailable
from emr.telemetry.logs import exception_facts, get_logger

_ACQUIRE: Final = """
INSERT INTO cell.jobs AS j (name, holder, fence, leased_until)
VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 second')
ON CONFLICT (name) DO UPDATE
  SET holder = excluded.holder, leased_until = excluded.leased_until,
      fence = j.fence + (j.holder <> excluded.holder)::int
  WHERE j.leased_until < clock_timestamp() OR j.holder = excluded.holder
RETURNING fence
"""
_RENEW: Final = """
UPDATE cell.jobs SET leased_until = clock_timestamp() + $4 * interval '1 second'
WHERE name = $1 AND holder = $2 AND fence = $3 AND leased_until > clock_timestamp()
"""
_RELEASE: Final = "UPDATE cell.jobs SET leased_until = '-infinity' WHERE name = $1 AND holder = $2 AND fence = $3"
_DUE: Final = """
UPDATE cell.jobs SET state = jsonb_build_object('began_at', clock_timestamp())
WHERE name = $1 AND fence = $2
  AND coalesce((state ->> 'began_at')::timestamptz, '-infinity') < clock_timestamp() - $3 * interval '1 second'
"""
_GUARD: Final = """
SELECT 1 FROM cell.jobs
WHERE name = $1 AND holder = $2 AND fence = $3 AND leased_until > clock_timestamp() FOR UPDATE
"""


class LeaseLost(Conflict):
    """Another process has taken over; what was begun here must not be finished here."""

    def __init__(self, name: str) -> None:
        super().__init__("lease-lost", f"The lease {name} is held by another process.")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do one job until it runs out. `fence` is greater than that of every holder before."""

    name: str
    holder: str
    fence: int


class Leases:
    """The leases of one cell."""

    def __init__(self, pool: RolePool, holder: str, seconds: float) -> None:
        self._pool, self._holder = pool, holder
        self.seconds = seconds
        """How long a lease lasts without being renewed."""

    async def acquire(self, name: str) -> Lease | None:
        """The lease, or None while another process holds it. Taking one's own again renews it."""
        async with self._pool.connection() as connection:
            fence = await connection.fetchval(_ACQUIRE, name, self._holder, self.seconds, name="lease.acquire")
        return None if fence is None else Lease(name, self._holder, fence)

    async def renew(self, lease: Lease) -> None:
        """Keep it longer; `LeaseLost` when it has run out."""
        async with self._pool.connection() as connection:
            done = await connection.execute(
                _RENEW, lease.name, lease.holder, lease.fence, self.seconds, name="lease.renew"
            )
        if done != "UPDATE 1":
            raise LeaseLost(lease.name)

    async def due(self, lease: Lease, seconds: float) -> bool:
        """Whether so long has passed since this last said yes, in this process or another. Yes is remembered."""
        async with self._pool.connection() as connection:
            done = await connection.execute(_DUE, lease.name, lease.fence, seconds, name="lease.due")
        return done == "UPDATE 1"

    async def release(self, lease: Lease) -> None:
        """Let another process have it at once."""
        async with self._pool.connection() as connection:
            await connection.execute(_RELEASE, lease.name, lease.holder, lease.fence, name="lease.release")

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[Lease]:
        """Hold it while the body runs; `LeaseLost` at once when another process does, and at the end if it ran out."""
        lease = await self.acquire(name)
        if lease is None:
            raise LeaseLost(name)
        async with self.renewed(lease):
            yield lease

    @asynccontextmanager
    async def renewed(self, lease: Lease) -> AsyncIterator[None]:
        """Keep the lease while the body runs, then give it back.

        When it is lost, the body is cancelled and `LeaseLost` raised.
        """
        body, lost = asyncio.current_task(), asyncio.Event()

        async def keep() -> None:
            await self._renew_until_lost(lease)
            lost.set()
            if body is not None:
                body.cancel()

        keeping = asyncio.create_task(keep(), name=f"renew {lease.name}")
        try:
            yield
        except asyncio.CancelledError:
            if lost.is_set() and body is not None:
                body.uncancel()
                raise LeaseLost(lease.name) from None
            raise
        finally:
            keeping.cancel()
            # A renewal under way gives its connection back first: nothing of it may outlast whoever closes the pool.
            await asyncio.gather(keeping, return_exceptions=True)
            if not lost.is_set():
                with contextlib.suppress(Unavailable, asyncpg.PostgresError, OSError):
                    await self.release(lease)

    async def _renew_until_lost(self, lease: Lease) -> None:
        kept_until = time.monotonic() + self.seconds
        while time.monotonic() < kept_until:
            await asyncio.sleep(self.seconds / 3)
            try:
                await self.renew(lease)
            except LeaseLost:
                return
            except (Unavailable, asyncpg.PostgresError, *USELESS) as error:
                # The database may be back before the lease has run out.
                get_logger().warning("lease not renewed", job=lease.name, **exception_facts(error))
                continue
            kept_until = time.monotonic() + self.seconds


async def guard(connection: Connection, lease: Lease) -> None:
    """Inside a transaction as `emr_cell`: nobody takes the lease over before it ends. `LeaseLost` if somebody has."""
    if await connection.fetchval(_GUARD, lease.name, lease.holder, lease.fence, name="lease.guard") is None:
        raise LeaseLost(lease.name)

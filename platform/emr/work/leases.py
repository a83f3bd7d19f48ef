"""Leases in `cell.jobs`: one holder at a time, and a fence that grows with each new one.

Time is the database's own, so that clocks of machines need not agree. A holder that lost its lease without noticing is
stopped by `guard`, which locks the lease inside the transaction that would change something.
"""

from dataclasses import dataclass
from typing import Final

from emr.db.connection import Connection
from emr.db.pools import RolePool
from emr.kernel.errors import Conflict

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

    async def release(self, lease: Lease) -> None:
        """Let another process have it at once."""
        async with self._pool.connection() as connection:
            await connection.execute(_RELEASE, lease.name, lease.holder, lease.fence, name="lease.release")


async def guard(connection: Connection, lease: Lease) -> None:
    """Inside a transaction as `emr_cell`: nobody takes the lease over before it ends. `LeaseLost` if somebody has."""
    if await connection.fetchval(_GUARD, lease.name, lease.holder, lease.fence, name="lease.guard") is None:
        raise LeaseLost(lease.name)

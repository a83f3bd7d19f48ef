"""Locked sessions: nobody has done anything for the hospital's minutes, or the person has locked the PC.

The lock is the session's own state. Until it is opened no request with its cookie is answered, whatever page or program
sends it. A PIN opens it; after five wrong ones the session is over, and only signing in helps. Others may sign in over
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from emr.db.connection import Row
from emr.db.pools import RolePool
from emr.identity.errors import NotAMember, NotSignedIn, PinRefused
from emr.identity.pins import Pins
from emr.identity.principal import stranger
from emr.identity.sessions import Sessions
from emr.identity.support_grants import ROLES
from emr.kernel.clock import Clock
from emr.kernel.tenant import Tenant

MOST_TRIES: Final = 5

_LOCK: Final = """
UPDATE directory.sessions SET locked_at = $2
WHERE id = $1 AND locked_at IS NULL AND revoked_at IS NULL RETURNING id
"""

_TRY: Final = """
UPDATE directory.sessions SET unlock_tries = unlock_tries + 1
WHERE id = $1 AND revoked_at IS NULL AND unlock_tries < $2 RETURNING unlock_tries
"""

_OPEN: Final = """
UPDATE directory.sessions SET locked_at = NULL, unlock_tries = 0, seen_at = $2 WHERE id = $1 AND revoked_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class LockState:
    """A session as its lock page sees it. `locked`: it can but be opened; `pin`: its owner has set one."""

    session_id: str
    subject: str
    name: str
    role: str
    locked: bool
    pin: bool


class Locks:
    """Locks and opens sessions as `emr_directory`."""

    def __init__(self, directory: RolePool, sessions: Sessions, pins: Pins, clock: Clock) -> None:
        self._directory = directory
        self._sessions = sessions
        self._pins = pins
        self._clock = clock

    async def state(self, cookie: str | None, tenant: Tenant) -> LockState:
        """The session of a cookie, locked or not. Raises NotSignedIn if there is none, NotAMember as everywhere."""
        row = await self._sessions.find(cookie, tenant.id) if cookie else None
        if row is None:
            raise NotSignedIn
        member = row["role"] is not None and tenant.organization_id in row["organization_ids"]
        if not member and row["grant"] is None:
            raise NotAMember(stranger(row["subject"], row["name"]))
        return LockState(
            session_id=row["id"],
            subject=row["subject"],
            name=row["member_name"] or row["name"],
            role=row["role"] or ROLES[row["scope"]],
            locked=is_locked(row, tenant, self._clock()),
            pin=await self._pins.known(row["subject"]),
        )

    async def lock(self, session_id: str) -> bool:
        """Lock a session; whether it was open until now."""
        async with self._directory.connection() as connection:
            locked = await connection.fetchval(_LOCK, session_id, self._clock(), name="session.lock")
        return locked is not None

    async def open(self, state: LockState, pin: str) -> None:
        """Open a locked session. Raises PinRefused for a wrong PIN; at the last one the session ends: NotSignedIn."""
        await self.confirm(state.session_id, state.subject, pin)
        async with self._directory.connection() as connection:
            await connection.execute(_OPEN, state.session_id, self._clock(), name="session.open")

    async def confirm(self, session_id: str, subject: str, pin: str) -> None:
        """Compare a PIN for a session, counting the tries. Raises as `open` does.

        The try is counted before anything is compared: many at once are no more tries than one after the other.
        """
        async with self._directory.connection() as connection:
            tries = await connection.fetchval(_TRY, session_id, MOST_TRIES, name="session.try")
        if tries is None:
            await self._sessions.end(session_id)
            raise NotSignedIn
        if await self._pins.matches(subject, pin):
            await self._sessions.forget_tries(session_id)
            return
        if tries >= MOST_TRIES:
            await self._sessions.end(session_id)
            raise NotSignedIn
        raise PinRefused(MOST_TRIES - tries)


def is_locked(row: Row, tenant: Tenant, now: datetime) -> bool:
    """Whether a session may do nothing until it is opened: locked, or idle for the fewest minutes that count for it."""
    if row["locked_at"] is not None:
        return True
    minutes = min(row["lock_minutes"] or tenant.lock_minutes, tenant.lock_minutes)
    return bool(row["seen_at"] <= now - timedelta(minutes=minutes))

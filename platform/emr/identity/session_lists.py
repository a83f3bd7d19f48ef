"""Sessions as their owner and a hospital's administrator see them: which there are, and ending them.

An administrator sees a session when it was used in that hospital, and can end it. The session may serve the same person
in another hospital too; it is over there as well, and of that hospital nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from emr.db.connection import Row
from emr.db.pools import RolePool
from emr.identity.sessions import Ended
from emr.kernel.clock import Clock
from emr.kernel.errors import NotFound
from emr.settings import Identity

_OF_SUBJECT: Final = """
SELECT id, subject, name, device, strong, created_at, seen_at, authenticated_at FROM directory.sessions
WHERE subject = $1 AND revoked_at IS NULL AND expires_at > $2 AND seen_at > $3 ORDER BY seen_at DESC, id
"""

_OF_HOSPITAL: Final = """
SELECT s.id, s.subject, m.name, s.device, s.strong, s.created_at, s.seen_at, s.authenticated_at, m.member
FROM (
  SELECT subject, name, true AS member FROM directory.memberships WHERE tenant_id = $1
  UNION ALL
  SELECT subject, name, false FROM directory.support_grants g WHERE tenant_id = $1 AND ended_at IS NULL AND until > $2
    AND NOT EXISTS (SELECT 1 FROM directory.memberships o WHERE o.tenant_id = $1 AND o.subject = g.subject)
) m JOIN directory.sessions s ON s.subject = m.subject
WHERE $1 = ANY (s.used_in) AND s.revoked_at IS NULL AND s.expires_at > $2 AND s.seen_at > $3
ORDER BY m.name, s.seen_at DESC, s.id
"""

# The refresh token stays, sealed: by it the browser's next sign-in ends what is left at the provider.
_END_OWN: Final = """
UPDATE directory.sessions SET revoked_at = $3, id_token = NULL
WHERE subject = $1 AND id = $2 AND revoked_at IS NULL RETURNING id, subject, name
"""

_END_OTHERS: Final = """
UPDATE directory.sessions SET revoked_at = $3, id_token = NULL
WHERE subject = $1 AND id <> $2 AND revoked_at IS NULL RETURNING id, subject, name
"""

_END_IN_HOSPITAL: Final = """
UPDATE directory.sessions SET revoked_at = $3, id_token = NULL
WHERE id = $2 AND $1 = ANY (used_in) AND revoked_at IS NULL RETURNING id, subject, name
"""

_END_ALL_IN_HOSPITAL: Final = """
UPDATE directory.sessions SET revoked_at = $3, id_token = NULL
WHERE subject = $2 AND $1 = ANY (used_in) AND revoked_at IS NULL RETURNING id, subject, name
"""


@dataclass(frozen=True, slots=True)
class SessionView:
    """One running session. `device` is the kind of browser and system, `strong` whether a second factor was proved.

    `member`: whose it is is or was a member, and not somebody who was let in by a support grant.
    """

    id: str
    subject: str
    name: str
    device: str
    strong: bool
    created_at: datetime
    seen_at: datetime
    authenticated_at: datetime
    member: bool = True


class SessionLists:
    """Lists and ends sessions as `emr_directory`. What an end is for and who ordered it is the caller's to note."""

    def __init__(self, directory: RolePool, settings: Identity, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._idle = timedelta(minutes=settings.session_idle_minutes)

    async def of_person(self, subject: str) -> Sequence[SessionView]:
        """Someone's own running sessions, the one that was used last first."""
        return await self._list(_OF_SUBJECT, subject)

    async def of_hospital(self, tenant_id: str) -> Sequence[SessionView]:
        """The running sessions that were used in a hospital by who is or was its member, or is let in, by name."""
        return await self._list(_OF_HOSPITAL, tenant_id)

    async def end_own(self, subject: str, session_id: str) -> Ended:
        """End one of someone's own sessions. NotFound for anybody else's, as for one that is none."""
        return _one(await self._end(_END_OWN, subject, session_id))

    async def end_others(self, subject: str, but: str) -> Sequence[Ended]:
        """End all of someone's sessions but one."""
        return await self._end(_END_OTHERS, subject, but)

    async def end_in_hospital(self, tenant_id: str, session_id: str) -> Ended:
        """End a session that was used in this hospital. NotFound for any other."""
        return _one(await self._end(_END_IN_HOSPITAL, tenant_id, session_id))

    async def end_all_in_hospital(self, tenant_id: str, subject: str) -> Sequence[Ended]:
        """End every session of a person that was used in this hospital."""
        return await self._end(_END_ALL_IN_HOSPITAL, tenant_id, subject)

    async def _list(self, query: str, whose: str) -> Sequence[SessionView]:
        now = self._clock()
        async with self._directory.connection() as connection:
            rows = await connection.fetch(query, whose, now, now - self._idle, name="session.list")
        return [_view(row) for row in rows]

    async def _end(self, statement: str, whose: str, which: str) -> Sequence[Ended]:
        async with self._directory.connection() as connection:
            rows = await connection.fetch(statement, whose, which, self._clock(), name="session.end")
        return [Ended(row["id"], row["subject"], row["name"]) for row in rows]


def _view(row: Row) -> SessionView:
    return SessionView(**dict(row))


def _one(ended: Sequence[Ended]) -> Ended:
    if not ended:
        raise NotFound("session-unknown", "There is no such session.")
    return ended[0]

"""Short-lived sessions of people and machines who do not exist, with which the border light tries the doors.

Nobody can sign in as one of them: their subjects are known to no provider. A visit is a session like any other, and a
membership that is over after minutes; both are gone when the visit ends.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from emr.db.pools import RolePool
from emr.identity.sealing import Sealed
from emr.identity.sessions import Person, Sessions, TokenSet
from emr.kernel.clock import Clock
from emr.kernel.ids import uuid7
from emr.kernel.tenant import Tenant
from emr.settings import Settings

PREFIX: Final = "border-light:"
"""What the subjects of visitors begin with."""
NAME: Final = "Đèn ranh giới"
"""What they are called wherever a name is shown."""
LONGEST: Final = timedelta(minutes=30)

_JOIN: Final = """
INSERT INTO directory.memberships (tenant_id, subject, role, name, granted_by, expires_at, duties, practitioner)
VALUES ($1, $2, $3, $4, 'border light', $5, $6, $7)
"""
_LEAVE: Final = "DELETE FROM directory.memberships WHERE subject = $1 AND granted_by = 'border light'"
_FORGET: Final = "DELETE FROM directory.sessions WHERE subject = $1"


@dataclass(frozen=True, slots=True)
class Guest:
    """As what somebody visits a hospital: what the membership says of `role`, `duties` and `practitioner`."""

    role: str
    duties: frozenset[str] = frozenset()
    practitioner: str | None = None


OWN: Final = (Guest("doctor"), Guest("imaging"), Guest("archivist", frozenset({"privacy"})))
"""Who is at home in the hospital that is tried: the last is its privacy officer."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Who knocks: the subject, and the value of the session's cookie."""

    subject: str
    cookie: str


class Visits:
    """Begins and ends visits, as `emr_directory`."""

    def __init__(self, settings: Settings, directory: RolePool, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        sealed = Sealed(settings.keys.sealing.get_secret_value(), "sessions")
        self._sessions = Sessions(directory, settings.identity, sealed, clock)

    @asynccontextmanager
    async def during(self, guest: Guest, home: Tenant | None) -> AsyncIterator[Visit]:
        """Somebody who is this in `home`; without a home, somebody who belongs to no hospital."""
        subject = f"{PREFIX}{uuid7()}"
        until = self._clock() + LONGEST
        try:
            if home is not None:
                async with self._directory.connection() as connection:
                    await connection.execute(
                        _JOIN, home.id, subject, guest.role, NAME, until, sorted(guest.duties), guest.practitioner,
                        name="visit.join",
                    )  # fmt: skip
            organizations = frozenset({home.organization_id} if home and home.organization_id else ())
            tokens = TokenSet(refresh_token=None, id_token=None, organization_ids=organizations, expires_at=until)
            person = Person(subject, NAME, None, authenticated_at=self._clock(), strong=True)
            _, cookie = await self._sessions.start(person, tokens, NAME)
            yield Visit(subject, cookie)
        finally:
            async with self._directory.connection() as connection:
                await connection.execute(_FORGET, subject, name="visit.forget")
                await connection.execute(_LEAVE, subject, name="visit.leave")

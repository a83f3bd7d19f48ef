"""Support grants: a hospital lets somebody who belongs to it in nowhere look in, for hours, at what it names.

The row is the only way in for the department's and support's people, and is read with the session at each request.
Nothing is deleted: what was granted, to whom, by whom, why, and who ended it, stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from emr.db.connection import Row
from emr.db.pools import RolePool
from emr.identity.principal import Principal
from emr.kernel.clock import Clock, utc_now
from emr.kernel.errors import Conflict

Scope = Literal["house", "patient", "patients"]
"""The hospital without any patient's data; one patient; every patient."""
LONGEST: Final = timedelta(hours=72)
ROLES: Final[Mapping[Scope, str]] = {"house": "support", "patient": "support-chart", "patients": "support-chart"}
"""As what somebody comes in, by scope."""

_LAPSE: Final = """
UPDATE directory.support_grants SET ended_at = until
 WHERE tenant_id = $1 AND subject = $2 AND ended_at IS NULL AND until <= $3
"""
_GIVE: Final = """
INSERT INTO directory.support_grants (id, tenant_id, subject, name, office, purpose, scope, patient, since, until,
  given_by, given_by_name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (tenant_id, subject) WHERE ended_at IS NULL DO NOTHING RETURNING id
"""
_LIST: Final = """
SELECT id, tenant_id, subject, name, office, purpose, scope, patient, since, until, given_by, given_by_name,
  ended_at, ended_by_name, noted_at, noted_by_name
  FROM directory.support_grants WHERE tenant_id = $1 ORDER BY since DESC LIMIT 200
"""
_END: Final = """
UPDATE directory.support_grants SET ended_at = $3, ended_by = $4, ended_by_name = $5
 WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL AND until > $3
RETURNING id, tenant_id, subject, name, office, purpose, scope, patient, since, until, given_by, given_by_name,
  ended_at, ended_by_name, noted_at, noted_by_name
"""
_NOTE: Final = """
UPDATE directory.support_grants SET noted_at = $3, noted_by = $4, noted_by_name = $5
 WHERE tenant_id = $1 AND id = $2 AND noted_at IS NULL RETURNING id
"""
_COUNT: Final = "SELECT count(*) FROM directory.support_grants WHERE tenant_id = $1 AND noted_at IS NULL"
_OF_SUBJECT: Final = """
SELECT tenant_id, scope FROM directory.support_grants
 WHERE subject = $1 AND ended_at IS NULL AND since <= $2 AND until > $2
"""


@dataclass(frozen=True, slots=True)
class SupportGrant:
    """One grant. `office`: `department` or `support`, whose person it is; `purpose`: why, in the hospital's words.

    `patient`: the id of the one whom the scope `patient` is about. `ended_at`: when it was taken away before its time,
    or was found to be over. `noted_at`: when the privacy officer said to have seen it.
    """

    id: str
    tenant_id: str
    subject: str
    name: str
    office: str
    purpose: str
    scope: Scope
    patient: str | None
    since: datetime
    until: datetime
    given_by: str
    given_by_name: str
    ended_at: datetime | None = None
    ended_by_name: str | None = None
    noted_at: datetime | None = None
    noted_by_name: str | None = None

    def runs(self, now: datetime) -> bool:
        """Whether it lets somebody in at this moment."""
        return self.ended_at is None and self.since <= now < self.until


class SupportGrants:
    """Reads and writes as `emr_directory`."""

    def __init__(self, directory: RolePool, clock: Clock = utc_now) -> None:
        self._directory = directory
        self._clock = clock

    async def give(self, grant: SupportGrant) -> None:
        """Let somebody in. Conflict while another grant of this hospital runs for the same account."""
        async with self._directory.transaction() as connection:
            await connection.execute(_LAPSE, grant.tenant_id, grant.subject, grant.since, name="support.lapse")
            given = await connection.fetchval(
                _GIVE,
                *(grant.id, grant.tenant_id, grant.subject, grant.name, grant.office, grant.purpose, grant.scope),
                *(grant.patient, grant.since, grant.until, grant.given_by, grant.given_by_name),
                name="support.give",
            )
        if given is None:
            raise Conflict("support-running", "A grant for this account is running; end it first.", location="person")

    async def list_grants(self, tenant_id: str) -> Sequence[SupportGrant]:
        """A hospital's last two hundred, the newest first."""
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_LIST, tenant_id, name="support.list")
        return [_grant(row) for row in rows]

    async def end(self, tenant_id: str, key: str, *, by: tuple[str, str]) -> SupportGrant | None:
        """End a running one at once; None if there is none. `by`: subject and name."""
        async with self._directory.connection() as connection:
            row = await connection.fetchrow(_END, tenant_id, key, self._clock(), *by, name="support.end")
        return None if row is None else _grant(row)

    async def note(self, tenant_id: str, key: str, *, by: tuple[str, str]) -> bool:
        """Keep that the privacy officer has seen it; False if there is none that nobody has seen."""
        async with self._directory.connection() as connection:
            done = await connection.fetchval(_NOTE, tenant_id, key, self._clock(), *by, name="support.note")
        return done is not None

    async def count_unnoted(self, tenant_id: str) -> int:
        """How many no privacy officer has seen."""
        async with self._directory.connection() as connection:
            return int(await connection.fetchval(_COUNT, tenant_id, name="support.count"))

    async def of_subject(self, subject: str) -> dict[str, str]:
        """Where an account is let in now, id of the hospital to role."""
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_OF_SUBJECT, subject, self._clock(), name="support.of_subject")
        return {row["tenant_id"]: ROLES[row["scope"]] for row in rows}


def let_in(row: Row, tenant_id: str) -> Principal:
    """Whose session has no membership and a grant that runs; the name is the provider's, not the hospital's."""
    return Principal(
        subject=row["subject"],
        name=row["name"],
        role=ROLES[row["scope"]],
        kind="person",
        tenant_id=tenant_id,
        session_id=row["id"],
        strong=row["strong"],
        authenticated_at=row["authenticated_at"],
        elsewhere=True,
        patient=row["patient"],
        grant=row["grant"],
        until=row["until"],
    )


def _grant(row: Row) -> SupportGrant:
    return SupportGrant(**dict(row))

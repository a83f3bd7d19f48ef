"""Who belongs to which hospital, in which role: our own rows, read at each request."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from emr.db.connection import Connection, Row
from emr.db.pools import RolePool
from emr.identity.principal import DUTIES, HOSPITAL_ROLES, MACHINE_ROLES, Principal, kind_of
from emr.identity.together import Together
from emr.kernel.clock import Clock, utc_now
from emr.kernel.errors import Invalid, NotFound

_GRANT: Final = """
INSERT INTO directory.memberships (tenant_id, subject, role, name, duties, wards, clearances, practitioner, expires_at,
  scopes, active, granted_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, true, $11)
ON CONFLICT (tenant_id, subject) DO UPDATE
SET role = excluded.role, name = excluded.name, duties = excluded.duties, wards = excluded.wards,
  clearances = excluded.clearances, practitioner = excluded.practitioner, expires_at = excluded.expires_at,
  scopes = excluded.scopes, active = true, granted_by = excluded.granted_by, updated_at = now()
WHERE (memberships.role, memberships.name, memberships.duties, memberships.wards, memberships.clearances,
    memberships.practitioner, memberships.expires_at, memberships.scopes, memberships.active)
  IS DISTINCT FROM (excluded.role, excluded.name, excluded.duties, excluded.wards, excluded.clearances,
    excluded.practitioner, excluded.expires_at, excluded.scopes, true)
RETURNING subject
"""

_REVOKE: Final = """
UPDATE directory.memberships SET active = false, updated_at = now()
WHERE tenant_id = $1 AND subject = $2 AND active RETURNING role
"""

_FIND: Final = """
SELECT tenant_id, subject, role, name, active, duties, wards, clearances, practitioner, expires_at,
  seen_on, scopes
FROM unnest($1::text[], $2::text[]) AS asked (tenant_id, subject)
JOIN directory.memberships USING (tenant_id, subject)
WHERE active AND (expires_at IS NULL OR expires_at > $3)
"""

_GET: Final = """
SELECT tenant_id, subject, role, name, active, duties, wards, clearances, practitioner, expires_at,
  seen_on, scopes
FROM directory.memberships WHERE tenant_id = $1 AND subject = $2
"""

_SEEN: Final = "UPDATE directory.memberships SET seen_on = $3 WHERE tenant_id = $1 AND subject = $2"

_OF_HOSPITAL: Final = """
SELECT tenant_id, subject, role, name, active, duties, wards, clearances, practitioner, expires_at,
  seen_on, scopes
FROM directory.memberships WHERE tenant_id = $1 ORDER BY role, name, subject
"""

_OF_SUBJECT: Final = """
SELECT tenant_id, subject, role, name, active, duties, wards, clearances, practitioner, expires_at,
  seen_on, scopes
FROM directory.memberships
WHERE subject = $1 AND active AND (expires_at IS NULL OR expires_at > $2) ORDER BY tenant_id
"""

_PRACTITIONERS: Final = """
SELECT subject, practitioner FROM directory.memberships
WHERE tenant_id = $1 AND subject = ANY ($2::text[]) AND practitioner IS NOT NULL
"""

_EVENT: Final = "INSERT INTO directory.tenant_events (tenant_id, actor, event, detail) VALUES ($1, $2, $3, $4)"

_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_LABEL: Final = re.compile(r"[A-Za-z][A-Za-z0-9\-]{0,63}")


@dataclass(frozen=True, slots=True)
class Membership:
    """One person or machine in one hospital. `subject` is the provider's `sub`; `name` is what pages show.

    `duties`, `wards`, `clearances` and `practitioner` are what `Principal` says of them. From `expires_at` on (None:
    never) the membership is none. `seen_on`: the last day (UTC) on which the member was here. `scopes`: SMART scopes
    that limit a machine's role; none: no limit.
    """

    tenant_id: str
    subject: str
    role: str
    name: str
    active: bool = True
    duties: frozenset[str] = frozenset()
    wards: frozenset[str] = frozenset()
    clearances: frozenset[str] = frozenset()
    practitioner: str | None = None
    expires_at: datetime | None = None
    seen_on: date | None = None
    scopes: frozenset[str] = frozenset()

    def principal(self) -> Principal:
        """The member, asking in this hospital."""
        return Principal(
            subject=self.subject,
            name=self.name,
            role=self.role,
            kind=kind_of(self.role),
            tenant_id=self.tenant_id,
            duties=self.duties,
            wards=self.wards,
            clearances=self.clearances,
            practitioner=self.practitioner,
            scopes=self.scopes,
        )


class Memberships:
    """Grants and takes away membership as `emr_directory`; every change is an event of the hospital."""

    def __init__(self, directory: RolePool, clock: Clock = utc_now) -> None:
        self._directory = directory
        self._clock = clock
        self._found = Together(self._look)

    async def grant(self, membership: Membership, *, granted_by: str) -> None:
        """Make someone a member, or change what is said of one; doing so twice changes nothing.

        Raises Invalid for a role or duty that a hospital does not have, and for what is no id and no label.
        """
        _demand_possible(membership)
        async with self._directory.transaction() as connection:
            changed = await connection.fetchval(
                _GRANT,
                membership.tenant_id,
                membership.subject,
                membership.role,
                membership.name,
                sorted(membership.duties),
                sorted(membership.wards),
                sorted(membership.clearances),
                membership.practitioner,
                membership.expires_at,
                sorted(membership.scopes),
                granted_by,
                name="membership.grant",
            )
            if changed is not None:
                await _note(connection, membership, granted_by, "granted")

    async def revoke(self, tenant_id: str, subject: str, *, revoked_by: str) -> None:
        """Take a membership away; it counts no more from the next request on. NotFound if there is none."""
        async with self._directory.transaction() as connection:
            role = await connection.fetchval(_REVOKE, tenant_id, subject, name="membership.revoke")
            if role is None:
                raise NotFound("membership-unknown", "There is no such member.")
            await _note(connection, Membership(tenant_id, subject, role, ""), revoked_by, "revoked")

    async def find(self, tenant_id: str, subject: str) -> Membership | None:
        """The membership of someone who belongs to the hospital now, read after this was asked."""
        return await self._found.ask((tenant_id, subject))

    async def _look(self, asked: Collection[tuple[str, str]]) -> dict[tuple[str, str], Membership]:
        tenants, subjects = [tenant for tenant, _ in asked], [subject for _, subject in asked]
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_FIND, tenants, subjects, self._clock(), name="membership.find")
        return {(row["tenant_id"], row["subject"]): _membership(row) for row in rows}

    async def again(self, was: Principal) -> Principal | None:
        """Who once asked, as they stand now, with no more than the token of that time; None when they left."""
        found = await self.find(was.tenant_id or "", was.subject)
        if found is None:
            return None
        scopes = limited(was.scopes, found.scopes)
        return replace(found.principal(), name=was.name, scopes=scopes, patient=was.patient, app=was.app)

    async def get(self, tenant_id: str, subject: str) -> Membership:
        """Someone who is or was a member; raises NotFound."""
        async with self._directory.connection() as connection:
            row = await connection.fetchrow(_GET, tenant_id, subject, name="membership.get")
        if row is None:
            raise NotFound("membership-unknown", "There is no such member.")
        return _membership(row)

    async def seen(self, tenant_id: str, subject: str, last: date | None) -> None:
        """Note that a member is here, once a day; `last` is what the row said."""
        today = self._clock().date()
        if last != today:
            async with self._directory.connection() as connection:
                await connection.execute(_SEEN, tenant_id, subject, today, name="membership.seen")

    async def list_members(self, tenant_id: str) -> Sequence[Membership]:
        """Everyone who is or was a member of a hospital."""
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_OF_HOSPITAL, tenant_id, name="membership.list")
        return [_membership(row) for row in rows]

    async def practitioners(self, tenant_id: str, subjects: Sequence[str]) -> dict[str, str]:
        """The ids of the Practitioners that these people are or were here, by subject."""
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_PRACTITIONERS, tenant_id, subjects, name="membership.practitioners")
        return {row["subject"]: row["practitioner"] for row in rows}

    async def of_subject(self, subject: str) -> Sequence[Membership]:
        """Where someone is a member now."""
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_OF_SUBJECT, subject, self._clock(), name="membership.of_subject")
        return [_membership(row) for row in rows]


def _membership(row: Row) -> Membership:
    return Membership(
        tenant_id=row["tenant_id"],
        subject=row["subject"],
        role=row["role"],
        name=row["name"],
        active=row["active"],
        duties=frozenset(row["duties"]),
        wards=frozenset(row["wards"]),
        clearances=frozenset(row["clearances"]),
        practitioner=row["practitioner"],
        expires_at=row["expires_at"],
        seen_on=row["seen_on"],
        scopes=frozenset(row["scopes"]),
    )


def limited(said: frozenset[str], registered: frozenset[str]) -> frozenset[str]:
    """A token's scopes where the hospital registered SMART scopes for the machine: those count, whatever it says."""
    return said if not registered else frozenset(each for each in said if "/" not in each) | registered


def _demand_possible(membership: Membership) -> None:
    if membership.role not in (*HOSPITAL_ROLES, *MACHINE_ROLES):
        raise Invalid("role-unknown", f"There is no role {membership.role!r} in a hospital.", location="role")
    for duty in sorted(membership.duties - set(DUTIES)):
        raise Invalid("duty-unknown", f"There is no duty {duty!r} in a hospital.", location="duties")
    for ward in sorted(membership.wards):
        if not _ID.fullmatch(ward):
            raise Invalid("ward-malformed", "A ward is the id of a Location resource.", location="wards")
    for label in sorted(membership.clearances):
        if not _LABEL.fullmatch(label):
            raise Invalid("clearance-malformed", "A clearance is the code of a label.", location="clearances")
    if membership.practitioner is not None and not _ID.fullmatch(membership.practitioner):
        raise Invalid("practitioner-malformed", "The id of a Practitioner resource is wanted.", location="practitioner")


async def _note(connection: Connection, membership: Membership, actor: str, verb: str) -> None:
    detail: dict[str, object] = {"subject": membership.subject, "role": membership.role}
    for name in ("duties", "wards", "clearances"):
        if held := sorted(getattr(membership, name)):
            detail[name] = held
    if membership.practitioner is not None:
        detail["practitioner"] = membership.practitioner
    if membership.expires_at is not None:
        detail["expires_at"] = membership.expires_at.isoformat()
    await connection.execute(
        _EVENT, membership.tenant_id, actor, f"membership.{verb}", json.dumps(detail), name="membership.note"
    )

"""Who belongs to which hospital, in which role: our own rows, read at each request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from emr.db.connection import Connection
from emr.db.pools import RolePool
from emr.identity.principal import HOSPITAL_ROLES, MACHINE_ROLES
from emr.kernel.errors import Invalid, NotFound

_GRANT: Final = """
INSERT INTO directory.memberships (tenant_id, subject, role, name, active, granted_by)
VALUES ($1, $2, $3, $4, true, $5)
ON CONFLICT (tenant_id, subject) DO UPDATE
SET role = excluded.role, name = excluded.name, active = true, granted_by = excluded.granted_by, updated_at = now()
WHERE (memberships.role, memberships.name, memberships.active) IS DISTINCT FROM (excluded.role, excluded.name, true)
RETURNING subject
"""

_REVOKE: Final = """
UPDATE directory.memberships SET active = false, updated_at = now()
WHERE tenant_id = $1 AND subject = $2 AND active RETURNING role
"""

_ROLE: Final = """
SELECT role, name FROM directory.memberships WHERE tenant_id = $1 AND subject = $2 AND active
"""

_OF_HOSPITAL: Final = """
SELECT tenant_id, subject, role, name, active FROM directory.memberships
WHERE tenant_id = $1 ORDER BY role, name, subject
"""

_OF_SUBJECT: Final = """
SELECT tenant_id, subject, role, name, active FROM directory.memberships
WHERE subject = $1 AND active ORDER BY tenant_id
"""

_EVENT: Final = "INSERT INTO directory.tenant_events (tenant_id, actor, event, detail) VALUES ($1, $2, $3, $4)"


@dataclass(frozen=True, slots=True)
class Membership:
    """One person or machine in one hospital. `subject` is the provider's `sub`; `name` is what pages show."""

    tenant_id: str
    subject: str
    role: str
    name: str
    active: bool = True


class Memberships:
    """Grants and takes away membership as `emr_directory`; every change is an event of the hospital."""

    def __init__(self, directory: RolePool) -> None:
        self._directory = directory

    async def grant(self, membership: Membership, *, granted_by: str) -> None:
        """Make someone a member, or change the role; doing so twice changes nothing. Refuses an unknown role."""
        if membership.role not in (*HOSPITAL_ROLES, *MACHINE_ROLES):
            raise Invalid("role-unknown", f"There is no role {membership.role!r} in a hospital.", location="role")
        async with self._directory.transaction() as connection:
            changed = await connection.fetchval(
                _GRANT,
                membership.tenant_id,
                membership.subject,
                membership.role,
                membership.name,
                granted_by,
                name="membership.grant",
            )
            if changed is not None:
                await _note(
                    connection, membership.tenant_id, granted_by, ("granted", membership.subject, membership.role)
                )

    async def revoke(self, tenant_id: str, subject: str, *, revoked_by: str) -> None:
        """Take a membership away; it counts no more from the next request on. NotFound if there is none."""
        async with self._directory.transaction() as connection:
            role = await connection.fetchval(_REVOKE, tenant_id, subject, name="membership.revoke")
            if role is None:
                raise NotFound("membership-unknown", "There is no such member.")
            await _note(connection, tenant_id, revoked_by, ("revoked", subject, role))

    async def find(self, tenant_id: str, subject: str) -> tuple[str, str] | None:
        """Role and name of an active member."""
        async with self._directory.connection() as connection:
            row = await connection.fetchrow(_ROLE, tenant_id, subject, name="membership.find")
        return None if row is None else (row["role"], row["name"])

    async def list_members(self, tenant_id: str) -> Sequence[Membership]:
        """Everyone who is or was a member of a hospital."""
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_OF_HOSPITAL, tenant_id, name="membership.list")
        return [Membership(**row) for row in rows]

    async def of_subject(self, subject: str) -> Sequence[Membership]:
        """Where someone is a member now."""
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_OF_SUBJECT, subject, name="membership.of_subject")
        return [Membership(**row) for row in rows]


async def _note(connection: Connection, tenant_id: str, actor: str, what: tuple[str, str, str]) -> None:
    verb, subject, role = what
    detail = json.dumps({"subject": subject, "role": role})
    await connection.execute(_EVENT, tenant_id, actor, f"membership.{verb}", detail, name="membership.note")

"""The rows of `directory.machine_clients`: how a hospital's machine members prove themselves, and what manages them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from emr.db.connection import Row
from emr.db.pools import RolePool
from emr.identity.sealing import Sealed
from emr.kernel.errors import NotFound, Unavailable

_ADD: Final = """
INSERT INTO directory.machine_clients (tenant_id, subject, client_id, jwks_url, registration_token)
VALUES ($1, $2, $3, $4, $5)
"""
_LIST: Final = """
SELECT c.subject, c.client_id, c.jwks_url, c.registration_token, c.created_at, c.rotated_at, c.removed_at,
  m.name, m.role, m.scopes, m.active, m.seen_on
FROM directory.machine_clients c
JOIN directory.memberships m ON m.tenant_id = c.tenant_id AND m.subject = c.subject
WHERE c.tenant_id = $1 ORDER BY m.active DESC, m.name, c.client_id
"""
_ROTATED: Final = """
UPDATE directory.machine_clients SET rotated_at = now() WHERE tenant_id = $1 AND subject = $2
"""
_REMOVED: Final = """
UPDATE directory.machine_clients SET removed_at = now() WHERE tenant_id = $1 AND subject = $2 AND removed_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class MachineClient:
    """One client. `jwks_url` is "" for one with a secret; `token` manages it; `removed_at`: when the provider did."""

    subject: str
    client_id: str
    jwks_url: str
    name: str
    role: str
    scopes: frozenset[str]
    active: bool
    created_at: datetime
    rotated_at: datetime
    removed_at: datetime | None
    token: str = field(repr=False)


class MachineClients:
    """Reads and writes as `emr_directory`; registration access tokens are sealed for the client that they manage."""

    def __init__(self, directory: RolePool, sealing_key: str) -> None:
        self._directory = directory
        self._sealed = Sealed(sealing_key, "machine clients")

    async def add(self, tenant_id: str, subject: str, *, client_id: str, jwks_url: str, token: str) -> None:
        """Remember a client that was registered."""
        sealed = self._sealed.seal(token, context=client_id)
        async with self._directory.connection() as connection:
            await connection.execute(_ADD, tenant_id, subject, client_id, jwks_url, sealed, name="machine.add")

    async def list(self, tenant_id: str) -> Sequence[MachineClient]:
        """A hospital's clients, those in use first."""
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_LIST, tenant_id, name="machine.list")
        return [self._client(row) for row in rows]

    async def get(self, tenant_id: str, subject: str) -> MachineClient:
        """One of them; raises NotFound."""
        found = next((each for each in await self.list(tenant_id) if each.subject == subject), None)
        if found is None:
            raise NotFound("machine-unknown", "There is no such machine client.")
        return found

    async def rotated(self, tenant_id: str, subject: str) -> None:
        """The client has a new secret."""
        async with self._directory.connection() as connection:
            await connection.execute(_ROTATED, tenant_id, subject, name="machine.rotated")

    async def removed(self, tenant_id: str, subject: str) -> None:
        """The provider has removed the client."""
        async with self._directory.connection() as connection:
            await connection.execute(_REMOVED, tenant_id, subject, name="machine.removed")

    def _client(self, row: Row) -> MachineClient:
        token = self._sealed.open(row["registration_token"], context=row["client_id"])
        if token is None:
            raise Unavailable("machine-token-unreadable", "The client's registration token cannot be opened.")
        return MachineClient(
            subject=row["subject"],
            client_id=row["client_id"],
            jwks_url=row["jwks_url"],
            name=row["name"],
            role=row["role"],
            scopes=frozenset(row["scopes"]),
            active=row["active"],
            created_at=row["created_at"],
            rotated_at=row["rotated_at"],
            removed_at=row["removed_at"],
            token=token,
        )

"""Pasts of a hospital that are open to look at: which there are, and the hospital as it was in one of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from emr.db.connection import Row
from emr.db.pools import RolePool
from emr.kernel.errors import NotFound
from emr.kernel.tenant import Past, Tenant

_OPEN: Final = """
SELECT id, schema, moment, closes_at, revision, reason, opened_by FROM directory.rewinds
WHERE tenant_id = $1 AND state = 'open' AND closes_at > $2 AND cell = $3 ORDER BY moment DESC, id
"""


@dataclass(frozen=True, slots=True)
class OpenPast:
    """A past that can be looked into. revision: the migration that it stands at."""

    past: Past
    revision: str
    reason: str
    opened_by: str


async def open_pasts(directory: RolePool, tenant: Tenant, now: datetime) -> Sequence[OpenPast]:
    """Those of a hospital whose time is not over, the latest moment first."""
    async with directory.connection() as connection:
        rows = await connection.fetch(_OPEN, tenant.id, now, tenant.cell, name="pasts.open")
    return [_past(row) for row in rows]


async def in_past(directory: RolePool, tenant: Tenant, past_id: str, now: datetime) -> Tenant:
    """The hospital as it was in this past. Raises `NotFound` where none is open under this id, or no longer."""
    for each in await open_pasts(directory, tenant, now):
        if each.past.id == past_id:
            return replace(tenant, past=each.past, revision=each.revision)
    raise NotFound("past-not-open", "No past of this hospital is open under this address, or no longer.")


def _past(row: Row) -> OpenPast:
    past = Past(row["id"], row["schema"], row["moment"], row["closes_at"])
    return OpenPast(past, row["revision"], row["reason"], row["opened_by"])

"""How far the warehouse is behind, what failed and why, and what each hospital has there."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from emr.db.pools import Cell
from emr.tenancy.registry import Registry
from emr.warehouse.outbox import DESTINATION

_PENDING: Final = """
SELECT tenant, count(*) FILTER (WHERE error IS NULL) AS pending, count(*) FILTER (WHERE error IS NOT NULL) AS broken,
  coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE error IS NULL)), 0)::float8 AS age
FROM cell.outbox GROUP BY tenant
"""
_DELIVERED: Final = """
SELECT tenant, count(*) AS delivered, max(delivered_at) AS last FROM cell.deliveries WHERE destination = $1
GROUP BY tenant
"""
_BROKEN: Final = """
SELECT tenant, error, count(*) AS rows FROM cell.outbox WHERE error IS NOT NULL GROUP BY tenant, error ORDER BY 1, 2
"""
_BATCHES: Final = """
SELECT number, state, rows, attempts, error, delivered_at, table_version FROM cell.batches
WHERE destination = $1 ORDER BY number DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class HospitalStatus:
    """One hospital. `lag_seconds` is the age of its oldest version without a receipt."""

    hospital: str
    pending: int
    broken: int
    lag_seconds: float
    delivered: int
    last_delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Versions that were set aside, by reason."""

    hospital: str
    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class CellStatus:
    """One cell: the lag of the slowest hospital, the last batch, and each hospital's counts."""

    cell: str
    lag_seconds: float
    pending: int
    last_batch: dict[str, Any] | None
    failures: list[Failure]
    hospitals: list[HospitalStatus]

    def as_json(self) -> dict[str, Any]:
        """For machines; moments are ISO 8601."""
        return {key: _plain(value) for key, value in asdict(self).items()}


async def cell_status(name: str, cell: Cell, registry: Registry) -> CellStatus:
    """Ask the cell; the table itself is not asked."""
    async with cell.relay.connection() as connection:
        pending = {row["tenant"]: row for row in await connection.fetch(_PENDING, name="status.pending")}
        delivered = {
            row["tenant"]: row for row in await connection.fetch(_DELIVERED, DESTINATION, name="status.delivered")
        }
        broken = await connection.fetch(_BROKEN, name="status.broken")
        batch = await connection.fetchrow(_BATCHES, DESTINATION, name="status.batch")
    slugs = {tenant.schema: tenant.slug for tenant in registry.all() if tenant.cell == name}
    hospitals = [
        HospitalStatus(
            hospital=slugs.get(schema, schema),
            pending=pending[schema]["pending"] if schema in pending else 0,
            broken=pending[schema]["broken"] if schema in pending else 0,
            lag_seconds=round(pending[schema]["age"], 1) if schema in pending else 0.0,
            delivered=delivered[schema]["delivered"] if schema in delivered else 0,
            last_delivered_at=delivered[schema]["last"] if schema in delivered else None,
        )
        for schema in sorted({*slugs, *pending, *delivered}, key=lambda schema: slugs.get(schema, schema))
    ]
    return CellStatus(
        cell=name,
        lag_seconds=max((each.lag_seconds for each in hospitals), default=0.0),
        pending=sum(each.pending for each in hospitals),
        last_batch=dict(batch) if batch else None,
        failures=[Failure(slugs.get(row["tenant"], row["tenant"]), row["error"], row["rows"]) for row in broken],
        hospitals=hospitals,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value

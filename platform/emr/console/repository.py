"""What the console asks: few statements for all hospitals at once, and none that names a hospital's own table."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from emr.console.figures import Cell, Lag, Rehearsal, Requests
from emr.db.connection import Connection, Row
from emr.db.pools import Cell as CellPools
from emr.identity.principal import HOSPITAL_ROLES

_USERS: Final = """
SELECT tenant_id, count(*) AS users FROM directory.memberships
WHERE role = ANY ($1) AND active AND coalesce(expires_at > $2, true) GROUP BY tenant_id
"""
_USAGE: Final = """
SELECT tenant_id, (array_agg(storage_bytes ORDER BY day DESC))[1] AS storage, max(measured_at) AS measured_at,
  count(*) AS days, regr_slope(storage_bytes, (day - $1)::float8)::float8 AS per_day
FROM directory.usage WHERE day > $1 - 30 GROUP BY tenant_id
"""
_TRAFFIC: Final = "SELECT tenant_id, requests, errors, buckets FROM directory.traffic WHERE at >= $1"
_TRAFFIC_OF: Final = """
SELECT at, requests, errors, buckets FROM directory.traffic WHERE tenant_id = $1 AND at >= $2 ORDER BY at
"""
_USAGE_OF: Final = """
SELECT day, storage_bytes, users FROM directory.usage WHERE tenant_id = $1 AND day > $2 ORDER BY day
"""
_EVENTS_OF: Final = """
SELECT number, at, actor, event, detail FROM directory.tenant_events WHERE tenant_id = $1
ORDER BY number DESC LIMIT $2
"""
_BACKUPS: Final = "SELECT cell, max(ended_at) AS at FROM directory.backups WHERE error IS NULL GROUP BY cell"
_REHEARSALS: Final = """
SELECT DISTINCT ON (tenant_id) tenant_id, ended_at, passed FROM directory.rehearsals ORDER BY tenant_id, number DESC
"""
_CELLS: Final = "SELECT cell, anchored_at, told_at FROM directory.cell_state"
_OUTBOX: Final = """
SELECT tenant, count(*) FILTER (WHERE error IS NULL) AS pending, count(*) FILTER (WHERE error IS NOT NULL) AS broken,
  coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE error IS NULL)), 0)::float8 AS age
FROM cell.outbox GROUP BY tenant
"""
_UNSEALED: Final = """
SELECT tenant, extract(epoch FROM clock_timestamp() - min(at))::float8 AS age FROM cell.audit_journal GROUP BY tenant
"""
_TELL: Final = """
INSERT INTO directory.traffic AS t (tenant_id, at, requests, errors, buckets)
SELECT h.id, $1, n.requests, n.errors, n.buckets
FROM json_to_recordset($2::json) AS n (slug text, requests bigint, errors bigint, buckets bigint[])
JOIN directory.tenants h ON h.slug = n.slug
ON CONFLICT (tenant_id, at) DO UPDATE SET requests = t.requests + excluded.requests,
  errors = t.errors + excluded.errors, buckets = ARRAY(
    SELECT own + more FROM unnest(t.buckets, excluded.buckets) WITH ORDINALITY AS each (own, more, place)
    ORDER BY place)
"""


async def users(directory: Connection, now: datetime) -> Mapping[str, int]:
    """Members who may enter, by a hospital's id."""
    rows = await directory.fetch(_USERS, list(HOSPITAL_ROLES), now, name="console.users")
    return {row["tenant_id"]: row["users"] for row in rows}


async def usage(directory: Connection, today: date) -> Mapping[str, Row]:
    """Content of the last day on which it was measured, and its growth over 30 days, by a hospital's id."""
    rows = await directory.fetch(_USAGE, today, name="console.usage")
    return {row["tenant_id"]: row for row in rows}


async def traffic(directory: Connection, since: datetime) -> Mapping[str, Requests]:
    """What was asked since then, by a hospital's id."""
    found: dict[str, Requests] = {}
    for row in await directory.fetch(_TRAFFIC, since, name="console.traffic"):
        found[row["tenant_id"]] = found.get(row["tenant_id"], Requests()) + _requests(row)
    return found


async def traffic_of(directory: Connection, tenant_id: str, since: datetime) -> Sequence[tuple[datetime, Requests]]:
    """The same of one hospital, each five minutes in which anything was asked."""
    rows = await directory.fetch(_TRAFFIC_OF, tenant_id, since, name="console.traffic-of")
    return [(row["at"], _requests(row)) for row in rows]


async def usage_of(directory: Connection, tenant_id: str, since: date) -> Sequence[tuple[date, int, int]]:
    """Day, bytes and members of one hospital."""
    rows = await directory.fetch(_USAGE_OF, tenant_id, since, name="console.usage-of")
    return [(row["day"], row["storage_bytes"], row["users"]) for row in rows]


async def events_of(directory: Connection, tenant_id: str, most: int) -> Sequence[Row]:
    """The newest rows of a hospital's history."""
    return await directory.fetch(_EVENTS_OF, tenant_id, most, name="console.events-of")


async def cells(directory: Connection) -> Mapping[str, tuple[datetime | None, datetime]]:
    """When each cell's newest anchor was written, and when a worker said so."""
    rows = await directory.fetch(_CELLS, name="console.cells")
    return {row["cell"]: (row["anchored_at"], row["told_at"]) for row in rows}


async def backups(directory: Connection) -> Mapping[str, datetime]:
    """When the last backup of each cell that did not fail was ready."""
    return {row["cell"]: row["at"] for row in await directory.fetch(_BACKUPS, name="console.backups")}


async def rehearsals(directory: Connection) -> Mapping[str, Rehearsal]:
    """The last rehearsal of each hospital, by its id."""
    rows = await directory.fetch(_REHEARSALS, name="console.rehearsals")
    return {row["tenant_id"]: Rehearsal(row["ended_at"], row["passed"]) for row in rows}


async def cell_figures(name: str, pools: CellPools) -> Cell:
    """What waits in a cell, by a hospital's schema."""
    async with pools.relay.connection() as connection:
        outbox = await connection.fetch(_OUTBOX, name="console.outbox")
    async with pools.audit.connection() as connection:
        unsealed = await connection.fetch(_UNSEALED, name="console.unsealed")
    lags = {row["tenant"]: Lag(row["pending"], row["broken"], row["age"]) for row in outbox}
    return Cell(name, answered=True, outbox=lags, unsealed={row["tenant"]: max(0.0, row["age"]) for row in unsealed})


async def tell(directory: Connection, at: datetime, counted: str) -> None:
    """Add to the five minutes that began `at` what is in a JSON list of slug, requests, errors and buckets."""
    await directory.execute(_TELL, at, counted, name="console.tell")


def _requests(row: Row) -> Requests:
    return Requests(row["requests"], row["errors"], tuple(row["buckets"]))

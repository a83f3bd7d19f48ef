"""Every version, newest first (http.html#history)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from emr.access.permissions import demand_sight
from emr.records.errors import ResourceNotFound
from emr.records.stored import Stored, is_id
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_INSTANCE: Final = """
SELECT r.pk, r.id, v.version, v.updated, v.deleted, r.patients, v.body FROM resources r
  CROSS JOIN LATERAL (
    SELECT r.version, r.updated, r.deleted, r.body
    UNION ALL
    SELECT o.version, o.updated, o.deleted, o.body FROM resource_versions o WHERE o.pk = r.pk
  ) v
WHERE r.type = $1 AND r.id = $2 AND v.version < $3 AND ($4::timestamptz IS NULL OR v.updated >= $4)
ORDER BY v.version DESC LIMIT $5
"""
_TOTAL: Final = "SELECT version FROM resources WHERE type = $1 AND id = $2"
_NEWEST: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Versions, newest first; `total` counts all of them (None: only a stretch was asked for);
    `before` is the version that the next page goes on from.
    """

    versions: Sequence[Stored]
    total: int | None
    before: int | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which versions: at most `count`, older than version `before`, stored at or after `since`."""

    count: int = 50
    before: int | None = None
    since: datetime | None = None


@use_case("record:history", "record.history")
async def history(work: UnitOfWork, resource_type: str, resource_id: str, stretch: Stretch) -> HistoryPage:
    """A page of the versions of one resource. Raises `ResourceNotFound`."""
    demand_sight(work.principal, resource_type)
    named = (resource_type, resource_id)
    total = await work.db.fetchval(_TOTAL, *named, name="history-total") if is_id(resource_id) else None
    if total is None:
        raise ResourceNotFound(resource_type, resource_id)
    count = stretch.count
    rows = await work.db.fetch(
        _INSTANCE, resource_type, resource_id, stretch.before or _NEWEST, stretch.since, count + 1, name="history"
    )
    versions = [Stored.of(resource_type, row) for row in rows]
    for version in versions[:count]:
        work.trail.read(resource_type, resource_id, version.version)
        work.trail.concerns(*version.patients)
    more = versions[count - 1].version if len(versions) > count else None
    return HistoryPage(versions[:count], total if stretch.since is None else None, more)

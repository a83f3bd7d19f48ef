"""Versions, newest first: of one resource, of a type, of everything (FHIR R4, http.html#history).

A version's `lastUpdated` is when it was made and not when it was committed, so a slow transaction brings versions that
are older than what others have been told of already. A history of a type or of everything therefore shows nothing of
transactions that began to write after the oldest one that is still writing (the snapshot's xmin), a page goes on within
what the first page could see, and `_since` brings again whatever came to light after the version that it names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from emr.access.permissions import demand_sight, sight
from emr.definitions.dates import FAR_FUTURE, FAR_PAST, Range
from emr.definitions.model import resource_types
from emr.kernel.paging import open_cursor, seal_cursor
from emr.records.errors import ResourceNotFound
from emr.records.stored import Stored, is_id
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

LATE: Final = timedelta(minutes=5)
"""How long before `_since` a version may have been made that came to light only after it: no change takes longer."""

_INSTANCE: Final = """
SELECT r.type, r.pk, r.id, v.version, v.updated, v.deleted, r.patients, v.body FROM resources r
  CROSS JOIN LATERAL (
    SELECT r.version, r.updated, r.deleted, r.body
    UNION ALL
    SELECT o.version, o.updated, o.deleted, o.body FROM resource_versions o WHERE o.pk = r.pk
  ) v
 WHERE r.type = $1 AND r.id = $2 AND v.version < $3 AND v.updated >= $4 AND v.updated < $5
   AND ($6::timestamptz IS NULL OR v.version = r.version OR $6 < coalesce(
     (SELECT n.updated FROM resource_versions n WHERE n.pk = r.pk AND n.version = v.version + 1), r.updated))
 ORDER BY v.version DESC LIMIT $7
"""
_TOTAL: Final = "SELECT version FROM resources WHERE type = $1 AND id = $2"

_HORIZON: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"
_FIRST_SINCE: Final = """
SELECT v.xid::text FROM unnest($1::text[]) AS asked (type)
 CROSS JOIN LATERAL (
   (SELECT r.xid FROM resources r WHERE r.type = asked.type AND r.updated >= $2 ORDER BY r.updated, r.xid LIMIT 1)
 ) v
UNION ALL
(SELECT o.xid::text FROM resource_versions o WHERE o.updated >= $2 ORDER BY o.updated, o.xid LIMIT 1)
"""
_PAGE: Final = """
WITH latest AS (
  SELECT v.pk, v.version, v.updated FROM unnest($1::text[]) AS asked (type) CROSS JOIN LATERAL (
    SELECT r.pk, r.version, r.updated FROM resources r
     WHERE r.type = asked.type AND r.xid < $2::text::xid8
       AND r.updated >= $3 AND (r.updated >= $4 OR r.xid >= $5::text::xid8) AND r.updated < $6
       AND (r.updated, r.pk) <= ($8, $9) AND (r.updated, r.pk, r.version) < ($8, $9, $10::int)
     ORDER BY r.updated DESC, r.pk DESC LIMIT $11) v)
, earlier AS (
  SELECT o.pk, o.version, o.updated FROM resource_versions o JOIN resources r ON r.pk = o.pk AND r.type = ANY ($1)
   WHERE o.xid < $2::text::xid8
     AND o.updated >= $3 AND (o.updated >= $4 OR o.xid >= $5::text::xid8) AND o.updated < $6
     AND (o.updated, o.pk, o.version) < ($8, $9, $10::int)
     AND ($7::timestamptz IS NULL OR $7 < coalesce(
       (SELECT n.updated FROM resource_versions n WHERE n.pk = o.pk AND n.version = o.version + 1), r.updated))
   ORDER BY o.updated DESC, o.pk DESC, o.version DESC LIMIT $11)
, page AS (
  SELECT * FROM latest UNION ALL SELECT * FROM earlier ORDER BY updated DESC, pk DESC, version DESC LIMIT $11)
SELECT r.type, p.pk, r.id, p.version, p.updated, coalesce(o.deleted, r.deleted) AS deleted, r.patients,
       coalesce(o.body, r.body) AS body
  FROM page p JOIN resources r ON r.pk = p.pk
  LEFT JOIN resource_versions o ON o.pk = p.pk AND o.version = p.version
 ORDER BY p.updated DESC, p.pk DESC, p.version DESC
"""
_LAST: Final = 2**31 - 1
_LAST_PK: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose versions: those of one resource, of a type, or of everything that the caller may see."""

    type: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which versions: at most `count` on a page, stored at or after `since`, current at some time `during`."""

    count: int = 50
    since: datetime | None = None
    during: Range | None = None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Versions, newest first; `total` of them, where that is known; the cursor that goes on, if anything follows."""

    versions: Sequence[Stored]
    total: int | None
    cursor: str | None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page begins (below this version) and what the first page could see."""

    updated: datetime = FAR_FUTURE
    pk: int = _LAST_PK
    version: int = _LAST
    horizon: str = ""
    late: str = "0"


@use_case("record:history", "record.history")
async def history(work: UnitOfWork, scope: Scope, stretch: Stretch, cursor: str | None = None) -> HistoryPage:
    """A page of versions; with a cursor, the page that it stands for. Raises `ResourceNotFound`, `Malformed`."""
    if scope.type is not None:
        demand_sight(work.principal, scope.type, "s" if scope.id is None else "r")
    place = _Place()
    if cursor is not None:
        stretch, place = _opened(open_cursor(work.runtime.signing_key, _audience(work, scope), cursor))
    total = None
    if scope.id is not None:
        total = await _total(work, scope, stretch)
        rows = await _of_one(work, scope, stretch, place)
    else:
        if not place.horizon:
            place = await _first(work, scope, stretch)
        rows = await _of_many(work, scope, stretch, place)
    versions = [Stored.of(row["type"], row) for row in rows[: stretch.count]]
    for version in versions:
        work.trail.read(version.type, version.id, version.version)
        work.trail.concerns(*version.patients)
    more = _sealed(work, scope, stretch, place, versions[-1]) if len(rows) > stretch.count else None
    return HistoryPage(versions, total, more)


async def _total(work: UnitOfWork, scope: Scope, stretch: Stretch) -> int | None:
    """How many versions there are of one resource: their numbers have no gaps. None for a stretch of them."""
    known = is_id(scope.id or "")
    total = await work.db.fetchval(_TOTAL, scope.type, scope.id, name="history-total") if known else None
    if total is None:
        raise ResourceNotFound(scope.type or "", scope.id or "")
    return int(total) if stretch.since is None and stretch.during is None else None


async def _of_one(work: UnitOfWork, scope: Scope, stretch: Stretch, place: _Place) -> Sequence[Any]:
    """Versions of one resource follow each other under its lock: none of them comes late."""
    low, high = _edges(stretch)
    since = stretch.since or FAR_PAST
    return await work.db.fetch(
        _INSTANCE, scope.type, scope.id, place.version, since, high, low, stretch.count + 1, name="history"
    )


async def _of_many(work: UnitOfWork, scope: Scope, stretch: Stretch, place: _Place) -> Sequence[Any]:
    low, high = _edges(stretch)
    since = stretch.since or FAR_PAST
    floor = since - LATE if stretch.since and stretch.since - FAR_PAST > LATE else FAR_PAST
    return await work.db.fetch(
        _PAGE,
        *(_types(work, scope), place.horizon, floor, since, place.late, high, low),
        *(place.updated, place.pk, place.version, stretch.count + 1),
        name="history-page",
    )


async def _first(work: UnitOfWork, scope: Scope, stretch: Stretch) -> _Place:
    """What a first page can see, and from which transaction on what is older than `since` came too late for it."""
    late: str | None = None
    if stretch.since is not None:
        rows = await work.db.fetch(_FIRST_SINCE, _types(work, scope), stretch.since, name="history-since")
        late = min((row["xid"] for row in rows), key=int, default=None)
    horizon: str = await work.db.fetchval(_HORIZON, name="history-horizon")
    return _Place(horizon=horizon, late=late or horizon)


def _types(work: UnitOfWork, scope: Scope) -> list[str]:
    """The types that are asked for, as far as the caller may see them."""
    if scope.type is not None:
        return [scope.type]
    seen = sight(work.principal, "s")
    return sorted(resource_types()) if seen is None else seen


def _edges(stretch: Stretch) -> tuple[datetime | None, datetime]:
    return (stretch.during.low, stretch.during.high) if stretch.during else (None, FAR_FUTURE)


def _audience(work: UnitOfWork, scope: Scope) -> str:
    """A page goes on within what the first one saw by numbers of transactions, which mean something in one cell."""
    return f"history:{work.tenant.schema}:{work.tenant.cell}:{scope.type or ''}:{scope.id or ''}"


def _sealed(work: UnitOfWork, scope: Scope, stretch: Stretch, place: _Place, last: Stored) -> str:
    state = {
        "count": stretch.count,
        "since": stretch.since.isoformat() if stretch.since else None,
        "during": [each.isoformat() for each in stretch.during] if stretch.during else None,
        "place": [last.last_updated.isoformat(), last.pk, last.version, place.horizon, place.late],
    }
    return seal_cursor(work.runtime.signing_key, _audience(work, scope), state)


def _opened(state: dict[str, Any]) -> tuple[Stretch, _Place]:
    since, during = state["since"], state["during"]
    updated, pk, version, horizon, late = state["place"]
    stretch = Stretch(
        state["count"],
        datetime.fromisoformat(since) if since else None,
        Range(*(datetime.fromisoformat(each) for each in during)) if during else None,
    )
    return stretch, _Place(datetime.fromisoformat(updated), pk, version, horizon, late)

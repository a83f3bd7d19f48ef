"""The rows of `directory.rewinds`: which pasts were asked for, which are open, how long they stay."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from emr.audit.rows import AuditRow
from emr.db.migrate import owner_engine
from emr.identity.principal import Principal
from emr.kernel.errors import NotFound
from emr.kernel.ids import uuid7
from emr.settings import Settings

_FROM: Final = """
SELECT r.id, t.slug, r.schema, r.cell, r.moment, r.state, r.backup, r.revision, r.reason, r.opened_by, r.asked_at,
  r.opened_at, r.closes_at, r.dropped_at, r.error
  FROM directory.rewinds r JOIN directory.tenants t ON t.id = r.tenant_id
"""
_HOSPITAL: Final = text(
    "SELECT id, slug, schema, cell, definition ->> 'time_zone' AS time_zone, created_at FROM directory.tenants"
    " WHERE slug = :slug"
)
_LEFT: Final = text("""
SELECT source FROM directory.moves
 WHERE tenant_id = :id AND phase IN ('flipped', 'done') AND (opened_at IS NULL OR opened_at > :moment)
 ORDER BY begun_at LIMIT 1
""")
_ADD: Final = text("""
INSERT INTO directory.rewinds
  (id, tenant_id, schema, cell, moment, state, backup, revision, reason, opened_by, asked_at, closes_at)
VALUES (:id, (SELECT id FROM directory.tenants WHERE slug = :slug), :schema, :cell, :moment, 'opening', :backup, '',
  :reason, :opened_by, :asked_at, :closes_at)
""")
_SETTLE: Final = text("""
UPDATE directory.rewinds SET state = :state, revision = :revision, opened_at = :opened_at, dropped_at = :dropped_at,
  error = :error WHERE id = :id
""")
_ALL: Final = text(_FROM + " ORDER BY r.asked_at DESC, r.id DESC")
_ONE: Final = text(_FROM + " WHERE r.id = :id")
_EVENT: Final = text("""
INSERT INTO directory.tenant_events (tenant_id, actor, event, detail)
SELECT id, :by, :event, CAST(:detail AS jsonb) FROM directory.tenants WHERE slug = :slug
""")
_JOURNAL: Final = text("INSERT INTO directory.audit_journal (at, row) VALUES (:at, :row)")

STANDING: Final = frozenset({"opening", "open"})
"""States in which something may lie in the cell."""


@dataclass(frozen=True, slots=True)
class Hospital:
    """A hospital as a rewind needs to know it."""

    id: str
    slug: str
    schema: str
    cell: str
    time_zone: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Rewind:
    """A past of a hospital that was asked for."""

    id: str
    slug: str
    schema: str
    cell: str
    moment: datetime
    state: str
    backup: str
    revision: str
    reason: str
    opened_by: str
    asked_at: datetime
    opened_at: datetime | None
    closes_at: datetime
    dropped_at: datetime | None
    error: str | None

    def as_json(self) -> dict[str, Any]:
        """For machines; the schema's name is nobody's business outside."""
        shown = {name: getattr(self, name) for name in self.__slots__ if name != "schema"}
        return {name: each.isoformat() if isinstance(each, datetime) else each for name, each in shown.items()}


def hospital_of(settings: Settings, slug: str) -> Hospital:
    """The hospital of a slug. Raises `NotFound`."""
    with owner_engine(settings.database.owner_url).connect() as connection:
        row = connection.execute(_HOSPITAL, {"slug": slug}).first()
    if row is None:
        raise NotFound("hospital-unknown", f"There is no hospital {slug}; emr tenants list names them all.")
    return Hospital(*row)


def cell_at(settings: Settings, hospital: Hospital, moment: datetime) -> str:
    """The cell that the hospital was in: what lies in another one from that moment is half a copy, or nothing."""
    with owner_engine(settings.database.owner_url).connect() as connection:
        source = connection.scalar(_LEFT, {"id": hospital.id, "moment": moment})
    return hospital.cell if source is None else str(source)


def rewinds(settings: Settings, slug: str | None = None) -> list[Rewind]:
    """Every past that was asked for, newest first; of one hospital or of all."""
    with owner_engine(settings.database.owner_url).connect() as connection:
        found = [Rewind(*row) for row in connection.execute(_ALL)]
    return [each for each in found if slug in (None, each.slug)]


def standing(settings: Settings, slug: str | None = None) -> list[Rewind]:
    """Those of which something may lie in the cell."""
    return [each for each in rewinds(settings, slug) if each.state in STANDING]


def rewind_of(settings: Settings, rewind_id: str) -> Rewind:
    """The past of this id. Raises `NotFound`."""
    with owner_engine(settings.database.owner_url).connect() as connection:
        row = connection.execute(_ONE, {"id": rewind_id}).first()
    if row is None:
        raise NotFound("rewind-unknown", f"There is no rewind {rewind_id}; emr rewind list names those that are.")
    return Rewind(*row)


def add(settings: Settings, rewind: Rewind) -> None:
    """Write down that a past is being opened."""
    with owner_engine(settings.database.owner_url).begin() as connection:
        connection.execute(_ADD, _values(rewind))


def settle(connection: Connection, rewind: Rewind, **changes: Any) -> Rewind:
    """Write down what became of it."""
    changed = replace(rewind, **changes)
    connection.execute(_SETTLE, _values(changed))
    return changed


def tell(connection: Connection, rewind: Rewind, event: str, *, by: str, at: datetime) -> None:
    """In the hospital's history and in the directory's trail, in the caller's transaction."""
    detail = {"rewind": rewind.id, "moment": rewind.moment.isoformat(), "reason": rewind.reason}
    connection.execute(_EVENT, {"slug": rewind.slug, "by": by, "event": event, "detail": json.dumps(detail)})
    principal = Principal(subject=f"operator:{by}", name=by, role="ops", kind="person", tenant_id=None)
    told = {"hospital": rewind.slug, "rewind": rewind.id, "moment": rewind.moment.isoformat()}
    row = AuditRow(None, at, event, "success", principal, uuid7(), detail=told)
    connection.execute(_JOURNAL, {"at": row.at, "row": row.canonical()})


def _values(rewind: Rewind) -> dict[str, Any]:
    return {name: getattr(rewind, name) for name in Rewind.__slots__}

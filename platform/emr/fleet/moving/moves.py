"""The rows of `directory.moves`, what is written down of each step, and which move is refused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from emr.audit.rows import AuditRow
from emr.db.cells import login_url, owner_urls
from emr.db.migrate import History, head
from emr.fleet.migration import cell_stands
from emr.fleet.moving.pair import connected
from emr.fleet.onboarding import demand_room
from emr.identity.principal import Principal
from emr.kernel.clock import utc_now
from emr.kernel.errors import Conflict, Invalid, NotFound
from emr.kernel.ids import uuid7
from emr.settings import Database

_FIND: Final = text("""
SELECT id, slug, schema, cell, revision, definition ->> 'tier' FROM directory.tenants WHERE slug = :slug FOR UPDATE
""")
_OPEN: Final = text("""
SELECT id, source, target, phase FROM directory.moves
 WHERE tenant_id = :id AND phase IN ('copying', 'closed', 'flipped')
""")
_BEGIN: Final = text("""
INSERT INTO directory.moves (id, tenant_id, source, target, phase, actor)
VALUES (:move, :id, :source, :target, 'copying', :by)
""")
_HERE_AGAIN: Final = text("""
UPDATE directory.moves SET dropped_at = now() WHERE tenant_id = :id AND source = :target AND dropped_at IS NULL
  AND phase = 'done'
""")
_PHASE: Final = text("UPDATE directory.moves SET phase = :phase WHERE id = :move")
_CLOSED: Final = text(
    "UPDATE directory.moves SET phase = 'closed', closed_at = now(), opened_at = NULL WHERE id = :move"
)
_NOT_CLOSED: Final = text("UPDATE directory.moves SET phase = :phase, opened_at = now() WHERE id = :move")
_FLIPPED: Final = text("""
UPDATE directory.moves SET phase = 'flipped', checked = CAST(:checked AS jsonb), keep_until = :keep_until
 WHERE id = :move
""")
_DONE: Final = text("UPDATE directory.moves SET phase = 'done', opened_at = now() WHERE id = :move")
_MOVING: Final = text("UPDATE directory.tenants SET moving_since = now() WHERE id = :id AND moving_since IS NULL")
_MOVED: Final = text("UPDATE directory.tenants SET moving_since = NULL WHERE id = :id")
_FLIP: Final = text("""
UPDATE directory.tenants SET cell = :target, updated_at = now(),
  definition = jsonb_set(definition, '{cell}', to_jsonb(CAST(:target AS text)))
 WHERE id = :id
""")
_KEPT: Final = text("""
SELECT id, source, keep_until FROM directory.moves
 WHERE tenant_id = :id AND phase = 'done' AND dropped_at IS NULL AND source <> :cell ORDER BY begun_at
""")
_DROPPED: Final = text("UPDATE directory.moves SET dropped_at = now() WHERE id = :move")
_WINDOW: Final = text("SELECT extract(epoch FROM opened_at - closed_at)::float8 FROM directory.moves WHERE id = :move")
_EVENT: Final = text("""
INSERT INTO directory.tenant_events (tenant_id, actor, event, detail) VALUES (:id, :by, :event, CAST(:detail AS jsonb))
""")
_AUDIT: Final = text("INSERT INTO directory.audit_journal (at, row) VALUES (:at, :row)")
_MAJOR: Final = "SELECT current_setting('server_version_num')::int / 10000"


@dataclass(frozen=True, slots=True)
class Hospital:
    """One as the directory has it."""

    id: str
    slug: str
    schema: str
    cell: str
    revision: str
    tier: str


@dataclass(frozen=True, slots=True)
class Move:
    """One under way. phase: `copying`, `closed` (nothing is written) or `flipped` (it is the target's)."""

    id: str
    hospital: Hospital
    source: str
    target: str
    phase: str
    by: str


@dataclass(frozen=True, slots=True)
class Copy:
    """An old copy that stands in the cell which a hospital has left."""

    move: str
    cell: str
    keep_until: datetime


def hospital(connection: Connection, slug: str) -> Hospital:
    """Raises `NotFound`."""
    row = connection.execute(_FIND, {"slug": slug}).first()
    if row is None:
        raise NotFound("hospital-unknown", f"There is no hospital {slug}.")
    return Hospital(*row)


def under_way(connection: Connection, of: Hospital, by: str) -> Move | None:
    """The move that was begun and is not over."""
    row = connection.execute(_OPEN, {"id": of.id}).first()
    return None if row is None else Move(row.id, of, row.source, row.target, row.phase, by)


def demand_possible(connection: Connection, settings: Database, of: Hospital, target: str) -> None:
    """Raise `Invalid` for an unknown cell, and for one without the login of its own that a dedicated hospital needs;
    `Conflict` for one that is full or older, or the one that it is in.
    """
    urls = owner_urls(settings)
    for cell in (target, of.cell):
        if cell not in urls:
            rule = f"There is no cell {cell} here; there is {', '.join(sorted(urls))}."
            raise Invalid("cell-unknown", rule, location="to")
    if target == of.cell:
        raise Conflict("cell-same", f"{of.slug} is in the cell {target} already.", location="to")
    login_url(settings, target, of.slug, of.tier)
    newest = head(History.TENANT)
    if of.revision != newest:
        raise Conflict(
            "hospital-behind", f"{of.slug} stands at {of.revision or 'nothing'}, not {newest}: `emr migrate`."
        )
    stands = cell_stands(urls[target])
    if stands != head(History.CELL):
        rule = f"The cell {target} stands at {stands or 'nothing'}, not {head(History.CELL)}: `emr migrate`."
        raise Conflict("cell-older", rule, location="to")
    ours, theirs = (_major(urls[cell]) for cell in (of.cell, target))
    if theirs < ours:
        rule = f"The cell {target} is PostgreSQL {theirs}, older than {ours}, from which it would come."
        raise Conflict("cell-older", rule, location="to")
    demand_room(connection, settings, target, of.id)


def begin(connection: Connection, of: Hospital, target: str, by: str) -> Move:
    """Write down that a move begins. An old copy in the target is no old copy any more: it is brought up to date."""
    move = Move(uuid7(), of, of.cell, target, "copying", by)
    connection.execute(_HERE_AGAIN, {"id": of.id, "target": target})
    connection.execute(_BEGIN, {"move": move.id, "id": of.id, "source": of.cell, "target": target, "by": by})
    _tell(connection, move, "hospital.move-begun")
    return move


def close(connection: Connection, move: Move) -> None:
    """From here on every process lets nothing be written."""
    connection.execute(_MOVING, {"id": move.hospital.id})
    if move.phase == "copying":
        connection.execute(_CLOSED, {"move": move.id})


def open_again(connection: Connection, move: Move, *, for_good: bool) -> None:
    """The hospital stays where it was; for_good: the move is over, else it may be gone on with."""
    connection.execute(_MOVED, {"id": move.hospital.id})
    connection.execute(_NOT_CLOSED, {"move": move.id, "phase": "undone" if for_good else "copying"})
    if for_good:
        _tell(connection, move, "hospital.move-undone")


def flip(connection: Connection, move: Move, checked: Mapping[str, Any], keep: timedelta) -> None:
    """From here on the hospital is the target's; nothing can be written yet."""
    connection.execute(_FLIP, {"id": move.hospital.id, "target": move.target})
    given = {"move": move.id, "checked": json.dumps(checked), "keep_until": utc_now() + keep}
    connection.execute(_FLIPPED, given)


def finish(connection: Connection, move: Move) -> float:
    """Everything can be written again; gives the seconds for which it could not."""
    connection.execute(_MOVED, {"id": move.hospital.id})
    connection.execute(_DONE, {"move": move.id})
    seconds: float = connection.execute(_WINDOW, {"move": move.id}).scalar_one()
    _tell(connection, move, "hospital.moved", seconds=round(seconds, 1))
    return seconds


def kept(connection: Connection, of: Hospital) -> list[Copy]:
    """Old copies that still stand."""
    return [Copy(*row) for row in connection.execute(_KEPT, {"id": of.id, "cell": of.cell})]


def dropped(connection: Connection, of: Hospital, copy: Copy, by: str) -> None:
    """Write down that an old copy is gone."""
    connection.execute(_DROPPED, {"move": copy.move})
    _tell(connection, Move(copy.move, of, copy.cell, of.cell, "done", by), "hospital.copy-dropped")


def trail_row(move: Move, action: str, schema: str | None, **more: object) -> AuditRow:
    """What a trail says of a step: of the directory, or of the hospital with this schema."""
    principal = Principal(subject=f"operator:{move.by}", name=move.by, role="ops", kind="person", tenant_id=None)
    detail = {"hospital": move.hospital.slug, "from": move.source, "to": move.target, "move": move.id, **more}
    return AuditRow(
        tenant=schema, at=utc_now(), action=action, outcome="success", principal=principal, request_id=uuid7(),
        detail=detail,
    )  # fmt: skip


def _tell(connection: Connection, move: Move, event: str, **more: object) -> None:
    """In the hospital's history, and in the directory's trail."""
    detail = {"from": move.source, "to": move.target, **more}
    connection.execute(_EVENT, {"id": move.hospital.id, "by": move.by, "event": event, "detail": json.dumps(detail)})
    row = trail_row(move, event, None, **more)
    connection.execute(_AUDIT, {"at": row.at, "row": row.canonical()})


def _major(url: str) -> int:
    with connected(url) as connection:
        row = connection.execute(_MAJOR).fetchone()
    return int(row[0]) if row else 0

"""The state of a hospital: changed by a person, for a reason, written down; every process follows within seconds.

Runs as the owner of the tables, from a command, and does what it says at once. Operators do the same at the console
(`emr.console.states`), where what stops a hospital takes two of them.
"""

import json
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from emr.audit.rows import AuditRow
from emr.db.migrate import owner_engine
from emr.fleet.transitions import EVENT, Standing, Step, Wish, step_of
from emr.identity.principal import Principal
from emr.kernel.clock import Clock, utc_now
from emr.kernel.errors import NotFound
from emr.kernel.ids import uuid7
from emr.settings import Database

_FIND: Final = text("""
SELECT id, state, state_reason, state_since, definition -> 'go_live' ->> 'state' AS first FROM directory.tenants
WHERE slug = :slug FOR UPDATE
""")
_STEPS: Final = text("""
SELECT at, actor, detail FROM directory.tenant_events WHERE tenant_id = :id AND event = 'hospital.state-changed'
ORDER BY number DESC
""")
_CHANGE: Final = text("""
UPDATE directory.tenants SET state = :state, state_reason = :reason, state_since = now(), updated_at = now()
WHERE id = :id
""")
_EVENT: Final = text("""
INSERT INTO directory.tenant_events (tenant_id, actor, event, detail)
VALUES (:id, :by, :event, CAST(:detail AS jsonb))
""")
_AUDIT: Final = text("INSERT INTO directory.audit_journal (at, row) VALUES (:at, :row)")


def standing(settings: Database, slug: str) -> Standing:
    """The state of a hospital. Raises `NotFound`."""
    with owner_engine(settings.owner_url).connect() as connection:
        return _find(connection, slug)[1]


def weigh(settings: Database, wish: Wish) -> Step:
    """What `change` would do, without doing it. Raises the same."""
    with owner_engine(settings.owner_url).connect() as connection:
        stands = _find(connection, wish.slug)[1]
    return step_of(wish, stands)


def change(settings: Database, wish: Wish, clock: Clock = utc_now) -> Step:
    """Bring a hospital into another state, with a row of its history and one of the directory's trail.

    Raises `NotFound`, `Invalid` for no state, no reason or one too long, `Conflict` for a step that is not allowed.
    """
    with owner_engine(settings.owner_url).begin() as connection:
        found, stands = _find(connection, wish.slug)
        step = step_of(wish, stands)
        detail = json.dumps({"from": step.before, "to": step.after, "reason": step.reason})
        connection.execute(_CHANGE, {"id": found.id, "state": step.after, "reason": step.reason})
        connection.execute(_EVENT, {"id": found.id, "by": step.by, "event": EVENT, "detail": detail})
        row = _row(step, clock())
        connection.execute(_AUDIT, {"at": row.at, "row": row.canonical()})
    return Step(step.slug, step.before, step.after, step.reason, step.by, row.at)


def _find(connection: Connection, slug: str) -> tuple[Any, Standing]:
    row = connection.execute(_FIND, {"slug": slug}).first()
    if row is None:
        raise NotFound("hospital-unknown", f"There is no hospital {slug}.")
    steps = [_told(slug, each) for each in connection.execute(_STEPS, {"id": row.id})]
    return row, Standing(slug, row.state, row.state_reason, row.state_since, tuple(steps), row.first)


def _told(slug: str, row: Any) -> Step:
    said = row.detail
    return Step(slug, said["from"], said["to"], said["reason"], row.actor, row.at)


def _row(step: Step, at: datetime) -> AuditRow:
    """Of the directory's trail: operators' acts stand there. The reason stands in the history, and in no trail."""
    principal = Principal(subject=f"operator:{step.by}", name=step.by, role="ops", kind="person", tenant_id=None)
    detail = {"hospital": step.slug, "from": step.before, "to": step.after}
    return AuditRow(
        tenant=None, at=at, action=EVENT, outcome="success", principal=principal, request_id=uuid7(), detail=detail
    )

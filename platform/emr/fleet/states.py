"""The state of a hospital: changed by a person, for a reason, written down; every process follows within seconds.

Runs as the owner of the tables, from a command: the service may read a hospital's state and not change it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from emr.audit.rows import AuditRow
from emr.db.migrate import owner_engine
from emr.identity.principal import Principal
from emr.kernel.clock import Clock, utc_now
from emr.kernel.errors import Conflict, Invalid, NotFound
from emr.kernel.ids import uuid7
from emr.kernel.states import AT_WORK, STATES, may_follow
from emr.settings import Database

EVENT: Final = "hospital.state-changed"
_LONGEST_REASON: Final = 500

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


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants which state for a hospital, and why. state: None for the one in which it last worked."""

    slug: str
    state: str | None
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Step:
    """One change: from which state to which, by whom, why, and when (None: it has not been made)."""

    slug: str
    before: str
    after: str
    reason: str
    by: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A hospital's state now, and how it came to it, newest first."""

    slug: str
    state: str
    reason: str
    since: datetime
    steps: tuple[Step, ...]


def standing(settings: Database, slug: str) -> Standing:
    """The state of a hospital. Raises `NotFound`."""
    with owner_engine(settings.owner_url).connect() as connection:
        return _find(connection, slug)[1]


def weigh(settings: Database, wish: Wish) -> Step:
    """What `change` would do, without doing it. Raises the same."""
    with owner_engine(settings.owner_url).connect() as connection:
        found, stands = _find(connection, wish.slug)
    return _step(wish, stands, found.first)


def change(settings: Database, wish: Wish, clock: Clock = utc_now) -> Step:
    """Bring a hospital into another state, with a row of its history and one of the directory's trail.

    Raises `NotFound`, `Invalid` for no state, no reason or one too long, `Conflict` for a step that is not allowed.
    """
    with owner_engine(settings.owner_url).begin() as connection:
        found, stands = _find(connection, wish.slug)
        step = _step(wish, stands, found.first)
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
    return row, Standing(slug, row.state, row.state_reason, row.state_since, tuple(steps))


def _told(slug: str, row: Any) -> Step:
    said = row.detail
    return Step(slug, said["from"], said["to"], said["reason"], row.actor, row.at)


def _step(wish: Wish, stands: Standing, first: str) -> Step:
    reason = " ".join(wish.reason.split())
    if not reason or len(reason) > _LONGEST_REASON:
        raise Invalid("state-reason", f"Say why, in at most {_LONGEST_REASON} characters.", location="reason")
    wanted = _last_worked(stands.steps, first) if wish.state is None else wish.state
    if wanted not in STATES:
        raise Invalid("state-unknown", f"A state is one of {', '.join(STATES)}.", location="state")
    if not may_follow(stands.state, wanted, was_live=_was_live(stands, first)):
        raise Conflict("state-step", _refusal(stands, wanted), location="state")
    return Step(stands.slug, stands.state, wanted, reason, wish.by)


def _refusal(stands: Standing, wanted: str) -> str:
    if wanted == stands.state:
        return f"{stands.slug} is {wanted} already."
    if wanted == "trial":
        return f"{stands.slug} was live; it cannot be on trial again."
    return f"{stands.slug} is {stands.state}; what may follow is {', '.join(sorted(STATES[stands.state].follows))}."


def _was_live(stands: Standing, first: str) -> bool:
    return (
        first == "live" or stands.state == "live" or any("live" in (each.before, each.after) for each in stands.steps)
    )


def _last_worked(steps: Sequence[Step], first: str) -> str:
    """The state in which care last went on there."""
    return next((each.before for each in steps if each.before in AT_WORK), first)


def _row(step: Step, at: datetime) -> AuditRow:
    """Of the directory's trail: operators' acts stand there. The reason stands in the history, and in no trail."""
    principal = Principal(subject=f"operator:{step.by}", name=step.by, role="ops", kind="person", tenant_id=None)
    detail = {"hospital": step.slug, "from": step.before, "to": step.after}
    return AuditRow(
        tenant=None, at=at, action=EVENT, outcome="success", principal=principal, request_id=uuid7(), detail=detail
    )

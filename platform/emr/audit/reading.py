"""Sealed rows found again: by whose data it was, by whom, by what was done, by time; newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from emr.audit.rows import Event
from emr.db.connection import Connection

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 1, 1, tzinfo=UTC)
_END: Final = 2**63 - 1
_OF_PATIENT: Final = """
SELECT number, at, action, actor, patients, row FROM audit_events
WHERE patients @> ARRAY[$1::text] AND at >= $2 AND at < $3 AND number < $4
  AND ($5::text[] IS NULL OR action = ANY ($5)) AND ($6::text IS NULL OR actor = $6)
ORDER BY number DESC LIMIT $7
"""
_OF_ACTOR: Final = """
SELECT number, at, action, actor, patients, row FROM audit_events
WHERE actor = $1 AND at >= $2 AND at < $3 AND number < $4 AND ($5::text[] IS NULL OR action = ANY ($5))
ORDER BY number DESC LIMIT $6
"""
_OF_ALL: Final = """
SELECT number, at, action, actor, patients, row FROM audit_events
WHERE number < $3 AND at >= $1 AND at < $2 AND ($4::text[] IS NULL OR action = ANY ($4))
ORDER BY number DESC LIMIT $5
"""
_ONE: Final = "SELECT number, at, action, actor, patients, row FROM audit_events WHERE number = $1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of a patient (id), by a person (subject), of these actions, in `[since, until)`, before a number."""

    patient: str | None = None
    actor: str | None = None
    actions: tuple[str, ...] | None = None
    since: datetime = _FIRST
    until: datetime = _LAST
    before: int = _END


async def rows(db: Connection, wanted: Wanted, most: int) -> list[Event]:
    """At most so many rows of the hospital whose connection it is, the newest first."""
    actions = list(wanted.actions) if wanted.actions is not None else None
    span: tuple[object, ...] = (wanted.since, wanted.until, wanted.before, actions)
    if wanted.patient is not None:
        found = await db.fetch(_OF_PATIENT, wanted.patient, *span, wanted.actor, most, name="trail.patient")
    elif wanted.actor is not None:
        found = await db.fetch(_OF_ACTOR, wanted.actor, *span, most, name="trail.actor")
    else:
        found = await db.fetch(_OF_ALL, *span, most, name="trail.all")
    return _events(found)


async def row(db: Connection, number: int) -> Event | None:
    """One row by its number."""
    found = _events(await db.fetch(_ONE, number, name="trail.one"))
    return found[0] if found else None


def _events(found: Sequence[Any]) -> list[Event]:
    return [(each[0], each[1], each[2], each[3], list(each[4]), each[5]) for each in found]

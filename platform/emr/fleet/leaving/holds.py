"""Holds: somebody who may says that a record, or one patient's, must not be destroyed, whatever else is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from emr.kernel.errors import Conflict, Invalid, NotFound
from emr.kernel.ids import uuid7
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

EVERYBODY: Final = "*"
_SHORTEST, _LONGEST = 10, 500
_STANDING: Final = """
SELECT id, patient, reason, placed_by, placed_at FROM retention_holds WHERE released_at IS NULL ORDER BY placed_at, id
"""
_PLACE: Final = """
INSERT INTO retention_holds (id, patient, reason, placed_by, placed_at) VALUES ($1, $2, $3, $4, $5)
"""
_RELEASE: Final = """
UPDATE retention_holds SET released_at = $2, released_by = $3, release_reason = $4
 WHERE id = $1 AND released_at IS NULL RETURNING patient
"""
_PATIENT: Final = "SELECT true FROM resources WHERE type = 'Patient' AND id = $1 AND NOT deleted"


@dataclass(frozen=True, slots=True)
class Hold:
    """One that stands. patient: an id, or `*` for the whole record."""

    id: str
    patient: str
    reason: str
    placed_by: str
    placed_at: datetime


@use_case("hold:place", "hold.placed")
async def place_hold(work: UnitOfWork, reason: str, patient: str = EVERYBODY) -> str:
    """Forbid that the record, or a patient's, is destroyed; gives the hold's id. Raises `Invalid`, `NotFound`."""
    _demand_words(reason)
    if patient != EVERYBODY and not await work.db.fetchval(_PATIENT, patient, name="hold.patient"):
        raise NotFound("patient-unknown", "There is no such patient.")
    hold = uuid7()
    await work.db.execute(_PLACE, hold, patient, reason, work.principal.subject, work.clock(), name="hold.place")
    if patient != EVERYBODY:
        work.trail.concerns(patient)
    work.trail.note(hold=hold)
    return hold


@use_case("hold:place", "hold.released")
async def release_hold(work: UnitOfWork, hold: str, reason: str) -> None:
    """End a hold. Raises `Invalid`, `Conflict` for one that does not stand."""
    _demand_words(reason)
    now, who = work.clock(), work.principal.subject
    patient = await work.db.fetchval(_RELEASE, hold, now, who, reason, name="hold.release")
    if patient is None:
        raise Conflict("hold-unknown", "There is no such hold, or it was released before.")
    if patient != EVERYBODY:
        work.trail.concerns(patient)
    work.trail.note(hold=hold)


@use_case("hold:place", "hold.listed")
async def list_holds(work: UnitOfWork) -> Sequence[Hold]:
    """Every hold that stands."""
    holds = await standing_holds(work)
    work.trail.concerns(*sorted({each.patient for each in holds} - {EVERYBODY}))
    return holds


async def standing_holds(work: UnitOfWork) -> Sequence[Hold]:
    """The same inside another verb."""
    return [Hold(*row) for row in await work.db.fetch(_STANDING, name="hold.standing")]


def _demand_words(reason: str) -> None:
    if not _SHORTEST <= len(reason.strip()) <= _LONGEST:
        rule = f"A reason has {_SHORTEST} to {_LONGEST} characters: whose order it is, and its number."
        raise Invalid("hold-reason", rule, location="reason")

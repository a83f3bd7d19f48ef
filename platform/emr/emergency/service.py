"""The verbs: find somebody in an emergency, break the glass, end it, review it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from emr.access.care import PERSON
from emr.emergency import policy, repository
from emr.emergency.repository import Broken
from emr.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from emr.kernel.ids import uuid7
from emr.kernel.text import words
from emr.records.people import find_people
from emr.work.unit import UnitOfWork, as_whole
from emr.work.use_case import use_case

_RECORD_NUMBER: Final = "MR"
_MOST: Final = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """As much of a person as it takes not to take one for another."""

    id: str
    name: str
    born: str
    number: str


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """A request for emergency access to one patient. reason: of `policy.reasons`; words: the same in one's own."""

    patient: str
    reason: str
    words: str
    minutes: int = 60


@use_case("care:break-glass", "care.glass-sought")
async def find_in_emergency(work: UnitOfWork, text: str, born: str = "") -> list[Candidate]:
    """Who has this number, or this full name and date of birth (`yyyy-mm-dd`): name, year of birth, record number.

    Everybody is looked among; nothing else of them is told, and each who is shown is written down.
    """
    async with as_whole(work) as own:
        found = [each.resource() for each in await find_people(own, text, limit=20)]
    kept = [each for each in found if _numbered(each, text.strip()) or (born and _is(each, text, born))]
    work.trail.note(shown=len(kept[:_MOST]), purpose=policy.PURPOSE)
    return [_candidate(each) for each in kept[:_MOST]]


@use_case("care:break-glass", "care.glass-broken")
async def break_glass(work: UnitOfWork, request: BreakGlass) -> Broken:
    """See one patient whom one does not see, for at most an hour; the privacy officer is told and will review it.

    Raises `Forbidden` (recent-sign-in-needed), `Invalid`, `NotFound`, `Conflict` where nothing is hidden
    (glass-needless).
    """
    now, person = work.clock(), work.principal
    if not policy.proved(person, now):
        raise Forbidden(
            "recent-sign-in-needed", "Sign in again first: emergency access asks for a fresh proof of identity."
        )
    _demand_reason(request)
    async with as_whole(work) as own:
        if not await repository.is_patient(own.db, request.patient):
            raise NotFound("not-found", "There is no such Patient here.")
        if own is work:
            raise Conflict("glass-needless", "Nothing of this patient is hidden from you.")
        length = min(timedelta(minutes=request.minutes), policy.LONGEST)
        broken = Broken(
            *(uuid7(), request.patient, person.subject, now, now + length, person.name, person.role),
            *(request.reason, request.words.strip(), None, None, None),
        )
        await repository.add(own.db, broken, PERSON + person.subject)
    work.trail.wrote = True
    work.trail.concerns(request.patient)
    work.trail.note(grant=broken.id, reason=request.reason, purpose=policy.PURPOSE, until=broken.until.isoformat())
    return broken


@use_case("care:break-glass", "care.glass-listed")
async def list_own(work: UnitOfWork) -> Sequence[Any]:
    """Id, patient and end of what one has broken and that still counts."""
    async with as_whole(work) as own:
        return await repository.standing(own.db, PERSON + work.principal.subject, work.clock())


@use_case("care:break-glass", "care.glass-ended")
async def end_glass(work: UnitOfWork, key: str) -> None:
    """End one's own emergency access before its time. Raises `NotFound`."""
    async with as_whole(work) as own:
        patient = await repository.end(own.db, key, PERSON + work.principal.subject, work.clock())
    if patient is None:
        raise NotFound("glass-unknown", "There is no such emergency access.")
    work.trail.wrote = True
    work.trail.concerns(patient)
    work.trail.note(grant=key)


@use_case("care:review", "care.glass-queue-read")
async def list_reviews(work: UnitOfWork) -> tuple[list[Broken], list[Broken]]:
    """What waits for a review, the oldest first, and what was reviewed last."""
    async with as_whole(work) as own:
        waiting, done = await repository.waiting(own.db), await repository.reviewed(own.db)
    work.trail.concerns(*(each.patient for each in (*waiting, *done)))
    return waiting, done


@use_case("care:review", "care.glass-counted")
async def count_reviews(work: UnitOfWork) -> int:
    """How many wait."""
    async with as_whole(work) as own:
        return await repository.count_waiting(own.db)


@use_case("care:review", "care.glass-reviewed")
async def review_glass(work: UnitOfWork, key: str, verdict: str, finding: str) -> None:
    """Say whether it was justified, and why. Nobody reviews what they broke. Raises `Invalid`, `NotFound`."""
    if verdict not in policy.VERDICTS:
        raise Invalid("verdict-unknown", "A verdict is justified or not-justified.", location="verdict")
    if not policy.WORDS_LEAST <= len(finding.strip()) <= policy.WORDS_MOST:
        raise Invalid("finding-length", "A review has 10 to 500 characters.", location="finding")
    by: tuple[datetime, str] = (work.clock(), work.principal.subject)
    async with as_whole(work) as own:
        patient = await repository.review(own.db, key, by, verdict, finding.strip())
    if patient is None:
        raise NotFound("glass-unknown", "Nothing of this kind waits for your review.")
    work.trail.wrote = True
    work.trail.concerns(patient)
    work.trail.note(grant=key, verdict=verdict)


def _demand_reason(request: BreakGlass) -> None:
    if request.reason not in policy.reasons():
        raise Invalid("reason-unknown", "A reason is one of the list.", location="reason")
    if not policy.WORDS_LEAST <= len(request.words.strip()) <= policy.WORDS_MOST:
        raise Invalid("reason-length", "The reason in words has 10 to 500 characters.", location="words")
    if request.minutes < 1:
        raise Invalid("minutes-few", "Emergency access lasts 1 to 60 minutes.", location="minutes")


def _numbered(patient: dict[str, Any], text: str) -> bool:
    return any(each.get("value") == text for each in patient.get("identifier", ()))


def _is(patient: dict[str, Any], text: str, born: str) -> bool:
    """Whether the text is the whole of a name, whatever the order of its words, and the day is that of birth."""
    asked = sorted(words(text))
    named = any(sorted(words(_named(each))) == asked for each in patient.get("name", ()))
    return named and patient.get("birthDate") == born


def _named(name: dict[str, Any]) -> str:
    return str(name.get("text") or " ".join([name.get("family", ""), *name.get("given", ())]))


def _candidate(patient: dict[str, Any]) -> Candidate:
    names: list[dict[str, Any]] = patient.get("name") or [{}]
    numbers = [
        each.get("value", "")
        for each in patient.get("identifier", ())
        if any(coding.get("code") == _RECORD_NUMBER for coding in each.get("type", {}).get("coding", ()))
    ]
    return Candidate(patient["id"], _named(names[0]), str(patient.get("birthDate", ""))[:4], next(iter(numbers), ""))

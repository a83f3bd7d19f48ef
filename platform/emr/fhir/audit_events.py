"""`AuditEvent` under `/fhir`, for the privacy officer: the hospital's own trail, read and searched, written by nobody.

What clients store as AuditEvents stays theirs: ordinary resources, which everybody else reads as any other.

A page may hold fewer events than asked, or none, and have a next one: conditions that no column answers are asked of at
most 10,000 rows at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request, Response

from emr.access.permissions import may
from emr.audit.reading import Wanted
from emr.definitions.dates import FAR_FUTURE, FAR_PAST, range_of
from emr.fhir.bundles import bundle
from emr.fhir.negotiate import FORMATS, MEDIA_TYPE, refuse_other_answers, refuse_parameters
from emr.kernel import json
from emr.kernel.paging import open_cursor, seal_cursor
from emr.privacy.resources import ACTION, TYPE, action_of, audit_event, outcome_of, subtypes_of
from emr.privacy.trail import MOST, Entry, Fits, read_entry, search_trail
from emr.records.errors import SearchRefused
from emr.records.stored import is_id
from emr.work.unit import UnitOfWork

SAID: Final = (
    "What clients store is theirs, an ordinary resource. To who has the duty of privacy officer, reads of numbered ids"
    " and searches are of the hospital's own trail instead: read-only, newest first, by _id, action, agent:identifier,"
    " altid, date, entity, outcome, patient, subtype, type, without modifiers."
)
"""What the CapabilityStatement tells of the type."""
_SIZE: Final = 50
_ACTIONS: Final = "http://hl7.org/fhir/audit-event-action"
_OUTCOMES: Final = "http://terminology.hl7.org/CodeSystem/audit-event-outcome"


@dataclass(slots=True)
class _Question:
    """What columns answer, what each row must be asked, how many, and the criteria as they came."""

    wanted: Wanted = field(default_factory=Wanted)
    fits: list[Fits] = field(default_factory=list)
    count: int = _SIZE
    asked: list[tuple[str, str]] = field(default_factory=list)


def asked_for(work: UnitOfWork, resource_type: str, resource_id: str = "1") -> bool:
    """Whether a read or search of this type is one of the trail: a number is an id of the trail."""
    return resource_type == "AuditEvent" and _is_number(resource_id) and may(work.principal, "audit:read")


async def read(request: Request, work: UnitOfWork) -> Response:
    """`GET [base]/AuditEvent/id`: one entry of the trail."""
    refuse_other_answers(request)
    refuse_parameters(request)
    entry = await read_entry(work, int(request.path_params["id"]))
    body = json.dumps(audit_event(entry, work.tenant.name, work.request.base_url))
    return Response(body, 200, {"Cache-Control": "private, no-store"}, MEDIA_TYPE)


async def search(work: UnitOfWork, pairs: Sequence[tuple[str, str]]) -> Response:
    """`GET [base]/AuditEvent?…`, the newest first. Raises `SearchRefused`."""
    question = _opened(work, pairs)
    fits = question.fits
    found = await search_trail(
        work,
        question.wanted,
        count=question.count,
        fits=(lambda entry: all(each(entry) for each in fits)) if fits else None,
    )
    base = f"{work.request.base_url}/AuditEvent"
    links = [("self", f"{base}?{urlencode(question.asked)}" if question.asked else base)]
    if found.before is not None:
        links.append(("next", f"{base}?{urlencode([('_cursor', _closed(work, question, found.before))])}"))
    entries = [_entry(work, entry) for entry in found.entries]
    body = bundle("searchset", links, entries)
    return Response(body, 200, {"Cache-Control": "private, no-store"}, MEDIA_TYPE)


def _entry(work: UnitOfWork, entry: Entry) -> bytes:
    resource = audit_event(entry, work.tenant.name, work.request.base_url)
    url = f"{work.request.base_url}/AuditEvent/{entry.number}"
    return json.dumps({"fullUrl": url, "resource": resource, "search": {"mode": "match"}})


def _opened(work: UnitOfWork, pairs: Sequence[tuple[str, str]]) -> _Question:
    cursors = [value for name, value in pairs if name == "_cursor"]
    if not cursors:
        return _understood(work, pairs)
    if len(pairs) > 1:
        raise SearchRefused("cursor-alone", "A page link says everything; add nothing to it.", "_cursor")
    state = open_cursor(work.runtime.signing_key, _audience(work), cursors[0])
    question = _understood(work, [(name, value) for name, value in state["asked"]])
    question.wanted = replace(question.wanted, before=state["before"])
    return question


def _closed(work: UnitOfWork, question: _Question, before: int) -> str:
    return seal_cursor(work.runtime.signing_key, _audience(work), {"asked": question.asked, "before": before})


def _audience(work: UnitOfWork) -> str:
    return f"trail:{work.tenant.schema}"


def _understood(work: UnitOfWork, pairs: Sequence[tuple[str, str]]) -> _Question:
    question = _Question(asked=[pair for pair in pairs if pair[0] not in FORMATS])
    for name, value in question.asked:
        plain, _, modifier = name.partition(":")
        reader = _READERS.get(name) or (_READERS.get(plain) if not modifier else None)
        if reader is None:
            rule = f"The trail is searched by {', '.join(sorted(_READERS))}."
            raise SearchRefused("search-parameter-unknown", rule, name[:64])
        reader(question, value, ZoneInfo(work.tenant.time_zone))
    return question


def _date(question: _Question, value: str, zone: ZoneInfo) -> None:
    prefix, text = (value[:2], value[2:]) if value[:2].isalpha() else ("eq", value)
    try:
        low, high = range_of(text, zone)
    except (ValueError, OverflowError) as error:
        raise SearchRefused("search-value", "A date is YYYY, YYYY-MM, YYYY-MM-DD or a moment.", "date") from error
    since, until = {
        "eq": (low, high), "ge": (low, FAR_FUTURE), "gt": (high, FAR_FUTURE), "sa": (high, FAR_FUTURE),
        "le": (FAR_PAST, high), "lt": (FAR_PAST, low), "eb": (FAR_PAST, low),
    }.get(prefix, (None, None))  # fmt: skip
    if since is None or until is None:
        raise SearchRefused("search-value", "The prefixes of a date are eq, ge, gt, le, lt, sa, eb.", "date")
    wanted = question.wanted
    question.wanted = replace(wanted, since=max(since, wanted.since), until=min(until, wanted.until))


def _patient(question: _Question, value: str, _: ZoneInfo) -> None:
    patient = value.removeprefix("Patient/")
    if not is_id(patient) or question.wanted.patient not in (None, patient):
        raise SearchRefused("search-value", "One patient is named by id, or as Patient/id.", "patient")
    question.wanted = replace(question.wanted, patient=patient)


def _person(question: _Question, value: str, _: ZoneInfo) -> None:
    subject = value.rsplit("|", maxsplit=1)[-1]
    if not subject or question.wanted.actor not in (None, subject):
        raise SearchRefused("search-value", "One person or client is named by its subject.", "altid")
    question.wanted = replace(question.wanted, actor=subject)


def _entity(question: _Question, value: str, _: ZoneInfo) -> None:
    kind, slash, key = value.partition("/")
    if not (slash and key):
        raise SearchRefused("search-value", "An entity is named as Type/id.", "entity")
    question.fits.append(
        lambda entry: (
            any(touched[1:3] == [kind, key] for touched in entry.text["touched"])
            or (kind == "Patient" and key in entry.text["patients"])
        )
    )


def _coded(system: str, of: Callable[[Entry], str]) -> "_Reader":
    def read_codes(question: _Question, value: str, zone: ZoneInfo) -> None:
        del zone
        codes = {code for given, code in _tokens(value) if given in (None, system)}
        question.fits.append(lambda entry: of(entry) in codes)

    return read_codes


def _subtype(question: _Question, value: str, zone: ZoneInfo) -> None:
    del zone
    tokens, held = _tokens(value), question.wanted.actions
    if all(system == ACTION for system, _ in tokens):
        names = tuple(code for _, code in tokens if held is None or code in held)
        question.wanted = replace(question.wanted, actions=names)
    else:
        question.fits.append(lambda entry: any(_is_one(each, tokens) for each in subtypes_of(entry)))


def _is_one(coding: Mapping[str, str], tokens: Sequence[tuple[str | None, str]]) -> bool:
    return any(code == coding["code"] and system in (None, coding["system"]) for system, code in tokens)


def _type(question: _Question, value: str, _: ZoneInfo) -> None:
    fits = any(system in (None, TYPE["system"]) and code == TYPE["code"] for system, code in _tokens(value))
    question.fits.append(lambda _: fits)


def _number(question: _Question, value: str, _: ZoneInfo) -> None:
    numbers = {int(each) for each in value.split(",") if _is_number(each)}
    question.fits.append(lambda entry: entry.number in numbers)
    question.wanted = replace(question.wanted, before=min(question.wanted.before, max(numbers, default=0) + 1))


def _count(question: _Question, value: str, _: ZoneInfo) -> None:
    if not (value.isascii() and value.isdigit() and 0 < len(value) < 6):
        raise SearchRefused("search-value", "_count is a number.", "_count")
    question.count = min(max(int(value), 1), MOST)


def _sort(_: _Question, value: str, __: ZoneInfo) -> None:
    if value != "-date":
        raise SearchRefused("sort-unknown", "The trail is sorted by -date alone.", "_sort")


def _tokens(value: str) -> list[tuple[str | None, str]]:
    pairs = [each.rpartition("|") for each in value.split(",")]
    return [(system if bar else None, code) for system, bar, code in pairs]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 18


_Reader = Callable[[_Question, str, ZoneInfo], None]
_READERS: Final[dict[str, _Reader]] = {
    "_count": _count,
    "_id": _number,
    "_sort": _sort,
    "action": _coded(_ACTIONS, action_of),
    "agent:identifier": _person,
    "altid": _person,
    "date": _date,
    "entity": _entity,
    "outcome": _coded(_OUTCOMES, outcome_of),
    "patient": _patient,
    "subtype": _subtype,
    "type": _type,
}

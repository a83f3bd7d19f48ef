"""Ask a search of the hospital's tables and give one page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl

from emr.access.permissions import demand_sight, sight
from emr.db.connection import Row
from emr.definitions.model import resource_types
from emr.kernel.errors import Issue
from emr.records.errors import SearchRefused
from emr.records.own_parameters import demand_unchanged
from emr.records.reindexing import demand_indexed
from emr.records.search.bind import Binder
from emr.records.search.codes import with_codes
from emr.records.search.compartments import compartment_of
from emr.records.search.conditions import Shape, SortKey
from emr.records.search.controls import INCLUDES, SINGLE
from emr.records.search.includes import included
from emr.records.search.places import Pairs, Place, closed, opened
from emr.records.search.question import Question, Sort
from emr.records.search.statements import count_statement, page_statement
from emr.records.search.strategy import Start, flat, gathered, start
from emr.records.search.understand import Asked, named_types, names_of
from emr.records.search.understood import understood
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_CUT: Final = Issue("includes-cut", "More goes with these matches than one page carries; some was left out.")
_OLDEST: Final = (Sort("_lastUpdated", "updated", descending=False),)


@dataclass(frozen=True, slots=True)
class Page:
    """Matches in order, what they include, how many there are in all (None: not asked), and where to go on.

    said: what the client should know about the answer, such as parameters that were left out.
    """

    question: Question
    matches: Sequence[Stored]
    included: Sequence[Stored]
    total: int | None
    cursor: str | None
    said: Sequence[Issue] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """A question in the hospital's keys, and where to begin."""

    question: Question
    start: Start
    sort: tuple[SortKey, ...]
    values: dict[str, Any]


@use_case("record:search", "record.searched")
async def search(
    work: UnitOfWork, resource_type: str, pairs: Iterable[tuple[str, str]], *, lenient: bool = False
) -> Page:
    """One page of a search of one type. Raises `SearchRefused`, `Forbidden`."""
    demand_sight(work.principal, resource_type, "s")
    return await _search(work, Asked((resource_type,), lenient=lenient), list(pairs), resource_type)


@use_case("record:search", "record.searched")
async def search_system(work: UnitOfWork, pairs: Iterable[tuple[str, str]], *, lenient: bool = False) -> Page:
    """One page of a search of the types that `_type` names, or of all that are seen (search.html#system)."""
    given = list(pairs)
    for each in named_types(given):
        demand_sight(work.principal, each, "s")
    return await _search(work, Asked((), (), lenient, within=_visible(work)), given, "*")


@use_case("record:search", "record.searched")
async def search_compartment(
    work: UnitOfWork, compartment: tuple[str, str], resource_type: str, pairs: Pairs, *, lenient: bool = False
) -> Page:
    """One page of what is in a compartment, of one type or with `*` of all (FHIR R4, search.html#compartment).

    Raises `SearchRefused` where there is no such compartment or the type is not part of it.
    """
    demand_sight(work.principal, compartment[0])
    if resource_type == "*":
        types, member = compartment_of(compartment, resource_type, _visible(work))
        asked = Asked((), (member,), lenient, within=types)
    else:
        demand_sight(work.principal, resource_type, "s")
        types, member = compartment_of(compartment, resource_type, ())
        asked = Asked(types, (member,), lenient)
    return await _search(work, asked, list(pairs), "/".join((*compartment, resource_type)))


async def matching(work: UnitOfWork, resource_type: str, query: str, *, most: int, location: str) -> list[Stored]:
    """Resources that fit the criteria of a conditional verb, at most `most` of them (http.html#ccreate).

    Raises `SearchRefused`, at `location`, for control parameters, for no criterion at all and for what a search
    refuses; `Forbidden` when the principal does not see the type.
    """
    demand_sight(work.principal, resource_type, "s")
    try:
        pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:
        raise SearchRefused("condition-unsupported", "A condition is UTF-8 names and values.", location) from error
    control = next((name for name, _ in pairs if name in SINGLE | INCLUDES or name == "_cursor"), None)
    if control is not None or not pairs:
        raise SearchRefused("condition-unsupported", "A condition is made of criteria alone.", location)
    try:
        question, own = await understood(work, Asked((resource_type,)), pairs)
        planned = await _plan(work, replace(question, sort=_OLDEST, count=most - 1))
    except SearchRefused as refusal:
        raise SearchRefused(refusal.code, refusal.message, location) from refusal
    rows = await _rows(work, planned, None)
    await demand_unchanged(work, own)
    return [Stored.of(row["type"], row) for row in rows]


async def _search(work: UnitOfWork, asked: Asked, pairs: Pairs, about: str) -> Page:
    given, place = opened(work, pairs, about)
    question, own = await understood(work, asked, given)
    page = await _page(work, question, place, about)
    await demand_unchanged(work, own)
    return page


async def _page(work: UnitOfWork, question: Question, place: Place | None, about: str) -> Page:
    planned = await _plan(work, question)
    rows = [] if question.count_only else await _rows(work, planned, place)
    total = await _total(work, planned, len(rows) if place is None else None)
    if question.count_only:
        work.trail.note(type=about, parameters=names_of(question), total=total)
        return Page(question, (), (), total, None, question.ignored)
    shown = rows[: question.count]
    matches = [Stored.of(row["type"], row) for row in shown]
    cursor = closed(work, question, shown[-1], about) if len(rows) > question.count else None
    more = await included(work, question.includes, matches)
    for stored in (*matches, *more.resources):
        work.trail.concerns(*stored.patients)
    work.trail.note(type=about, parameters=names_of(question), shown=len(matches) + len(more.resources))
    said = (*question.ignored, _CUT) if more.cut else question.ignored
    return Page(question, matches, more.resources, total, cursor, said)


def _visible(work: UnitOfWork) -> tuple[str, ...]:
    seen = sight(work.principal, "s")
    return tuple(sorted(resource_types() if seen is None else resource_types().intersection(seen)))


async def _plan(work: UnitOfWork, question: Question) -> Planned:
    await demand_indexed(work)
    binder = Binder(work)
    criteria = [await with_codes(work, each) for each in question.criteria]
    conditions = flat([binder.condition(question.types, each) for each in criteria])
    sort = binder.sort(question.sort)
    values = binder.values
    values |= {"types": list(question.types), "type": question.types[0] if question.types else ""}
    values["limit"] = question.count + 1
    begin = await start(work, conditions, values, sort) if question.types else Start(None)
    return Planned(question, begin, sort, values)


async def _rows(work: UnitOfWork, planned: Planned, place: Place | None) -> Sequence[Row]:
    """The rows of a page, and one more when others follow."""
    begin = planned.start
    if begin.lead is None:
        return []
    values = planned.values | (place.bound(planned.question.sort) if place else {})
    found = await _fetched(work, planned, begin, values)
    if begin.lead.by == "sorted" and len(found) < values["limit"]:
        # What has no value stands last, and not among the rows of the sort key.
        return await _fetched(work, planned, gathered(begin), values)
    return found


async def _fetched(work: UnitOfWork, planned: Planned, begin: Start, values: dict[str, Any]) -> Sequence[Row]:
    assert begin.lead is not None
    shape = Shape(begin.lead, begin.tests, planned.sort, len(planned.question.types) == 1, "after_pk" in values)
    statement = page_statement(shape)
    return await work.db.fetch(statement.sql, *statement.arguments(values), name="search")


async def _total(work: UnitOfWork, planned: Planned, found: int | None) -> int | None:
    """How many there are, where that is asked; `found`: what a first page brought, which may be all."""
    question, begin = planned.question, planned.start
    if question.total == "none" and not question.count_only:
        return None
    if begin.lead is None:
        return 0
    if not question.count_only and found is not None and found <= question.count:
        return found
    whole = gathered(begin)
    assert whole.lead is not None
    statement = count_statement(Shape(whole.lead, whole.tests, (), len(question.types) == 1))
    total: int = await work.db.fetchval(statement.sql, *statement.arguments(planned.values), name="search-total")
    return total

"""The last observations of each kind (observation-operation-lastn.html).

Observations of a subject are grouped by their codes: two that share a coding are of one group, and so are all that are
connected through such pairs; what has only a text is grouped by it. Of each group those with the most recent effective
times are given, and more than asked for where times are equal.

The index says which observations fit, when they were and which keys they have, but not which keys are codes: hence one
observation for each key is read, and those that are shown; not all the others.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, Select, and_, any_, bindparam, func, not_, select, text

from emr.access.permissions import demand_sight
from emr.db.tables.tenant import dates, links, resources
from emr.definitions.dates import FAR_PAST
from emr.definitions.own import Own
from emr.kernel.errors import Malformed, TooLarge
from emr.records.keys import key_of, path_key, system_number
from emr.records.own_parameters import demand_unchanged
from emr.records.reindexing import demand_indexed
from emr.records.search.bind import Binder
from emr.records.search.codes import with_codes
from emr.records.search.conditions import Condition, is_positive
from emr.records.search.membership import At, array_of, test
from emr.records.search.question import Criterion
from emr.records.search.statements import Statement, compiled
from emr.records.search.strategy import flat
from emr.records.search.understand import Asked
from emr.records.search.understood import understood
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

EXAMINED_MOST: Final = 20_000
SHOWN_MOST: Final = 1_000
_TYPE: Final = "Observation"
_SUBJECTS: Final = frozenset({"patient", "subject"})
_CODES: Final = "code"
_EFFECTIVE: Final = "Observation.effective"
_CODE: Final = "Observation.code"
_SUBJECT: Final = "Observation.subject"
_BATCH: Final = 500

_KEYS: Final = """
SELECT key, abs(system) AS system, max(pk) AS pk FROM tokens WHERE pk = ANY ($1::bigint[]) GROUP BY 1, 2
"""
_CODED: Final = """
SELECT pk, key, abs(system) AS system FROM tokens WHERE pk = ANY ($1::bigint[]) AND key = ANY ($2::bigint[])
"""
_READ: Final = """
SELECT pk, id, version, updated, deleted, patients, body FROM resources WHERE pk = ANY ($1::bigint[]) AND NOT deleted
"""


@dataclass(frozen=True, slots=True)
class Fitting:
    """An observation that fits: its effective time (None: it has none) and the pk of its subject."""

    pk: int
    at: datetime | None
    subject: int | None


@use_case("record:search", "record.last-observations")
async def last_observations(work: UnitOfWork, pairs: Sequence[tuple[str, str]], most: int) -> Sequence[Stored]:
    """Of each group of the observations that fit the search parameters the `most` recent ones, newest first.

    Raises `Malformed` without a subject or without a category or code, `SearchRefused`, `TooLarge`, `Forbidden`.
    """
    await demand_indexed(work)
    demand_sight(work.principal, _TYPE, "s")
    _demand_subject_and_code(pairs)
    fitting = await _fitting(work, pairs)
    if len(fitting) > EXAMINED_MOST:
        rule = f"More than {EXAMINED_MOST} observations fit; ask for fewer subjects or kinds."
        raise TooLarge("lastn-too-many", rule)
    groups = await _groups(work, [each.pk for each in fitting])
    chosen = choose(fitting, groups, most)
    if len(chosen) > SHOWN_MOST:
        raise TooLarge("lastn-too-many", f"An answer has at most {SHOWN_MOST} observations; ask for fewer kinds.")
    found = await _read(work, [each.pk for each in chosen])
    shown = [found[each.pk] for each in chosen if each.pk in found]
    for each in shown:
        work.trail.concerns(*each.patients)
    work.trail.note(parameters=sorted({name for name, _ in pairs}), examined=len(fitting), shown=len(shown))
    return shown


def choose(fitting: Iterable[Fitting], groups: Mapping[int, object], most: int) -> list[Fitting]:
    """Of each subject's group the most recent, and those that are as recent as the last of them; newest first."""
    ordered = sorted(fitting, key=lambda each: (each.at or FAR_PAST, each.pk), reverse=True)
    held: dict[tuple[int | None, object], list[Fitting]] = {}
    chosen: list[Fitting] = []
    for each in ordered:
        group = held.setdefault((each.subject, groups.get(each.pk)), [])
        if len(group) < most or (each.at is not None and group[-1].at == each.at):
            group.append(each)
            chosen.append(each)
    return chosen


def connected(codes: Mapping[int, Sequence[object]]) -> dict[int, object]:
    """The group of each pk: those that share a code are of one group, and so are all that are connected so."""
    leader: dict[object, object] = {}

    def first(code: object) -> object:
        while (above := leader.setdefault(code, code)) != code:
            leader[code] = leader.setdefault(above, above)
            code = above
        return code

    for own in codes.values():
        for other in own[1:]:
            leader[first(other)] = first(own[0])
    return {pk: first(own[0]) for pk, own in codes.items() if own}


def _demand_subject_and_code(pairs: Sequence[tuple[str, str]]) -> None:
    bases = {name.partition(":")[0].partition(".")[0] for name, _ in pairs}
    if not bases & _SUBJECTS:
        raise Malformed("parameter-required", "Name the subject by patient or subject.", location="patient")
    if not any(base == "category" or _CODES in base.split("-") for base in bases):
        rule = "Name a category, or a code by code or another parameter of codes."
        raise Malformed("parameter-required", rule, location="category")


async def _fitting(work: UnitOfWork, pairs: Sequence[tuple[str, str]]) -> list[Fitting]:
    binder = Binder(work)
    subjects, own = await _conditions(binder, [pair for pair in pairs if _is_subject(pair[0])])
    others, own_too = await _conditions(binder, [pair for pair in pairs if not _is_subject(pair[0])])
    lead = next((each for each in subjects if is_positive(each)), None)
    if lead is None:
        raise Malformed("parameter-required", "Name the subject by patient or subject.", location="patient")
    tests = tuple(each for each in (*subjects, *others) if each is not lead)
    key = work.tenant.index_key
    values = binder.values | {
        "effective": path_key(key, _EFFECTIVE),
        "subject": path_key(key, _SUBJECT),
        "limit": EXAMINED_MOST + 1,
    }
    statement = _statement(lead, tests)
    rows = await work.db.fetch(statement.sql, *statement.arguments(values), name="lastn")
    for each in (own, own_too):
        await demand_unchanged(work, each)
    return [Fitting(row["pk"], row["at"], row["subject"]) for row in rows]


def _is_subject(name: str) -> bool:
    return name.partition(":")[0].partition(".")[0] in _SUBJECTS


async def _conditions(binder: Binder, pairs: Sequence[tuple[str, str]]) -> tuple[list[Condition], Own]:
    work = binder.work
    question, own = await understood(work, Asked((_TYPE,)), pairs)
    criteria: list[Criterion] = [await with_codes(work, each) for each in question.criteria]
    return flat([binder.condition((_TYPE,), each) for each in criteria]), own


@lru_cache(maxsize=500)
def _statement(lead: Condition, tests: tuple[Condition, ...]) -> Statement:
    """Pk, effective time and subject of the observations that fit."""
    table = resources.alias("c")
    at = At(table.c.pk, (table,), table.c.updated, table)
    effective = select(func.max(dates.c.high)).where(
        and_(dates.c.pk == table.c.pk, dates.c.key == bindparam("effective", type_=BigInteger))
    )
    subject = select(func.min(links.c.target)).where(
        and_(links.c.pk == table.c.pk, links.c.path == bindparam("subject", type_=BigInteger))
    )
    query: Select[Any] = (
        select(
            table.c.pk,
            effective.correlate(table).scalar_subquery().label("at"),
            subject.correlate(table).scalar_subquery().label("subject"),
        )
        .where(table.c.pk == any_(array_of(lead)), table.c.type == text("'Observation'"), not_(table.c.deleted))
        .where(*(test(each, at) for each in tests))
        .limit(bindparam("limit", type_=Integer))
    )
    return compiled(query)


async def _groups(work: UnitOfWork, pks: Sequence[int]) -> dict[int, object]:
    """The group of each observation by its codings, or by its text where it has none."""
    rows = await work.db.fetch(_KEYS, pks, name="lastn-keys")
    examples = sorted({row["pk"] for row in rows})
    keys: set[tuple[int, int]] = set()
    for begin in range(0, len(examples), _BATCH):
        for each in (await _read(work, examples[begin : begin + _BATCH])).values():
            keys.update(_keys(work, each.resource()["code"]))
    coded = await work.db.fetch(_CODED, pks, sorted({key for key, _ in keys}), name="lastn-codes")
    codes: dict[int, list[object]] = {}
    for row in coded:
        if (row["key"], row["system"]) in keys:
            codes.setdefault(row["pk"], []).append((row["key"], row["system"]))
    bare = [pk for pk in pks if pk not in codes]
    for begin in range(0, len(bare), _BATCH):
        for pk, each in (await _read(work, bare[begin : begin + _BATCH])).items():
            codes[pk] = [each.resource()["code"].get("text")]
    return connected(codes)


def _keys(work: UnitOfWork, concept: Mapping[str, Any]) -> list[tuple[int, int]]:
    key, codings = work.tenant.index_key, [each for each in concept.get("coding", ()) if "code" in each]
    return [(key_of(key, _CODE, each["code"]), system_number(key, each.get("system"))) for each in codings]


async def _read(work: UnitOfWork, pks: Sequence[int]) -> dict[int, Stored]:
    rows = await work.db.fetch(_READ, pks, name="lastn-read")
    return {row["pk"]: Stored.of(_TYPE, row) for row in rows}

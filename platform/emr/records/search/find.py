"""Ask a search of the hospital's tables and give one page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from emr.access.permissions import demand_sight, sight
from emr.definitions.extract import extract
from emr.definitions.search import parameter
from emr.definitions.values import Link
from emr.kernel.paging import open_cursor, seal_cursor
from emr.records.errors import SearchRefused
from emr.records.search.plan import Place, Plan, asked_targets, plan
from emr.records.search.question import Question, understand
from emr.records.search.statements import count_statement, page_statement
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_INCLUDED: Final = """
SELECT r.pk, r.type, r.id, r.version, r.updated, r.deleted, r.patients, r.body
  FROM unnest($1::text[], $2::text[]) AS t (type, id) JOIN resources r ON r.type = t.type AND r.id = t.id
 WHERE NOT r.deleted AND ($3::text[] IS NULL OR r.type = ANY ($3))
"""
_TARGETS: Final = """
SELECT r.type, r.id, r.pk FROM unnest($1::text[], $2::text[]) AS t (type, id)
  JOIN resources r ON r.type = t.type AND r.id = t.id
"""
_INCLUDED_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """Matches in order, what they include, how many there are in all (None: not asked), and where to go on."""

    question: Question
    matches: Sequence[Stored]
    included: Sequence[Stored]
    total: int | None
    cursor: str | None


@use_case("record:search", "record.searched")
async def search(work: UnitOfWork, resource_type: str, pairs: Iterable[tuple[str, str]]) -> Page:
    """One page of a search. Raises `SearchRefused`, `Forbidden`."""
    demand_sight(work.principal, resource_type)
    asked, place = _place(work, resource_type, list(pairs))
    question = understand(resource_type, asked)
    planned = plan(work, question, place, await _targets(work, question))
    total = await _total(work, question, planned)
    if question.count_only:
        work.trail.note(type=resource_type, parameters=_names(question), total=total)
        return Page(question, (), (), total, None)
    statement = page_statement(planned.shape)
    rows = await work.db.fetch(statement.sql, *statement.arguments(planned.values), name="search")
    matches = [Stored.of(resource_type, row) for row in rows[: question.count]]
    more = len(rows) > question.count
    cursor = _cursor(work, question, rows[question.count - 1]["at"], matches[-1].pk) if more else None
    included = await _included(work, question, matches)
    for stored in (*matches, *included):
        work.trail.concerns(*stored.patients)
    work.trail.note(type=resource_type, parameters=_names(question), shown=len(matches) + len(included))
    return Page(question, matches, included, total, cursor)


async def _targets(work: UnitOfWork, question: Question) -> dict[tuple[str, str], int]:
    asked = asked_targets(work, question)
    if not asked:
        return {}
    rows = await work.db.fetch(_TARGETS, [each[0] for each in asked], [each[1] for each in asked], name="targets")
    return {(row["type"], row["id"]): row["pk"] for row in rows}


async def _total(work: UnitOfWork, question: Question, planned: Plan) -> int | None:
    if question.total == "none" and not question.count_only:
        return None
    statement = count_statement(planned.shape)
    total: int = await work.db.fetchval(statement.sql, *statement.arguments(planned.values), name="search-total")
    return total


async def _included(work: UnitOfWork, question: Question, matches: Sequence[Stored]) -> list[Stored]:
    if not question.includes or not matches:
        return []
    here = {(stored.type, stored.id) for stored in matches}
    wanted: dict[tuple[str, str], None] = {}
    for stored in matches:
        for value in extract(question.type, stored.resource(), ZoneInfo(work.tenant.time_zone)).values:
            if isinstance(value, Link) and value.target_type and value.target_id and _asked(question, value):
                wanted[value.target_type, value.target_id] = None
    names = [name for name in wanted if name not in here][:_INCLUDED_MOST]
    rows = await work.db.fetch(
        _INCLUDED, [name[0] for name in names], [name[1] for name in names], sight(work.principal), name="included"
    )
    return [Stored.of(row["type"], row) for row in rows]


def _asked(question: Question, value: Link) -> bool:
    followed = [(each, parameter(question.type, each.parameter)) for each in question.includes]
    return any(
        known is not None
        and value.path in known.paths
        and (not known.targets or value.target_type in known.targets)
        and each.target in (None, value.target_type)
        for each, known in followed
    )


def _cursor(work: UnitOfWork, question: Question, at: datetime | str, pk: int) -> str:
    state = {"asked": question.echo, "value": _written(at), "pk": pk}
    return seal_cursor(work.runtime.signing_key, _audience(work, question.type), state)


def _written(at: datetime | str) -> str:
    """The driver gives PostgreSQL's infinities, where resources without a date stand, as moments without a zone."""
    if isinstance(at, str):
        return at
    return (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)).isoformat()


def _place(
    work: UnitOfWork, resource_type: str, pairs: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], Place | None]:
    """What was asked when the page link was made, and where to go on; a first page is as it is asked now."""
    cursors = [value for name, value in pairs if name == "_cursor"]
    if not cursors:
        return pairs, None
    if len(pairs) > 1:
        raise SearchRefused("cursor-alone", "A page link already says everything; add nothing to it.", "_cursor")
    state = open_cursor(work.runtime.signing_key, _audience(work, resource_type), cursors[0])
    return [(name, value) for name, value in state["asked"]], Place(state["value"], state["pk"])


def _audience(work: UnitOfWork, resource_type: str) -> str:
    return f"search:{work.tenant.schema}:{resource_type}"


def _names(question: Question) -> list[str]:
    return sorted({clause.name for clause in question.clauses})

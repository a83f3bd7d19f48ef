"""Whether a resource at hand fits a condition, and which resources do: the two ways in which a statement uses one.

A test is a subquery that PostgreSQL runs for each resource and cannot turn into a join (`OFFSET 0` keeps it so): its
cost is that of a few index entries, whatever the statistics say. A source walks from the condition to its resources,
each step by index. Which of the two a condition becomes is decided outside of PostgreSQL, in `strategy`.
"""

from dataclasses import dataclass
from typing import Any as Anything
from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    any_,
    column,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    union_all,
)

from emr.db.tables.tenant import links, resources
from emr.records.search.comparing import Element, Fits, moment
from emr.records.search.conditions import (
    ROWS,
    All,
    Any,
    Chained,
    Condition,
    Ids,
    Keys,
    Links,
    Not,
    OfType,
    Present,
    Referring,
    Row,
    Updated,
    is_positive,
)
from emr.records.search.rows import MOMENT, bound, hidden, rows_of

_FENCE: Final[Element] = literal_column("0")
_ONE: Final[Element] = literal_column("1")


@dataclass(frozen=True, slots=True)
class At:
    """The resource at hand: its pk, the moment of its last change where that is known, and its row where it is there.

    outer: what its columns belong to.
    """

    pk: Element
    outer: tuple[FromClause, ...]
    updated: Element | None = None
    row: FromClause | None = None


def test(condition: Condition, at: At) -> Fits:
    """Whether the resource at hand fits."""
    match condition:
        case Not(inner):
            return not_(test(inner, at))
        case All(parts):
            return and_(*(test(part, at) for part in parts))
        case Any(parts):
            return or_(*(test(part, at) for part in parts))
        case Chained(slot, inner):
            return _chained(slot, inner, at)
        case Referring(slot, inner):
            return _referring(slot, inner, at)
        case _:
            return _on_rows(condition, at) if isinstance(condition, ROWS) else _of_resource(condition, at)


def _on_rows(condition: Row, at: At) -> Fits:
    known = isinstance(condition, Keys | Links) and at.updated is not None
    rows = rows_of(condition, of_one=not known)
    same = [rows.pk == at.pk]
    if known and rows.updated is not None:
        same.append(rows.updated == at.updated)
    return _exists(select(_ONE).select_from(rows.source).where(*rows.fits, *same), at)


def source(condition: Condition) -> Select[Anything]:
    """Pks of the resources that fit a positive condition, some of them more than once."""
    match condition:
        case All(parts):
            return _both(parts)
        case Any(parts):
            every = union_all(*(source(part) for part in parts)).subquery()
            return select(every.c.pk)
        case Chained(slot, inner):
            here = source(inner).subquery()
            table = links.alias()
            found = select(table.c.pk).where(_path(table, slot), table.c.target == here.c.pk)
            return _each(here, found)
        case Referring(slot, inner):
            here = source(inner).subquery()
            table = links.alias()
            found = select(table.c.target.label("pk")).where(_path(table, slot, of_one=True), table.c.pk == here.c.pk)
            return _each(here, found)
        case Ids(slot):
            return _named(slot)
        case _:
            assert isinstance(condition, ROWS)
            rows = rows_of(condition)
            return select(rows.pk.label("pk")).select_from(rows.source).where(*rows.fits)


def _both(parts: tuple[Condition, ...]) -> Select[Anything]:
    lead = next(part for part in parts if is_positive(part))
    here = source(lead).subquery()
    others = [test(part, At(here.c.pk, (here,))) for part in parts if part is not lead]
    return select(here.c.pk).where(*others)


def _each(here: FromClause, found: Select[Anything]) -> Select[Anything]:
    """From each row to those that the index finds for it, one after the other."""
    lateral = found.offset(_FENCE).lateral()
    return select(lateral.c.pk).select_from(here.join(lateral, true()))


def _named(slot: int) -> Select[Anything]:
    kinds = (
        func.unnest(bound("t", slot, Text, many=True))
        .table_valued(column("type", Text), name=f"k{slot}")
        .render_derived()
    )
    table = resources.alias()
    of_kind = and_(table.c.type == kinds.c.type, table.c.id == any_(bound("i", slot, Text, many=True)))
    return select(table.c.pk).select_from(kinds.join(table, of_kind))


def _exists(query: Select[Anything], at: At) -> Fits:
    return query.offset(_FENCE).correlate(*at.outer).exists()


def _path(table: FromClause, slot: int, *, of_one: bool = False) -> Fits:
    """Of one of the paths; of_one: as in `rows.rows_of`."""
    path = hidden(table.c.path) if of_one else table.c.path
    return path == any_(bound("p", slot, BigInteger, many=True))


def _chained(slot: int, inner: Condition, at: At) -> Fits:
    table = links.alias()
    there = test(inner, At(table.c.target, (table,)))
    here = table.c.pk == at.pk, _path(table, slot, of_one=True)
    return _exists(select(_ONE).select_from(table).where(*here, there), at)


def _referring(slot: int, inner: Condition, at: At) -> Fits:
    table = links.alias()
    there = test(inner, At(table.c.pk, (table,), table.c.updated))
    return _exists(select(_ONE).select_from(table).where(_path(table, slot), table.c.target == at.pk, there), at)


def _of_resource(condition: Ids | Updated | Present | OfType, at: At) -> Fits:
    if isinstance(condition, Updated) and at.updated is not None:
        return _changed(condition, at.updated)
    if at.row is not None:
        return _own(condition, at.row)
    table = resources.alias()
    return _exists(select(_ONE).select_from(table).where(table.c.pk == at.pk, _own(condition, table)), at)


def _own(condition: Ids | Updated | Present | OfType, row: FromClause) -> Fits:
    match condition:
        case Ids(slot):
            return row.c.id == any_(bound("i", slot, Text, many=True))
        case Updated():
            return _changed(condition, row.c.updated)
        case Present(slot):
            return bound("n", slot, Integer) == any_(row.c.present)
        case OfType(slot):
            return and_(row.c.type == any_(bound("t", slot, Text, many=True)), not_(row.c.deleted))


def _changed(condition: Updated, at: Element) -> Fits:
    if condition.one:
        low, high = bound("l", condition.slot, MOMENT), bound("h", condition.slot, MOMENT)
        return moment(condition.prefix, at, (low, high))
    columns = column("low", MOMENT), column("high", MOMENT)
    arrays = bound("l", condition.slot, MOMENT, many=True), bound("h", condition.slot, MOMENT, many=True)
    given = func.unnest(*arrays).table_valued(*columns, name=f"m{condition.slot}").render_derived()
    fits = select(_ONE).select_from(given).where(moment(condition.prefix, at, (given.c.low, given.c.high)))
    return fits.correlate_except(given).exists()


def array_of(condition: Condition) -> Element:
    """The pks of a source as one array, made once before the rest of the statement runs."""
    found = source(condition)
    if isinstance(condition, Referring):
        found = found.distinct()
    return func.array(found.scalar_subquery(), type_=ARRAY(BigInteger))

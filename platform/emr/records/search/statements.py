"""The text of a search statement for each shape, composed with SQLAlchemy Core and kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.elements import Grouping

from emr.db.tables.tenant import dates, identifiers, links, resources, strings, tokens
from emr.records.search.plan import Part, Shape

_DIALECT: Final = asyncpg.dialect()  # type: ignore[no-untyped-call]
_DRIVERS: Final = {"tokens": tokens, "links": links}
_MOMENT: Final = DateTime(timezone=True)
_R: Final = resources.c


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `$1` parameters, the names of the values in that order, and the values that are always the same."""

    sql: str
    order: tuple[str, ...]
    fixed: Mapping[str, Any]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the parameters."""
        return [values[name] if name in values else self.fixed[name] for name in self.order]


@lru_cache(maxsize=2_000)
def page_statement(shape: Shape) -> Statement:
    """Rows `pk id version updated deleted patients body at` of one page, one more than asked to see if more follow."""
    driver = _driver(shape)
    if driver is None:
        return _compiled(_page_from_resources(shape))
    return _compiled(_page_from_driver(shape, driver))


@lru_cache(maxsize=2_000)
def count_statement(shape: Shape) -> Statement:
    """How many resources fit."""
    return _compiled(select(func.count()).select_from(resources).where(*_filters(shape)))


def _driver(shape: Shape) -> int | None:
    """The part whose index already stands in the order of the page: one key, newest first. A link is the rarer one."""
    if (shape.sort, shape.descending) != ("updated", True):
        return None
    single = [number for number, part in enumerate(shape.parts) if part.table in _DRIVERS and part.single]
    return min(single, key=lambda number: shape.parts[number].table != "links", default=None)


def _page_from_driver(shape: Shape, number: int) -> Select[Any]:
    table = _DRIVERS[shape.parts[number].table].alias("driver")
    # Without the parentheses the dialect's cast would swallow the subscript: `$1::BIGINT[][1]`.
    key = Grouping(bindparam(f"c{number}", type_=ARRAY(BigInteger)))
    if shape.parts[number].table == "links":
        path = Grouping(bindparam(f"c{number}p", type_=ARRAY(BigInteger)))
        conditions = [table.c.path == path[1], table.c.target == key[1], *_filters(shape, without=number)]
    else:
        conditions = [table.c.key == key[1], *_filters(shape, without=number)]
    if shape.cursor:
        conditions.append(tuple_(table.c.updated, table.c.pk) < _cursor(_MOMENT))
    joined = table.join(resources, and_(_R.pk == table.c.pk, _R.updated == table.c.updated))
    return (
        select(*_columns(table.c.updated))
        .select_from(joined)
        .where(*conditions)
        .order_by(table.c.updated.desc(), table.c.pk.desc())
        .limit(bindparam("limit", type_=Integer))
    )


def _page_from_resources(shape: Shape) -> Select[Any]:
    at, source, kind = _sort_value(shape)
    conditions = _filters(shape)
    if shape.cursor:
        place = tuple_(at, _R.pk)
        conditions.append(place < _cursor(kind) if shape.descending else place > _cursor(kind))
    order = (at.desc(), _R.pk.desc()) if shape.descending else (at, _R.pk)
    return (
        select(*_columns(at))
        .select_from(source)
        .where(*conditions)
        .order_by(*order)
        .limit(bindparam("limit", type_=Integer))
    )


def _sort_value(shape: Shape) -> tuple[ColumnElement[Any], Any, Any]:
    if shape.sort == "updated":
        return _R.updated, resources, _MOMENT
    if shape.sort == "id":
        return _R.id, resources, Text()
    table = dates if shape.sort == "dates" else strings
    column = (dates.c.high if shape.descending else dates.c.low) if table is dates else strings.c.value
    edge = func.max(column) if shape.descending else func.min(column)
    of_this = select(edge.label("at")).where(
        table.c.pk == _R.pk, table.c.key == any_(bindparam("sort_key", type_=ARRAY(BigInteger)))
    )
    lateral = of_this.lateral("sorting")
    nothing: Any = {
        ("dates", True): literal("-infinity").cast(_MOMENT),
        ("dates", False): literal("infinity").cast(_MOMENT),
        ("strings", True): literal(""),
        ("strings", False): literal("\U0010ffff"),
    }[shape.sort, shape.descending]
    at = func.coalesce(lateral.c.at, nothing)
    return at, resources.join(lateral, true()), _MOMENT if table is dates else Text()


def _columns(at: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    return [_R.pk, _R.id, _R.version, _R.updated, _R.deleted, _R.patients, _R.body, at.label("at")]


def _cursor(kind: Any) -> ColumnElement[Any]:
    return tuple_(bindparam("after", type_=kind), bindparam("after_pk", type_=BigInteger))


def _filters(shape: Shape, without: int | None = None) -> list[ColumnElement[bool]]:
    seen = bindparam("sight", type_=ARRAY(Text))
    conditions: list[ColumnElement[bool]] = [
        _R.type == bindparam("type", type_=Text),
        ~_R.deleted,
        or_(seen.is_(None), _R.type == any_(seen)),
    ]
    for number, part in enumerate(shape.parts):
        if number != without:
            conditions.append(_CONDITIONS[part.table](part, f"c{number}"))
    return conditions


def _by_token(part: Part, name: str) -> ColumnElement[bool]:
    del part
    return _has(tokens, tokens.c.key == any_(bindparam(name, type_=ARRAY(BigInteger))))


def _by_link(part: Part, name: str) -> ColumnElement[bool]:
    del part
    return _has(
        links,
        links.c.path == any_(bindparam(f"{name}p", type_=ARRAY(BigInteger))),
        links.c.target == any_(bindparam(name, type_=ARRAY(BigInteger))),
    )


def _by_id(part: Part, name: str) -> ColumnElement[bool]:
    del part
    return _R.id == any_(bindparam(name, type_=ARRAY(Text)))


def _by_updated(part: Part, name: str) -> ColumnElement[bool]:
    return or_(*(_moment(compare, _R.updated, _range(name, number)) for number, compare in enumerate(part.compare)))


def _by_date(part: Part, name: str) -> ColumnElement[bool]:
    fits = or_(*(_period(compare, _range(name, number)) for number, compare in enumerate(part.compare)))
    return _has(dates, dates.c.key == any_(bindparam(f"{name}k", type_=ARRAY(BigInteger))), fits)


def _by_string(part: Part, name: str) -> ColumnElement[bool]:
    key = strings.c.key == any_(bindparam(f"{name}k", type_=ARRAY(BigInteger)))
    if part.compare == ("exact",):
        raw = func.coalesce(strings.c.raw, strings.c.value)
        return _has(strings, key, raw == any_(bindparam(name, type_=ARRAY(Text))))
    fits = or_(
        *(
            and_(
                strings.c.value.op("~>=~")(bindparam(f"{name}l{number}", type_=Text)),
                strings.c.value.op("~<~")(bindparam(f"{name}h{number}", type_=Text)),
            )
            for number in range(len(part.compare))
        )
    )
    return _has(strings, key, fits)


def _by_identifier(part: Part, name: str) -> ColumnElement[bool]:
    def fits(number: int, compare: str) -> ColumnElement[bool]:
        value = identifiers.c.value == bindparam(f"{name}v{number}", type_=Text)
        if compare == "value":
            return value
        return and_(value, identifiers.c.system == bindparam(f"{name}s{number}", type_=Text))

    return _has(
        identifiers,
        identifiers.c.type == bindparam("type", type_=Text),
        or_(*(fits(number, compare) for number, compare in enumerate(part.compare))),
    )


def _has(table: Table, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(table.c.pk == _R.pk, *conditions)


def _range(name: str, number: int) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return bindparam(f"{name}l{number}", type_=_MOMENT), bindparam(f"{name}h{number}", type_=_MOMENT)


def _period(compare: str, asked: tuple[ColumnElement[Any], ColumnElement[Any]]) -> ColumnElement[bool]:
    """How a stored range stands to the range asked for (FHIR R4, search.html#prefix)."""
    low, high = asked
    inside = and_(dates.c.low >= low, dates.c.high <= high)
    fits: dict[str, ColumnElement[bool]] = {
        "eq": inside,
        "ne": ~inside,
        "gt": dates.c.high > high,
        "lt": dates.c.low < low,
        "ge": or_(dates.c.high > high, inside),
        "le": or_(dates.c.low < low, inside),
        "sa": dates.c.low >= high,
        "eb": dates.c.high <= low,
        "ap": and_(dates.c.low < high, dates.c.high > low),
    }
    return fits[compare]


def _moment(
    compare: str, at: ColumnElement[Any], asked: tuple[ColumnElement[Any], ColumnElement[Any]]
) -> ColumnElement[bool]:
    """The same for a single moment."""
    low, high = asked
    inside, before, after = and_(at >= low, at < high), at < low, at >= high
    fits: dict[str, ColumnElement[bool]] = {
        "eq": inside,
        "ap": inside,
        "ne": ~inside,
        "gt": after,
        "sa": after,
        "lt": before,
        "eb": before,
        "ge": at >= low,
        "le": at < high,
    }
    return fits[compare]


_CONDITIONS: Final[dict[str, Callable[[Part, str], ColumnElement[bool]]]] = {
    "id": _by_id,
    "updated": _by_updated,
    "tokens": _by_token,
    "links": _by_link,
    "identifiers": _by_identifier,
    "strings": _by_string,
    "dates": _by_date,
}


def _compiled(statement: Select[Any]) -> Statement:
    compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return Statement(str(compiled), tuple(compiled.positiontup or ()), compiled.params)

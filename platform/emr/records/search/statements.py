"""The text of each statement of a search, composed with SQLAlchemy Core for its shape and kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    FromClause,
    Integer,
    Join,
    Select,
    Text,
    any_,
    bindparam,
    case,
    column,
    distinct,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import asyncpg

from emr.db.tables.tenant import links, resources, tokens
from emr.records.search.comparing import Fits
from emr.records.search.conditions import ROWS, Chained, Condition, Keys, Lead, Links, Referring, Shape, implies_type
from emr.records.search.membership import At, array_of, source, test
from emr.records.search.ordering import Order, along, in_index, order_of
from emr.records.search.rows import MOMENT, bound, keyed, linked, of_system, rows_of, targets_of

PROBED_MOST: Final = 1_000
"""How many resources of a condition a probe looks at before it calls the condition popular."""
SPREAD_LEAST: Final = 300
"""Among so many who refer, how many they must refer to for these to be popular."""
_COLUMNS: Final = ("pk", "type", "id", "version", "updated", "deleted", "patients", "body")
_DIALECT: Final = asyncpg.dialect()  # type: ignore[no-untyped-call]


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
    """Rows `pk type id version updated deleted patients body` and `at0 at1 …`, the place of each in the order."""
    page = _page(shape).subquery("page")
    table = resources.alias("c")
    visible = table.c.type == any_(bindparam("types", type_=ARRAY(Text)))
    # Fenced, so that a page is read resource by resource however many PostgreSQL takes it to have.
    row = (
        select(*(table.c[name] for name in _COLUMNS))
        .where(table.c.pk == page.c.pk, visible, not_(table.c.deleted))
        .offset(literal_column("0"))
        .lateral("r")
    )
    places = [page.c[f"at{number}"] for number in range(len(shape.sort))]
    directed = [(place, key.descending) for place, key in zip(places, shape.sort, strict=True)]
    query = (
        select(*(row.c[name] for name in _COLUMNS), *places)
        .select_from(page.join(row, true()))
        .order_by(*_directed(directed, page))
    )
    return compiled(query)


def _directed(places: Sequence[tuple[Any, bool]], page: FromClause) -> list[Any]:
    descending = places[-1][1]
    ordered = [place.desc() if down else place for place, down in places]
    return [*ordered, page.c.pk.desc() if descending else page.c.pk]


@lru_cache(maxsize=2_000)
def count_statement(shape: Shape) -> Statement:
    """How many resources fit, without order and place."""
    return compiled(_count(shape))


@lru_cache(maxsize=2_000)
def probe_statement(conditions: tuple[Condition, ...]) -> Statement:
    """One row with a column for each condition: of how many resources it is, up to `PROBED_MOST`."""
    counts = [_probed(each).label(f"c{number}") for number, each in enumerate(conditions)]
    return compiled(select(*counts))


def _probed(condition: Condition) -> Any:
    """Many who refer here may refer to few: then these few count, however many refer."""
    rows = source(condition).limit(literal(PROBED_MOST, Integer)).subquery()
    count: Any = func.count()
    if isinstance(condition, Referring):
        targets = func.count(distinct(rows.c.pk))
        few = or_(count < literal(PROBED_MOST, Integer), targets < literal(SPREAD_LEAST, Integer))
        count = case((few, targets), else_=literal(PROBED_MOST, Integer))
    return select(count).select_from(rows).scalar_subquery()


def _page(shape: Shape) -> Select[Any]:
    if shape.lead.by == "sorted":
        return _along(shape)
    return _newest(shape) if [key.kind for key in shape.sort] == ["updated"] else _sorted(shape)


def _newest(shape: Shape) -> Select[Any]:
    lead = shape.lead
    if lead.by == "set" or (lead.by == "type" and shape.one_type):
        return _stretch(shape, *_resources(shape, lead))
    if isinstance(lead.condition, Keys) and lead.condition.one:
        table = tokens.alias("c")
        return _stretch(shape, _ordered(table), [*keyed(table.c.key, table.c.system, lead.condition)])
    if isinstance(lead.condition, Links) and lead.condition.reach != "many":
        table = links.alias("c")
        return _stretch(shape, _ordered(table), [*linked(table.c.path, table.c.target, lead.condition)])
    return _merged(shape, *_many(lead.condition))


def _stretch(shape: Shape, at: At, fits: Sequence[Fits]) -> Select[Any]:
    """As many as a page needs, from rows that an index gives in the order of their change."""
    assert at.updated is not None
    down = shape.sort[0].descending
    conditions = [*fits, *(test(each, at) for each in shape.tests)]
    place = tuple_(at.updated, at.pk)
    if shape.cursor:
        after = tuple_(bindparam("after0", type_=MOMENT), bindparam("after_pk", type_=BigInteger))
        conditions.append(place < after if down else place > after)
    order = (at.updated.desc(), at.pk.desc()) if down else (at.updated, at.pk)
    return (
        select(at.pk.label("pk"), at.updated.label("at0"))
        .select_from(*at.outer)
        .where(*conditions)
        .order_by(*order)
        .limit(bindparam("limit", type_=Integer))
    )


def _merged(shape: Shape, outer: FromClause, at: At, fits: Sequence[Fits]) -> Select[Any]:
    """The first of each of several ordered lists, then the first of these: the cost grows with the number of lists, and
    not with their length.
    """
    each = _stretch(shape, at, fits).lateral("each")
    down = shape.sort[0].descending
    order = (each.c.at0.desc(), each.c.pk.desc()) if down else (each.c.at0, each.c.pk)
    return (
        select(each.c.pk, each.c.at0)
        .distinct()
        .select_from(outer.join(each, true()))
        .order_by(*order)
        .limit(bindparam("limit", type_=Integer))
    )


def _many(condition: Condition | None) -> tuple[FromClause, At, list[Fits]]:
    """Several lists: of keys, of links, or of types; one row of the first for each list."""
    match condition:
        case Keys():
            table = tokens.alias("c")
            keys, system = _keys(condition)
            return keys, _ordered(table), [table.c.key == keys.c.k, of_system(table.c.system, system)]
        case Links(slot=slot):
            table = links.alias("c")
            paths = _unnested(bound("p", slot, BigInteger, many=True), "paths", "p", BigInteger())
            targets = _unnested(targets_of(slot), "targets", "t", BigInteger())
            outer = paths.join(targets, true())
            return outer, _ordered(table), [table.c.path == paths.c.p, table.c.target == targets.c.t]
        case Chained(slot=slot, inner=inner):
            table = links.alias("c")
            paths = _unnested(bound("p", slot, BigInteger, many=True), "paths", "p", BigInteger())
            targets = _unnested(array_of(inner), "targets", "t", BigInteger())
            outer = paths.join(targets, true())
            return outer, _ordered(table), [table.c.path == paths.c.p, table.c.target == targets.c.t]
        case _:
            table = resources.alias("c")
            types = _unnested(bindparam("types", type_=ARRAY(Text)), "kinds", "kind", Text())
            return types, _whole(table), [table.c.type == types.c.kind, not_(table.c.deleted)]


def _keys(condition: Keys) -> tuple[Any, Any]:
    """The keys that are asked for, a row each, and the system beside each, if it is asked for too."""
    keys = bound("k", condition.slot, BigInteger, many=True)
    if not condition.coded:
        return _unnested(keys, "keys", "k", BigInteger()), None
    columns = column("k", BigInteger), column("s", Integer)
    systems = bound("s", condition.slot, Integer, many=True)
    pairs: Any = func.unnest(keys, systems).table_valued(*columns, name="keys").render_derived()
    return pairs, pairs.c.s


def _unnested(array: Any, name: str, letter: str, kind: Any) -> Any:
    return func.unnest(array).table_valued(column(letter, kind), name=name).render_derived()


def _ordered(table: FromClause) -> At:
    return At(table.c.pk, (table,), table.c.updated)


def _whole(table: FromClause) -> At:
    return At(table.c.pk, (table,), table.c.updated, table)


def _resources(shape: Shape, lead: Lead) -> tuple[At, list[Fits]]:
    table = resources.alias("c")
    fits: list[Fits] = [not_(table.c.deleted)]
    if shape.one_type:
        fits.append(table.c.type == bindparam("type", type_=Text))
    else:
        fits.append(table.c.type == any_(bindparam("types", type_=ARRAY(Text))))
    if lead.by == "set":
        assert lead.condition is not None
        fits.append(table.c.pk == any_(array_of(lead.condition)))
    return _whole(table), fits


def _sorted(shape: Shape) -> Select[Any]:
    """All that fit, by the values of the sort keys."""
    at, fits = _resources(shape, shape.lead)
    order: Order = order_of(shape.sort, at)
    conditions = [*fits, *(test(each, at) for each in shape.tests)]
    if shape.cursor:
        conditions.append(order.after)
    return (
        select(at.pk.label("pk"), *(place.label(f"at{number}") for number, place in enumerate(order.places)))
        .select_from(order.joined(at.outer[0]))
        .where(*conditions)
        .order_by(*order.directed)
        .limit(bindparam("limit", type_=Integer))
    )


def _along(shape: Shape) -> Select[Any]:
    """As many as a page needs, from the rows of the first sort key."""
    way = along(shape.sort[0], cursor=shape.cursor)
    at = At(way.table.c.pk, (way.table,))
    order = order_of(shape.sort, at, way.place)
    conditions = [*way.fits, *(test(each, at) for each in shape.tests)]
    if shape.cursor:
        conditions.append(order.after)
    return (
        select(at.pk.label("pk"), *(place.label(f"at{number}") for number, place in enumerate(order.places)))
        .select_from(order.joined(way.table))
        .where(*conditions)
        .order_by(
            in_index(shape.sort[0], way.raw),
            *order.directed[1:],
        )
        .limit(bindparam("limit", type_=Integer))
    )


def _count(shape: Shape) -> Select[Any]:
    lead = shape.lead
    if lead.by == "type" or lead.condition is None or not implies_type(lead.condition):
        at, fits = _resources(shape, lead)
        return select(func.count()).select_from(*at.outer).where(*fits, *(test(each, at) for each in shape.tests))
    if isinstance(lead.condition, ROWS):
        rows = rows_of(lead.condition)
        at = At(rows.pk, _tables(rows.source), rows.updated)
        alone = isinstance(lead.condition, Keys) and lead.condition.one
        counted = func.count() if alone else func.count(distinct(rows.pk))
        return select(counted).select_from(rows.source).where(*rows.fits, *(test(each, at) for each in shape.tests))
    found = source(lead.condition).subquery("c")
    at = At(found.c.pk, (found,))
    return select(func.count(distinct(found.c.pk))).where(*(test(each, at) for each in shape.tests))


def _tables(source: FromClause) -> tuple[FromClause, ...]:
    """What a join is made of: a subquery speaks of the row at hand only if each of its tables is named."""
    return (*_tables(source.left), *_tables(source.right)) if isinstance(source, Join) else (source,)


def compiled(statement: Select[Any]) -> Statement:
    """The text of a statement as PostgreSQL takes it."""
    made = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return Statement(str(made), tuple(made.positiontup or ()), made.params)

"""The order of a page: the value by which a resource stands in it, and what comes after a place (search.html#sort).

Of several values the least counts going up and the greatest going down; a resource without any stands last either way.
Text is ordered letter by letter in its folded form.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    FromClause,
    Numeric,
    Text,
    UnaryExpression,
    and_,
    any_,
    bindparam,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.sql import operators

from emr.db.tables.tenant import dates, quantities, strings
from emr.records.search.comparing import Element, Fits
from emr.records.search.conditions import SortKey
from emr.records.search.membership import At
from emr.records.search.rows import MOMENT, bound, hidden

_LEAST_FIRST: Final[Any] = operators.custom_op("USING ~<~")
_GREATEST_FIRST: Final[Any] = operators.custom_op("USING ~>~")
_ONE: Final[Element] = literal_column("1")
_FENCE: Final[Element] = literal_column("0")
_NOTHING: Final[dict[tuple[str, bool], Any]] = {
    ("date", True): literal("-infinity").cast(MOMENT),
    ("date", False): literal("infinity").cast(MOMENT),
    ("string", True): literal(""),
    ("string", False): literal("\U0010ffff"),
    ("number", True): literal("-Infinity").cast(Numeric),
    ("number", False): literal("Infinity").cast(Numeric),
}
KINDS: Final[dict[str, Any]] = {
    "updated": MOMENT,
    "id": Text(),
    "date": MOMENT,
    "string": Text(),
    "number": Numeric(),
    "quantity": Numeric(),
}
"""Kind of sort key to the type of its values."""


@dataclass(frozen=True, slots=True)
class Order:
    """places: a resource's values. directed: how rows are ordered. after: what follows the cursor's place."""

    places: tuple[Element, ...]
    laterals: tuple[FromClause, ...]
    directed: tuple[Element, ...]
    after: Fits

    def joined(self, table: FromClause) -> FromClause:
        """The resources beside their values."""
        for lateral in self.laterals:
            table = table.join(lateral, true())
        return table


@dataclass(frozen=True, slots=True)
class Along:
    """The rows of the first sort key, of each resource the one that counts: where they lie, the value as it is compared
    and as the index holds it, and which.
    """

    table: FromClause
    place: Element
    raw: Element
    fits: tuple[Fits, ...]


def along(key: SortKey, *, cursor: bool) -> Along:
    """In the order of the index, so that a page ends as soon as it is full (`Lead` `sorted`)."""
    table = (strings if key.kind == "string" else dates).alias("c")
    other = (strings if key.kind == "string" else dates).alias("other")
    own, others = _edge(key, table), _edge(key, other)
    path = bound("o", key.slot, BigInteger)
    row: Element = literal_column("c.ctid")
    another: Element = literal_column("other.ctid")
    better = others > own if key.descending else others < own
    first = or_(better, and_(others == own, another > row))
    once = select(_ONE).where(other.c.pk == table.c.pk, hidden(other.c.key) == path, first)
    fits = [table.c.key == path, not_(once.offset(_FENCE).correlate(table).exists())]
    if cursor:
        after = bindparam("after0", type_=KINDS[key.kind])
        fits.append(_from(key, table, after))
    return Along(table, own, table.c.value if key.kind == "string" else own, tuple(fits))


def _edge(key: SortKey, table: FromClause) -> Element:
    if key.kind == "string":
        return table.c.value.collate("C")
    column: Element = table.c.high if key.descending else table.c.low
    return column


def _from(key: SortKey, table: FromClause, after: Element) -> Fits:
    """Not before the cursor's place, in words that the index understands."""
    if key.kind == "string":
        return table.c.value.op("~<=~" if key.descending else "~>=~", is_comparison=True)(after)
    return table.c.high <= after if key.descending else table.c.low >= after


def in_index(key: SortKey, place: Element) -> Element:
    """The place as an `ORDER BY` names it: text is held in the order of its own operators."""
    if key.kind == "string":
        return UnaryExpression(place, modifier=_GREATEST_FIRST if key.descending else _LEAST_FIRST)
    return place.desc() if key.descending else place


def order_of(keys: Sequence[SortKey], at: At, first: Element | None = None) -> Order:
    """The order of resources at hand. first: where they stand by the first key, when that is known."""
    places: list[Element] = [] if first is None else [first]
    laterals: list[FromClause] = []
    for number, key in enumerate(keys):
        if number < len(places):
            continue
        if key.kind in ("updated", "id"):
            assert at.row is not None
            own = at.row.c[key.kind]
            places.append(own.collate("C") if key.kind == "id" else own)
            continue
        lateral = _values(key, at, f"sort{number}")
        laterals.append(lateral)
        kind = "number" if key.kind == "quantity" else key.kind
        place: Element = func.coalesce(lateral.c.at, _NOTHING[kind, key.descending])
        places.append(place.collate("C") if kind == "string" else place)
    directed = [place.desc() if key.descending else place for place, key in zip(places, keys, strict=True)]
    last = keys[-1].descending
    directed.append(at.pk.desc() if last else at.pk)
    return Order(tuple(places), tuple(laterals), tuple(directed), _after(keys, places, at.pk))


def _values(key: SortKey, at: At, name: str) -> Any:
    table = {"date": dates, "string": strings}.get(key.kind, quantities).alias()
    column = _edge(key, table)
    edge = func.max(column) if key.descending else func.min(column)
    paths = table.c.key == any_(bound("k", key.slot, BigInteger, many=True))
    return select(edge.label("at")).where(table.c.pk == at.pk, paths).correlate(*at.outer).lateral(name)


def _after(keys: Sequence[SortKey], places: Sequence[Element], pk: Element) -> Fits:
    """Later in the order: in the first key in which the places differ, or in all the same and a later pk."""
    given: list[Element] = [bindparam(f"after{number}", type_=KINDS[key.kind]) for number, key in enumerate(keys)]
    downs = [key.descending for key in keys]
    held = [*places, pk]
    asked = [*given, bindparam("after_pk", type_=BigInteger)]
    downs.append(downs[-1])
    if len(set(downs)) == 1:
        return tuple_(*held) < tuple_(*asked) if downs[0] else tuple_(*held) > tuple_(*asked)
    steps: list[Fits] = []
    for number, down in enumerate(downs):
        same = [held[earlier] == asked[earlier] for earlier in range(number)]
        later = held[number] < asked[number] if down else held[number] > asked[number]
        steps.append(and_(*same, later))
    return or_(*steps)

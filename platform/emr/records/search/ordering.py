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
    and_,
    any_,
    bindparam,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)

from emr.db.tables.tenant import dates, quantities, strings
from emr.records.search.conditions import SortKey
from emr.records.search.membership import At
from emr.records.search.rows import MOMENT, Element, Fits, bound

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


def order_of(keys: Sequence[SortKey], at: At) -> Order:
    """The order of resources at hand."""
    assert at.row is not None
    places: list[Element] = []
    laterals: list[FromClause] = []
    for number, key in enumerate(keys):
        if key.kind in ("updated", "id"):
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
    if key.kind == "string":
        column: Element = table.c.value.collate("C")
    else:
        column = table.c.high if key.descending else table.c.low
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

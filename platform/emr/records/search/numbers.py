"""Numbers, quantities and values that stand together, bound to the keys of their units (search.html#quantity)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from emr.definitions import units
from emr.definitions.search import Composite
from emr.kernel.text import fold
from emr.records.keys import canonical_unit, composite_key, key_of, token_value
from emr.records.search.question import Combined, Local, Number, Prefix, Quantity, Text, Token, Uri, Value


@dataclass(frozen=True, slots=True)
class Interval:
    """A number asked for: `exact`, and the range that counts as equal or near; `unit`: part of the key."""

    unit: str
    exact: Decimal
    low: Decimal
    high: Decimal


def intervals(value: Number | Quantity) -> list[Interval]:
    """In which units a number is looked for, and what it is there.

    A code of UCUM is compared in base units. Any other unit is compared as written. A unit without a system is the text
    of the unit or its code, and also the UCUM code of this name.
    """
    if isinstance(value, Number):
        return [Interval("", value.exact, value.low, value.high)]
    number = value.number
    if value.code is None:
        return [Interval("", number.exact, number.low, number.high)]
    found: list[Interval] = []
    if value.system in (None, units.SYSTEM) and (unit := _canonical(number, value.code)) is not None:
        found.append(unit)
    if not found or value.system is None:
        found.append(Interval(token_value(value.system, value.code), number.exact, number.low, number.high))
    return found


def _canonical(number: Number, code: str) -> Interval | None:
    exact, low, high = (units.canonical(each, code) for each in (number.exact, number.low, number.high))
    if exact is None or low is None or high is None:
        return None
    return Interval(canonical_unit(exact[1]), exact[0], low[0], high[0])


def quantity_rows(index_key: bytes, paths: Sequence[str], values: Sequence[Value]) -> dict[str, list[int | Decimal]]:
    """Columns `k x a b` (key, exact, low, high) of all values, ready for `unnest`."""
    columns: dict[str, list[int | Decimal]] = {"k": [], "x": [], "a": [], "b": []}
    for value in values:
        if not isinstance(value, (Number, Quantity)):
            continue
        for path, each in product(paths, intervals(value)):
            columns["k"].append(key_of(index_key, path, each.unit))
            columns["x"].append(each.exact)
            columns["a"].append(each.low)
            columns["b"].append(each.high)
    return columns


@dataclass(frozen=True, slots=True)
class Together:
    """One alternative of a composite value: keys, how `low` and `high` are compared with what, how `value` begins.

    With one number, `low` and `high` are its ends; with two, each is a number of its own.
    """

    keys: tuple[int, ...]
    numbers: tuple[tuple[Prefix, Interval], ...] = ()
    text: str | None = None


def together(index_key: bytes, each: Composite, value: Combined) -> Iterator[Together]:
    """How values that stand together are looked for in rows of their own."""
    texts = [fold(part.text) for part in value.parts if isinstance(part, Text)]
    combinations = list(product(*(_written(part) for part in value.parts if isinstance(part, Token | Local | Uri))))
    numbers = [part for part in value.parts if isinstance(part, Number | Quantity)]
    for way in product(*(_compared(each) for each in numbers)):
        unit = way[0][1].unit if len(way) == 1 else ""
        keys = tuple(composite_key(index_key, each.path, parts, unit) for parts in combinations)
        yield Together(keys, way, texts[0] if texts else None)


def _compared(value: Number | Quantity) -> list[tuple[Prefix, Interval]]:
    number = value.number if isinstance(value, Quantity) else value
    return [(number.prefix, each) for each in intervals(value)]


def _written(value: Token | Local | Uri) -> list[str]:
    match value:
        case Token(system, code):
            return [code or ""] if system is None else [token_value(system, code or "")]
        case Local(types, key):
            return [f"{kind}/{key}" for kind in types]
        case Uri(url):
            return [url]

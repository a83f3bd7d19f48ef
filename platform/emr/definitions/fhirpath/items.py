"""What an expression works on: typed places in a resource, and plain values."""

import functools
from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from typing import Any, Final

from emr.definitions import model
from emr.definitions.dates import range_of
from emr.definitions.primitives import TESTS

Value = Any
"""A `Node`, or a bool, int, Decimal or str that the expression has made."""
Items = list[Value]

_MOMENTS: Final = frozenset({"date", "dateTime", "instant"})
_TEXTS: Final = frozenset(TESTS) - {"boolean", "decimal", "integer", "positiveInt", "unsignedInt"}
_SYSTEM: Final = {bool: "Boolean", int: "Integer", str: "String"}
_BASES: Final = {
    "code": "string", "id": "string", "markdown": "string", "url": "uri", "canonical": "uri", "oid": "uri",
    "uuid": "uri", "positiveInt": "integer", "unsignedInt": "integer",
}  # fmt: skip
_NATIVE: Final = {"boolean": "Boolean", "decimal": "Decimal", "integer": "Integer", "date": "Date", "time": "Time",
                  "dateTime": "DateTime", "instant": "DateTime"}  # fmt: skip


class Unknown(Exception):
    """The answer depends on something that is not here, or the expression does not fit the data."""


class Node:
    """An element: its JSON value (None when only the companion is there), its type, its companion.

    `elsewhere`: it stands for a resource that is not here, of which only the type is known.
    """

    __slots__ = ("elsewhere", "extra", "kind", "value")

    def __init__(self, value: Any, kind: str, extra: Any = None, *, elsewhere: bool = False) -> None:
        self.value = value
        self.kind = kind
        self.extra = extra
        self.elsewhere = elsewhere


@functools.cache
def _members(kind: str) -> dict[str, tuple[tuple[str, str], ...]]:
    """Element name of a type to its JSON members with their types."""
    elements = model.type_of(kind).elements if kind in model.types() else {}
    return {name: tuple(element.members().items()) for name, element in elements.items()}


def root_of(resource: Any) -> Node:
    """A resource as the place where an expression begins."""
    return Node(resource, _resource_kind(resource))


def _resource_kind(value: Any) -> str:
    name = value.get("resourceType") if type(value) is dict else None
    return name if type(name) is str and name in model.resource_types() else "Resource"


def child(item: Value, name: str) -> list[Node]:
    """The elements of that name below an item."""
    if type(item) is not Node:
        return []
    if item.elsewhere:
        raise Unknown("it looks into another resource")
    value = item.value
    found: list[Node] = []
    for key, kind in _members(item.kind).get(name, ()):
        if type(value) is dict:
            own, beside = value.get(key), value.get(f"_{key}") if kind in TESTS else None
        elif type(item.extra) is dict and name in ("id", "extension"):
            own, beside = item.extra.get(key), None
        else:
            return found
        if own is not None or beside is not None:
            found.extend(_nodes(own, beside, kind))
    return found


def children(item: Value) -> Iterator[Node]:
    """All elements below an item."""
    if type(item) is Node:
        for name in _members(item.kind):
            yield from child(item, name)


def descendants(items: Items) -> Iterator[Node]:
    """All elements at any depth below."""
    for item in items:
        for each in children(item):
            yield each
            yield from descendants([each])


def _nodes(value: Any, extra: Any, kind: str) -> Iterator[Node]:
    if type(value) is list or type(extra) is list:
        values = value if type(value) is list else []
        extras = extra if type(extra) is list else []
        for index in range(max(len(values), len(extras))):
            own = values[index] if index < len(values) else None
            beside = extras[index] if index < len(extras) else None
            if own is not None or beside is not None:
                yield Node(own, _resource_kind(own) if kind == "Resource" else kind, beside)
    elif value is not None or extra is not None:
        yield Node(value, _resource_kind(value) if kind == "Resource" else kind, extra)


def plain(item: Value) -> Any:
    """The JSON value of an item."""
    return item.value if type(item) is Node else item


def has_value(item: Value) -> bool:
    """Whether it is a primitive with a value and not only extensions."""
    return type(item) is not Node or (item.value is not None and type(item.value) is not dict)


def kind_of(item: Value) -> str:
    """`Patient`, `code`, and for what the expression has made `System.Boolean` and the like."""
    if type(item) is Node:
        return item.kind
    return f"System.{_SYSTEM.get(type(item), 'Decimal')}"


def is_kind(item: Value, wanted: str) -> bool:
    """Whether an item is of a type or of one derived from it; `Boolean` is also the value of a `boolean`."""
    bare = wanted.removeprefix("FHIR.").removeprefix("System.")
    if wanted.startswith("System.") or (bare in _NATIVE.values() or bare == "String"):
        return kind_of(item) == f"System.{bare}" or (type(item) is Node and _native(item.kind) == bare)
    kind: str | None = kind_of(item)
    while kind:
        if kind == bare:
            return True
        kind = _BASES.get(kind) or (model.types()[kind]["base"] if kind in model.types() else None)
    return False


def _native(kind: str) -> str:
    return _NATIVE.get(kind) or _NATIVE.get(_BASES.get(kind, ""), "String" if kind in _TEXTS else "")


def same(left: Value, right: Value) -> bool:
    """`=` of two items: values deep, numbers by value."""
    return _same(plain(left), plain(right))


def _same(left: Any, right: Any) -> bool:
    if type(left) is bool or type(right) is bool:
        return left is right
    if isinstance(left, int | Decimal) and isinstance(right, int | Decimal):
        return left == right
    if type(left) is not type(right):
        return False
    if type(left) is dict:
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if type(left) is list:
        return len(left) == len(right) and all(_same(*pair) for pair in zip(left, right, strict=True))
    return bool(left == right)


def equal(left: Value, right: Value) -> bool | None:
    """`=` with moments by what they mean; None when the precision leaves it open."""
    order = _moments(left, right)
    return same(left, right) if order is None else order.equal


def compare(left: Value, right: Value) -> int | None:
    """-1, 0, 1, or None when it cannot be said. Raises `Unknown` for what has no order."""
    order = _moments(left, right)
    if order is not None:
        return order.sign
    first, last = _measured(left), _measured(right)
    if isinstance(first, int | Decimal) and isinstance(last, int | Decimal):
        return (first > last) - (first < last)
    if type(first) is str and type(last) is str:
        return (first > last) - (first < last)
    if type(first) is tuple and type(last) is tuple:
        return (first[1] > last[1]) - (first[1] < last[1]) if first[0] == last[0] else None
    raise Unknown("it compares what has no order")


def _measured(item: Value) -> Any:
    """A quantity as its unit and value; others as they are."""
    value = plain(item)
    if type(value) is dict and isinstance(value.get("value"), int | Decimal):
        return (value.get("system"), value.get("code") or value.get("unit")), value["value"]
    return value


class _Order:
    """Two moments at the precision in which each is written."""

    def __init__(self, left: str, right: str) -> None:
        zoned = [text.endswith("Z") or "+" in text or text.count("-") == 3 for text in (left, right)]
        first, last = range_of(left, UTC), range_of(right, UTC)
        self.sign: int | None
        self.equal: bool | None
        if first == last:
            self.sign, self.equal = 0, True
        elif first.high <= last.low or last.high <= first.low:
            certain = zoned[0] == zoned[1] or abs((first.low - last.low).total_seconds()) > 14 * 3600
            self.sign = (-1 if first.low < last.low else 1) if certain else None
            self.equal = False if certain else None
        else:
            self.sign = self.equal = None


def _moments(left: Value, right: Value) -> _Order | None:
    if not (_is_moment(left, right) or _is_moment(right, left)):
        return None
    first, last = plain(left), plain(right)
    if type(first) is not str or type(last) is not str:
        return None
    try:
        return _Order(first, last)
    except ValueError:
        raise Unknown("a date is none") from None


def _is_moment(item: Value, other: Value) -> bool:
    """A date beside another one, or beside a text that the expression has written."""
    return type(item) is Node and item.kind in _MOMENTS and (type(other) is not Node or other.kind in _MOMENTS)


def truth(items: Items) -> bool | None:
    """A collection as a condition: empty is None, one thing that is no boolean is true. Raises `Unknown` for many."""
    if not items:
        return None
    if len(items) > 1:
        raise Unknown("a condition is about several things at once")
    value = plain(items[0])
    return value if type(value) is bool else True


def one(items: Items) -> Value:
    """The only item, or None. Raises `Unknown` for many."""
    if len(items) > 1:
        raise Unknown("one thing was expected where several are")
    return items[0] if items else None

"""Simple FHIRPaths that lead to places in a resource which can be written to, as FHIRPath Patch needs them.

Understood: `Patient.contact[0].name`, `first() last() single()`, `where(system = 'x' and use = 'y')`, `ofType(T)`,
`as(T)`, `extension('url')`. An engine for FHIRPath gives values; a patch needs the object that holds them.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from emr.definitions.model import Element, type_of, types
from emr.kernel.errors import Invalid, Malformed

Json = dict[str, Any]

_NAME: Final = re.compile(r"`?([A-Za-z_][A-Za-z0-9_]*)`?")
_INDEX: Final = re.compile(r"\[\s*(\d{1,6})\s*\]")
_CALL: Final = re.compile(r"(first|last|single)\(\s*\)|(ofType|as)\(\s*(?:FHIR\.)?`?([A-Za-z]+)`?\s*\)")
_TEXT: Final = r"'((?:[^'\\]|\\.)*)'"
_EXTENSION: Final = re.compile(rf"extension\(\s*{_TEXT}\s*\)")
_WHERE: Final = re.compile(rf"where\(((?:[^'()]|{_TEXT.replace('(', '(?:', 1)})*)\)")
_EQUAL: Final = re.compile(rf"\s*([A-Za-z_.]+)\s*=\s*(?:{_TEXT}|(true|false)|(-?\d+(?:\.\d+)?))\s*(and\b|$)")
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Spot:
    """One place of a resource: the object that holds it, its JSON member, its number in a list, its data type."""

    holder: Json
    member: str
    index: int | None
    type: str

    @property
    def value(self) -> Any:
        """What stands there; None where a primitive has an extension only."""
        held = self.holder.get(self.member)
        if self.index is None:
            return held
        return held[self.index] if isinstance(held, list) and self.index < len(held) else None


@dataclass(frozen=True, slots=True)
class Field:
    """An element of one object, whether it is there or not: what `add`, `insert` and `move` work on."""

    holder: Json
    element: Element


Step = Callable[[list[Spot]], list[Spot]]


def spots(resource: Json, path: str) -> list[Spot]:
    """The places that a path leads to. Raises `Malformed` for a path that is not understood, naming where."""
    found = [_root(resource)]
    for step in _steps(resource["resourceType"], path):
        found = step(found)
    return found


def field(resource: Json, path: str) -> Field:
    """The collection that a path names by its last element. Raises `Malformed`, `Invalid`."""
    parent, dot, name = path.rpartition(".")
    if not dot or not _NAME.fullmatch(name):
        raise Malformed("patch-path", "The path of a list ends with the name of an element.", location=path[:200])
    return field_of(one(resource, parent), name, path)


def field_of(spot: Spot, name: str, path: str) -> Field:
    """The element of this name at a place. Raises `Invalid`."""
    element = _elements(spot).get(name.strip("`"))
    if element is None:
        raise Invalid("patch-path", f"{spot.type} has no element {name[:64]}.", location=path[:200])
    inside = _inside(spot)
    return Field(inside if inside is not None else _beside(spot), element)


def one(resource: Json, path: str) -> Spot:
    """The one place that a path leads to. Raises `Malformed`, `Invalid`."""
    found = spots(resource, path)
    if len(found) != 1:
        rule = f"The path leads to {len(found)} elements; it must lead to one."
        raise Invalid("patch-path", rule, location=path[:200])
    return found[0]


def companion(member: str) -> str:
    """The JSON member that holds id and extensions of a primitive (json.html#primitive)."""
    return f"_{member}"


def _root(resource: Json) -> Spot:
    return Spot({"": resource}, "", None, resource["resourceType"])


def _steps(resource_type: str, path: str) -> Iterator[Step]:
    text = path.strip()
    found = _NAME.match(text)
    if found is None or found[1] not in (resource_type, "Resource", "DomainResource"):
        raise Malformed("patch-path", f"The path begins with {resource_type}.", location=path[:200])
    at = found.end()
    while at < len(text):
        if bracket := _INDEX.match(text, at):
            yield _indexed(int(bracket[1]))
            at = bracket.end()
            continue
        step, end = _after_dot(text, at + 1) if text[at] == "." else (None, at)
        if step is None:
            raise Malformed("patch-path", f"The path is not understood from {text[at : at + 64]}.", location=path[:200])
        yield step
        at = end


def _after_dot(text: str, at: int) -> tuple[Step | None, int]:
    if call := _CALL.match(text, at):
        return (_of_type(call[3]) if call[2] else _POSITIONS[call[1]]), call.end()
    if named := _EXTENSION.match(text, at):
        return _extensions(_unescaped(named[1])), named.end()
    if where := _WHERE.match(text, at):
        tests = _tests(where[1])
        return (_where(tests) if tests else None), where.end()
    name = _NAME.match(text, at)
    if name is None or text[name.end() : name.end() + 1] == "(":
        return None, at
    return _child(name[1]), name.end()


def _child(name: str) -> Step:
    return lambda found: [each for spot in found for each in _children(spot, name)]


def _indexed(number: int) -> Step:
    return lambda found: found[number : number + 1]


def _of_type(name: str) -> Step:
    return lambda found: [spot for spot in found if spot.type == name]


def _extensions(url: str) -> Step:
    return lambda found: [
        each for spot in found for each in _children(spot, "extension") if each.value.get("url") == url
    ]


def _where(tests: list[tuple[list[str], Any]]) -> Step:
    return lambda found: [spot for spot in found if all(_holds(spot, names, wanted) for names, wanted in tests)]


def _holds(spot: Spot, names: list[str], wanted: Any) -> bool:
    here = [spot]
    for name in names:
        here = [each for one_of in here for each in _children(one_of, name)]
    values = [each.value for each in here]
    return len(values) == 1 and type(values[0]) is not dict and _same(values[0], wanted)


def _same(value: Any, wanted: Any) -> bool:
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


_POSITIONS: Final[dict[str, Step]] = {
    "first": lambda found: found[:1],
    "last": lambda found: found[-1:],
    "single": lambda found: found if len(found) <= 1 else _refuse_many(len(found)),
}


def _refuse_many(count: int) -> list[Spot]:
    raise Invalid("patch-path", f"single() stands before {count} elements.")


def _tests(text: str) -> list[tuple[list[str], Any]]:
    """`a.b = 'x' and c = true` as names and values; empty when it says anything else."""
    tests: list[tuple[list[str], Any]] = []
    at = 0
    while found := _EQUAL.match(text, at):
        literal: Any = _unescaped(found[2]) if found[2] is not None else None
        if found[3] is not None:
            literal = found[3] == "true"
        elif found[4] is not None:
            literal = float(found[4]) if "." in found[4] else int(found[4])
        tests.append((found[1].split("."), literal))
        at = found.end()
        if not found[5]:
            return tests
    return []


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), text)


def _elements(spot: Spot) -> dict[str, Element]:
    held = spot.value
    name = held.get("resourceType", spot.type) if isinstance(held, dict) else spot.type
    return type_of(name).elements if name in types() else {}


def _inside(spot: Spot) -> Json | None:
    """The object whose members are the elements below a place; a primitive's stand beside it."""
    if isinstance(spot.value, dict):
        return spot.value
    beside = spot.holder.get(companion(spot.member))
    if spot.index is not None:
        beside = beside[spot.index] if isinstance(beside, list) and spot.index < len(beside) else None
    return beside if isinstance(beside, dict) else None


def _beside(spot: Spot) -> Json:
    """A new companion of a primitive that has none."""
    made: Json = {}
    if spot.index is None:
        spot.holder[companion(spot.member)] = made
        return made
    row = spot.holder.setdefault(companion(spot.member), [])
    row.extend([None] * (spot.index + 1 - len(row)))
    row[spot.index] = made
    return made


def _children(spot: Spot, name: str) -> Iterator[Spot]:
    held = _inside(spot)
    element = _elements(spot).get(name)
    if element is None:
        raise Invalid("patch-path", f"{spot.type} has no element {name[:64]}.", location=name[:64])
    if held is None:
        return
    for member, data_type in element.members().items():
        value, beside = held.get(member), held.get(companion(member))
        if value is None and beside is None:
            continue
        count = max(len(each) for each in (value or [], beside or [])) if element.many else 1
        for number in range(count):
            yield Spot(held, member, number if element.many else None, data_type)

"""Fixed and pattern values, and what a slicing tells values apart by (FHIR R4, profiling.html#slicing)."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from emr.definitions import model
from emr.definitions.fhirpath.compiling import compiled
from emr.definitions.fhirpath.items import Node, Unknown, same
from emr.definitions.fhirpath.scope import Scope
from emr.definitions.fhirpath.syntax import Unreadable
from emr.definitions.findings import Findings, Path
from emr.definitions.profiles.demands import ABSENT, CORE, Demand, Kind

Match = Callable[[Node, Findings], bool]
_STEPS = re.compile(r"(?:^|\.)(\$this|[A-Za-z]+\([^)]*\)|[A-Za-z]+(?:\[x\])?)")
_CALL = re.compile(r"([A-Za-z]+)\(\s*(?:'([^']*)'|([A-Za-z.]*))\s*\)").fullmatch
_LITERAL: Final = frozenset({"value", "pattern"})


class Known(Protocol):
    """What a compiled profile asks of the collection that it is in."""

    def demand_of(self, url: str) -> Demand | None:
        """The tree of another profile."""

    def type_of(self, url: str) -> str | None:
        """The type that a profile, or a definition of R4, is about."""

    def keeps(self, url: str, node: Node, found: Findings) -> bool | None:
        """Whether a value keeps a profile; None when there is none of this name."""

    def keeps_at(self, url: str, node: Node, path: Path, found: Findings) -> bool | None:
        """The same, adding what is broken where the value stands; the answer only says whether it could be asked."""

    def holds(self, value_set: str, system: str | None, code: str) -> bool | None:
        """Whether a code is in a value set; None when that cannot be told here."""


def keeps_pattern(value: Any, pattern: Any) -> bool:
    """Whether a value has at least all that a pattern has (elementdefinition-definitions.html#pattern)."""
    if type(pattern) is dict:
        return type(value) is dict and all(
            key in value and keeps_pattern(value[key], each) for key, each in pattern.items()
        )
    if type(pattern) is list:
        return type(value) is list and all(any(keeps_pattern(own, each) for own in value) for each in pattern)
    return same(value, pattern)


def matcher(demand: Demand, discriminators: tuple[tuple[str, str], ...], known: Known) -> Match:
    """Whether a value is in a slice: all discriminators say so. Raises `Unreadable` when they cannot be asked."""
    if not discriminators:
        raise Unreadable("slices without a discriminator")
    tests = [_discriminator(demand, kind, path, known) for kind, path in discriminators]
    return lambda node, found: all(test(node, found) for test in tests)


def _discriminator(demand: Demand, kind: str, path: str, known: Known) -> Match:
    said = list(_said(demand, _STEPS.findall(path), known))
    items = _items(path)
    if kind in _LITERAL:
        tests = [test for each in said for test in _literals(each, known)]
        if not tests and path == "url":
            tests = [_is_value(url.partition("|")[0]) for each in demand.kinds for url in each.profiles]
        if not tests:
            raise Unreadable(f"a slice that says no value at {path}")
        return lambda node, found: _all_met(tests, items(node, found))
    if kind == "exists":
        wanted = not any(each.most == 0 for each in said)
        return lambda node, found: bool(items(node, found)) is wanted
    kinds = [each for one in said for each in one.kinds]
    if "resolve()" in path:
        kinds = [Kind(known.type_of(url) or "", (url,)) for each in kinds for url in each.targets]
    if kind == "type" and kinds:
        codes = frozenset(each.code for each in kinds)
        return lambda node, found: any(_bare(item.kind) in codes for item in items(node, found))
    return _by_profile(kinds, path, items, known)


def _all_met(tests: list[Callable[[Node], bool]], items: list[Node]) -> bool:
    return all(any(test(item) for item in items) for test in tests)


def _by_profile(kinds: list[Kind], path: str, items: Callable[[Node, Findings], list[Node]], known: Known) -> Match:
    """By the profiles that a slice names for its types, and by the type alone where it names none."""
    if not kinds or ("resolve()" in path and any(not url.startswith(CORE) for each in kinds for url in each.profiles)):
        raise Unreadable(f"slices by a profile at {path}")

    def fits(kind: Kind, node: Node, found: Findings) -> bool:
        if not kind.profiles:
            return _bare(node.kind) == kind.code
        return any(_fits(known, url, node, found) for url in kind.profiles)

    return lambda node, found: any(fits(kind, item, found) for item in items(node, found) for kind in kinds)


def _fits(known: Known, url: str, node: Node, found: Findings) -> bool:
    scratch = Findings()
    scratch.resource, scratch.root = found.resource, found.root
    if url.startswith(CORE) and node.elsewhere:
        return known.type_of(url) == node.kind
    return known.keeps(url, node, scratch) is True


def _bare(kind: str) -> str:
    return "Quantity" if kind == "SimpleQuantity" else kind


def _items(path: str) -> Callable[[Node, Findings], list[Node]]:
    """The nodes at the path of a discriminator; none where they cannot be told."""
    evaluate = compiled(path.replace("[x]", ""))

    def find(node: Node, found: Findings) -> list[Node]:
        scope = Scope(found.root, found.resource, node)
        try:
            return [each for each in evaluate(scope, [node]) if type(each) is Node]
        except Unknown:
            return []

    return find


def _said(demand: Demand, steps: list[str], known: Known, above: tuple[str, ...] = ()) -> Iterator[Demand]:
    """What is said at a path below a slice, there and in the profiles of the types on the way."""
    yield from _said_here(demand, steps, known)
    for kind in demand.kinds:
        for url in kind.profiles:
            other = known.demand_of(url) if url not in above else None
            if other is not None:
                yield from _said(other, steps, known, (*above, url))


def _said_here(demand: Demand, steps: list[str], known: Known) -> Iterator[Demand]:
    if not steps:
        yield demand
        return
    step, *rest = steps
    call = _CALL(step)
    if step == "$this" or (call and call[1] == "resolve"):
        yield from _said(demand, rest, known)
    elif call and call[1] == "extension":
        held = demand.children.get("extension")
        for each in held.slices.values() if held else ():
            if any(url.partition("|")[0] == call[2] for kind in each.kinds for url in kind.profiles):
                yield from _said(each, rest, known)
    elif call and call[1] == "ofType":
        member = next((each for each in demand.slices.values() if each.kind == call[3]), demand)
        yield from _said(member, rest, known)
    elif (below := demand.children.get(step.removesuffix("[x]"))) is not None:
        yield from _said(below, rest, known)
        for each in below.slices.values():
            yield from _said(each, rest, known)


def _literals(demand: Demand, known: Known) -> Iterator[Callable[[Node], bool]]:
    if demand.fixed is not ABSENT:
        yield _is_value(demand.fixed)
    if demand.pattern is not ABSENT:
        pattern = demand.pattern
        yield lambda node: keeps_pattern(node.value, pattern)
    if demand.fixed is ABSENT is demand.pattern and demand.binding and demand.binding[0] == "required":
        value_set = demand.binding[1]
        yield lambda node: any(known.holds(value_set, *coding) is True for coding in codings(node))
    if demand.children and demand.fixed is ABSENT is demand.pattern:
        yield from _deeper(demand, known)


def _deeper(demand: Demand, known: Known) -> Iterator[Callable[[Node], bool]]:
    """A value said piece by piece, such as `code.coding.system` and `code.coding.code`."""
    for name, below in demand.children.items():
        tests = list(_literals(below, known))
        find = compiled(f"`{name}`")
        if tests:
            yield lambda node, find=find, tests=tests: any(  # type: ignore[misc]
                all(test(each) for test in tests) for each in find(Scope(None, None, node), [node])
            )


def _is_value(value: Any) -> Callable[[Node], bool]:
    return lambda node: same(node.value, value)


def codings(node: Node) -> list[tuple[str | None, str]]:
    """System and code of what a binding is about: a code, a Coding, a CodeableConcept, a Quantity, a URI."""
    value = node.value
    if type(value) is str:
        return [(None, value)]
    if type(value) is not dict:
        return []
    held = value.get("coding")
    found = [value] if "code" in value else [each for each in held if type(each) is dict] if type(held) is list else []
    return [
        (each.get("system") if type(each.get("system")) is str else None, each["code"])
        for each in found
        if type(each.get("code")) is str
    ]


def type_named(url: str) -> str | None:
    """The type of R4 that a canonical URL of the specification names."""
    name = url.partition("|")[0].removeprefix(CORE)
    return name if url.startswith(CORE) and name in model.types() else None

"""A tree of demands turned into checks of the values that are there."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from emr.definitions import model, published
from emr.definitions.fhirpath.compiling import compiled
from emr.definitions.fhirpath.items import Node, Unknown, compare, same
from emr.definitions.fhirpath.syntax import Unreadable
from emr.definitions.findings import Findings, Path
from emr.definitions.profiles.demands import ABSENT, Demand, Kind
from emr.definitions.profiles.matching import Known, codings, keeps_pattern
from emr.definitions.profiles.slices import check_slices
from emr.definitions.rules import target_type

Check = Callable[[Node, Path, Findings], None]
Place = tuple[Node, Path]
_REFERRING: Final = frozenset({"Reference", "canonical"})


class Checks:
    """Compiles the demands of one profile. unchecked: sentences about what it asks for and nobody here can check."""

    def __init__(self, url: str, known: Known) -> None:
        self.url = url
        self.known = known
        self.unchecked: list[str] = []

    def whole(self, demand: Demand) -> Check:
        """The check of a value against all that is said about it and below it."""
        parts = [*self._own(demand), *self._below(demand)]

        def check(node: Node, path: Path, found: Findings) -> None:
            for part in parts:
                part(node, path, found)

        return check

    def _below(self, demand: Demand) -> Iterator[Check]:
        for name, child in demand.children.items():
            kind = demand.kind
            if kind not in model.types() or name not in model.type_of(kind).elements:
                self.unchecked.append(f"{name} below an element of several types")
                continue
            yield self._element(model.type_of(kind).elements[name], child)

    def _element(self, element: model.Element, demand: Demand) -> Check:
        """The check of an owner for one of its elements."""
        members = tuple(element.members().items())
        least = demand.least if demand.least is not None and demand.least > element.least else 0
        most = demand.most if demand.most is not None and demand.most < element.most else model.UNBOUNDED
        content = self.whole(demand)
        slices = check_slices(self, element, demand) if demand.slices else None
        url, name = self.url, element.name

        def check(owner: Node, path: Path, found: Findings) -> None:
            held = places(owner, name, members, path)
            if len(held) < least:
                found.add("required", f"{url} asks for {least} of this element.", (path, name, None))
            if len(held) > most:
                found.add("cardinality", f"{url} takes {most} of this element.", (path, name, None))
            for node, place in held:
                content(node, place, found)
            if slices is not None:
                slices(held, (path, name, None), found)

        return check

    def _own(self, demand: Demand) -> Iterator[Check]:
        if demand.fixed is not ABSENT:
            yield self._test(_is(demand.fixed), "fixed", "the fixed value")
        if demand.pattern is not ABSENT:
            yield self._test(_fits(demand.pattern), "pattern", "what the pattern has")
        if demand.longest is not None:
            longest = demand.longest
            rule = f"at most {longest} characters"
            yield self._test(lambda node: type(node.value) is not str or len(node.value) <= longest, "too-long", rule)
        yield from self._limits(demand)
        if demand.kinds:
            yield from self._kinds(demand.kinds)
        if demand.binding:
            yield from self._bound(*demand.binding)
        for constraint in demand.constraints.values():
            yield from self._constraint(demand, constraint)

    def _test(self, test: Callable[[Node], bool], code: str, wanted: str) -> Check:
        url = self.url

        def check(node: Node, path: Path, found: Findings) -> None:
            if node.value is not None and not test(node):
                found.add(code, f"{url} asks here for {wanted}.", path)

        return check

    def _limits(self, demand: Demand) -> Iterator[Check]:
        if demand.lowest is not ABSENT:
            yield self._test(_not_beyond(demand.lowest, -1), "format", f"nothing below {demand.lowest}")
        if demand.highest is not ABSENT:
            yield self._test(_not_beyond(demand.highest, 1), "format", f"nothing above {demand.highest}")

    def _kinds(self, kinds: tuple[Kind, ...]) -> Iterator[Check]:
        codes = frozenset(each.code for each in kinds)
        if not codes & {"Resource", "DomainResource", "Element", "BackboneElement"}:
            yield self._test(
                lambda node: _bare(node.kind) in codes or "." in node.kind, "choice", f"a {' or '.join(sorted(codes))}"
            )
        for each in kinds:
            if each.profiles and len(kinds) == 1:
                yield self._profiled(each)
            elif each.profiles:
                yield self._profiled(each, only=each.code)
            if each.targets and each.code in _REFERRING:
                yield from self._targets(each.targets)

    def _profiled(self, kind: Kind, *, only: str = "") -> Check:
        urls, known = kind.profiles, self.known

        def check(node: Node, path: Path, found: Findings) -> None:
            if only and _bare(node.kind) != only:
                return
            if len(urls) == 1:
                if known.keeps_at(urls[0], node, path, found) is None:
                    found.warn("not-checked", f"The profile {urls[0]} is not known here.", path)
                return
            answers = [known.keeps(url, node, scratch_of(found)) for url in urls]
            if True not in answers and None in answers:
                found.warn("not-checked", f"None of the profiles {', '.join(urls)} is kept or known here.", path)
            elif True not in answers:
                found.add("profile", f"This keeps none of the profiles {', '.join(urls)}.", path)

        return check

    def _targets(self, urls: tuple[str, ...]) -> Iterator[Check]:
        types = [self.known.type_of(url) for url in urls]
        if None in types:
            self.unchecked.append("references to " + ", ".join(url for url in urls if not self.known.type_of(url)))
        elif not {"Resource", "DomainResource"} & set(types):
            wanted = " or ".join(sorted({str(each) for each in types}))
            yield self._test(lambda node: _points_to(node, types), "reference", f"a reference to {wanted}")

    def _bound(self, strength: str, value_set: str) -> Iterator[Check]:
        if strength not in ("required", "extensible"):
            return
        known, url = self.known, self.url

        def check(node: Node, path: Path, found: Findings) -> None:
            answers = [known.holds(value_set, *coding) for coding in codings(node)]
            if True in answers or node.value is None:
                return
            if None in answers:
                found.warn("not-checked", f"Whether a code is in {value_set} cannot be told here.", path)
            elif strength == "required":
                found.add("code", f"{url} asks here for one of the codes of {value_set}.", path)
            elif answers:
                found.warn("code", f"{url} expects one of the codes of {value_set}, if one fits.", path)

        yield check

    def _constraint(self, demand: Demand, constraint: published.Constraint) -> Iterator[Check]:
        if any(each.key == constraint.key for each in _of_bases(demand.kind)):
            return
        if not constraint.expression:
            self.unchecked.append(f"the constraint {constraint.key}: it has no FHIRPath expression")
            return
        try:
            evaluate = compiled(constraint.expression)
        except Unreadable as reason:
            self.unchecked.append(f"the constraint {constraint.key}: {reason}")
            return

        def check(node: Node, path: Path, found: Findings) -> None:
            published.judge(constraint, evaluate, node, path, found)

        yield check


def places(owner: Node, name: str, members: tuple[tuple[str, str], ...], path: Path) -> list[Place]:
    """The values of an element with their places."""
    value = owner.value
    if type(value) is not dict:
        return []
    found: list[Place] = []
    for key, kind in members:
        held, beside = value.get(key), value.get(f"_{key}")
        if type(held) is list or type(beside) is list:
            found.extend(_listed(held, beside, kind, (path, name, None)))
        elif held is not None or beside is not None:
            found.append((Node(held, _kind_of(held, kind), beside), (path, name, None)))
    return found


def _listed(held: Any, beside: Any, kind: str, path: Path) -> Iterator[Place]:
    values = held if type(held) is list else []
    extras = beside if type(beside) is list else []
    for index in range(max(len(values), len(extras))):
        value = values[index] if index < len(values) else None
        extra = extras[index] if index < len(extras) else None
        yield Node(value, _kind_of(value, kind), extra), (path[0], path[1], index)


def _kind_of(value: Any, kind: str) -> str:
    name = value.get("resourceType") if kind == "Resource" and type(value) is dict else None
    return name if type(name) is str and name in model.resource_types() else kind


def scratch_of(found: Findings) -> Findings:
    """For a question whose answer is only yes or no."""
    scratch = Findings()
    scratch.resource, scratch.root = found.resource, found.root
    return scratch


def _bare(kind: str) -> str:
    return "Quantity" if kind == "SimpleQuantity" else kind


def _of_bases(kind: str) -> Iterator[published.Constraint]:
    """What R4 itself says about objects of a type, which is checked without any profile."""
    while kind in model.types():
        yield from published.of_type(kind)
        kind = model.types()[kind]["base"] or ""


def _is(value: Any) -> Callable[[Node], bool]:
    return lambda node: same(node.value, value)


def _fits(pattern: Any) -> Callable[[Node], bool]:
    return lambda node: keeps_pattern(node.value, pattern)


def _not_beyond(limit: Any, sign: int) -> Callable[[Node], bool]:
    return lambda node: _compared(node, limit) != sign


def _compared(node: Node, limit: Any) -> int | None:
    try:
        return compare(node, Node(limit, node.kind))
    except Unknown:
        return None


def _points_to(node: Node, types: list[str | None]) -> bool:
    kind = target_type(node.value)
    return kind is None or kind in types

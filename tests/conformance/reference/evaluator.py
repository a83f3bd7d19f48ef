"""The reference itself: resources in a dictionary, and what a search finds among them."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from emr.definitions import model
from emr.definitions.search import SearchParameter, parameters
from tests.conformance.reference import amounts, moments, values
from tests.conformance.reference.folding import begins_words, folded, human_texts, narrative
from tests.conformance.reference.path import Node, evaluate
from tests.conformance.reference.values import Asking, plain, split

Name = tuple[str, str]
Pairs = Sequence[tuple[str, str]]

COMPARTMENT = {
    "Condition": ("patient", "asserter"),
    "DocumentReference": ("subject", "author"),
    "Encounter": ("patient",),
    "MedicationRequest": ("subject",),
    "Observation": ("subject", "performer"),
    "RiskAssessment": ("subject",),
}
"""Type to the parameters that put it into the compartment of a Patient (compartmentdefinition-patient.html)."""


@dataclass
class Held:
    """The current version of a resource and when it was written."""

    resource: dict[str, Any]
    written: datetime

    @property
    def updated(self) -> float:
        """In microseconds since the year 1."""
        return moments.number_of(self.written)


@dataclass
class Reference:
    """What is in the record, and how values are to be understood."""

    held: dict[Name, Held]
    asking: Asking
    _nodes: dict[tuple[Name, str], list[Node]] = field(default_factory=dict)

    def search(self, types: Iterable[str], pairs: Pairs) -> set[Name]:
        """Every resource of the types that fits all criteria (search.html#combining)."""
        wanted = set(types)
        return {
            key for key in self.held if key[0] in wanted and all(self.fits(key, name, text) for name, text in pairs)
        }

    def in_compartment(self, patient: str, key: Name) -> bool:
        names = COMPARTMENT[key[0]]
        return any(("Patient", patient) in self.links(key, name) for name in names)

    def fits(self, key: Name, name: str, text: str) -> bool:
        """One criterion about one resource; chains lead to others (search.html#chaining, #has)."""
        if name.startswith("_has:"):
            _, kind, reference, rest = name.split(":", 3)
            others = [other for other in self.held if other[0] == kind and key in self.links(other, reference)]
            return any(self.fits(other, rest, text) for other in others)
        head, dot, rest = name.partition(".")
        if dot:
            base, _, kind = head.partition(":")
            found = [target for target in self.links(key, base) if kind in ("", target[0])]
            step = rest.partition(".")[0].partition(":")[0]
            known = [each for each in found if step.startswith("_") or step in parameters(each[0])]
            return any(self.fits(target, rest, text) for target in known)
        base, _, modifier = name.partition(":")
        asked = split(text, ",")
        if modifier in ("not", "not-in"):
            return not any(self.one(key, base, "in" if modifier == "not-in" else "", each) for each in asked)
        if modifier == "missing":
            return (text == "true") != bool(self.nodes(key, base))
        return any(self.one(key, base, modifier, each) for each in asked)

    def one(self, key: Name, base: str, modifier: str, text: str) -> bool:
        """Whether any value of a resource fits one value."""
        held = self.held[key]
        match base:
            case "_id":
                return key[1] == plain(text)
            case "_lastUpdated":
                prefix, rest = values.prefixed(plain(text))
                return moments.changed(prefix, held.updated, moments.span(rest), self.asking.now)
            case "_text":
                return begins_words(plain(text), [narrative(held.resource)])
            case "_content":
                return begins_words(plain(text), [narrative(held.resource), *human_texts(key[0], held.resource)])
            case "_list":
                return key in self.links(("List", plain(text)), "item")
        known = parameters(key[0])[base]
        if known.kind == "composite":
            return self.together(key, known, split(text, "$"))
        if modifier == "text":
            return self.worded(self.nodes(key, base), plain(text))
        asking = replace(self.asking, targets=stated_targets(key[0], base))
        return any(values.fits(known.kind, node, modifier, text, asking) for node in self.nodes(key, base))

    def worded(self, nodes: list[Node], text: str) -> bool:
        """Whether the words stand in the texts and displays of one element, which may repeat."""
        places = {node.place for node in nodes}
        read = [[text for node in nodes if node.place == place for text in values.texts(node)] for place in places]
        return any(begins_words(text, each) for each in read)

    def together(self, key: Name, known: SearchParameter, parts: list[str]) -> bool:
        """All parts in one and the same element (search.html#composite).

        On the resource itself that is the same as its parts asked for as parameters, of which those about quantities are
        also about sampled data.
        """
        root = Node(key[0], self.held[key].resource)
        components = known.composites[0].components
        for base in evaluate(known.expression, root, root):
            here = [evaluate(each.expression, base, root) for each in components]
            if base is root:
                sampled = [each.expression.replace("as(Quantity)", "as(SampledData)") for each in components]
                here = [nodes + evaluate(each, base, root) for nodes, each in zip(here, sampled, strict=True)]
            if all(
                any(values.fits(each.kind, node, "", part, self.asking) for node in nodes)
                for each, nodes, part in zip(components, here, parts, strict=True)
            ):
                return True
        return False

    def nodes(self, key: Name, base: str) -> list[Node]:
        """The values of a parameter."""
        if (key, base) not in self._nodes:
            self._nodes[key, base] = self._evaluated(key, base)
        return self._nodes[key, base]

    def _evaluated(self, key: Name, base: str) -> list[Node]:
        resource = self.held[key].resource
        if (key[0], base) == ("Patient", "deceased"):
            return [Node("boolean", resource.get("deceasedBoolean", "deceasedDateTime" in resource))]
        root = Node(*(key[0], resource))
        return evaluate(parameters(key[0])[base].expression, root, root)

    def links(self, key: Name, base: str) -> set[Name]:
        """The resources of this record to which a reference parameter leads."""
        if key not in self.held or base not in parameters(key[0]):
            return set()
        targets = stated_targets(key[0], base)
        found = set()
        for node in self.nodes(key, base):
            text = node.value.get("reference", "") if isinstance(node.value, dict) else ""
            kind, _, rest = text.partition("/")
            target = (kind, rest.partition("/")[0])
            if target in self.held and (not targets or kind in targets):
                found.add(target)
        return found

    def included(self, matches: set[Name], asked: Pairs) -> set[Name]:
        """What goes with the matches (search.html#include)."""
        found: set[Name] = set()
        frontier = set(matches)
        for number in range(8):
            ways = [(name, value) for name, value in asked if number == 0 or name.endswith(":iterate")]
            new = {each for name, value in ways for each in self._goes_with(frontier, name, value)}
            frontier = new - found - matches
            found |= frontier
        return found

    def _goes_with(self, frontier: set[Name], name: str, value: str) -> set[Name]:
        source, base, target = [*value.split(":"), "", ""][:3]
        names = [base] if base != "*" else [n for n, each in parameters(source).items() if each.kind == "reference"]
        found: set[Name] = set()
        for key in self.held:
            if key[0] != source:
                continue
            for each in names:
                links = {link for link in self.links(key, each) if target in ("", link[0])}
                if name.startswith("_include"):
                    found |= links if key in frontier else set()
                elif links & frontier:
                    found.add(key)
        return found

    def place(self, key: Name, sort: str) -> tuple[bool, Any]:
        """(has no value, value) of a sort key; the least or the greatest of several (search.html#sort)."""
        base = sort.removeprefix("-")
        if base in ("_id", "_lastUpdated"):
            return False, key[1] if base == "_id" else self.held[key].updated
        kind = parameters(key[0])[base].kind
        found = [end for node in self.nodes(key, base) for end in _ends(kind, node, descending=sort.startswith("-"))]
        return (False, max(found) if sort.startswith("-") else min(found)) if found else (True, 0)

    def ordered(self, keys: Sequence[Name], sort: str) -> bool:
        """Whether resources stand in the order that was asked for."""
        return all(self._may_follow(one, two, sort.split(",")) for one, two in pairwise(keys))

    def _may_follow(self, one: Name, two: Name, sort: Sequence[str]) -> bool:
        for each in sort:
            (lacks, first), (lacks_too, second) = self.place(one, each), self.place(two, each)
            if lacks != lacks_too:
                return lacks_too
            if first != second:
                return bool(first > second) == each.startswith("-")
        return True


def _ends(kind: str, node: Node, *, descending: bool) -> list[Any]:
    if kind == "string":
        return [folded(each) for each in values.strings(node)]
    if kind == "date":
        spans = moments.spans(node.type, node.value)
        return [each.high if descending else each.low for each in spans]
    found = [each for each in amounts.amounts(node.type, node.value) if each.unit == ""]
    return [each.high if descending else each.low for each in found]


@functools.cache
def stated_targets(type_: str, name: str) -> frozenset[str]:
    """Where a reference parameter may lead, as the specification lists it."""
    entry = model.content("parameters").get(type_, {}).get(name, {})
    return frozenset(entry.get("targets", ()))

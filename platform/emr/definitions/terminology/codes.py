"""A code system ready to be asked: its concepts by code, and which of them stand below which."""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

Json = dict[str, Any]

_UPWARD: Final = frozenset({"parent", "subsumedBy"})
_INACTIVE: Final = frozenset({"inactive", "retired"})


class Concept(NamedTuple):
    """One code. `parents` are those it is nested in and those that its properties name (codesystem.html#hierarchy).

    abstract: a heading that may not stand in data (`notSelectable`). inactive: no longer to be used.
    """

    code: str
    display: str | None
    definition: str | None
    designations: tuple[Json, ...]
    properties: tuple[Json, ...]
    parents: tuple[str, ...]
    abstract: bool
    inactive: bool


@dataclass(frozen=True)
class CodeSystem:
    """A CodeSystem resource and what follows from its concepts."""

    url: str
    version: str | None
    title: str
    status: str
    content: str
    case_sensitive: bool
    meaning: str | None
    concepts: Mapping[str, Concept]
    declared: Mapping[str, Json] = field(repr=False)
    """The properties that it declares, by code."""

    @property
    def complete(self) -> bool:
        """Whether a code that is not here is no code of the system."""
        return self.content == "complete"

    def find(self, code: str) -> Concept | None:
        """The concept of a code as it was sent, in any case where the system is not case sensitive."""
        found = self.concepts.get(code)
        if found is None and not self.case_sensitive:
            return self._folded.get(code.casefold())
        return found

    def children(self, code: str) -> tuple[str, ...]:
        """Codes directly below."""
        return self._children.get(code, ())

    def below(self, code: str) -> frozenset[str]:
        """Codes at any depth below, without the code itself; none below one that the system does not have."""
        return self._reached(code, self.children)

    def above(self, code: str) -> frozenset[str]:
        """Codes at any height above, without the code itself."""
        return self._reached(code, lambda each: self.concepts[each].parents if each in self.concepts else ())

    @property
    def hierarchical(self) -> bool:
        """Whether any concept stands below another."""
        return bool(self._children)

    def _reached(self, code: str, step: Callable[[str], Iterable[str]]) -> frozenset[str]:
        reached: set[str] = set()
        waiting = [code] if code in self.concepts else []
        while waiting:
            for each in step(waiting.pop()):
                if each not in reached and each in self.concepts:
                    reached.add(each)
                    waiting.append(each)
        return frozenset(reached - {code})

    @functools.cached_property
    def _folded(self) -> dict[str, Concept]:
        """Concepts by their code in lower case; codes that differ in nothing but their case are found as written."""
        twice = {each for each, count in Counter(map(str.casefold, self.concepts)).items() if count > 1}
        return {code.casefold(): found for code, found in self.concepts.items() if code.casefold() not in twice}

    @functools.cached_property
    def _children(self) -> dict[str, tuple[str, ...]]:
        children: dict[str, dict[str, None]] = {}
        for concept in self.concepts.values():
            for parent in concept.parents:
                children.setdefault(parent, {})[concept.code] = None
        return {parent: tuple(codes) for parent, codes in children.items()}


def code_system(resource: Json) -> CodeSystem:
    """A valid CodeSystem resource, compiled. Where a code stands twice, the first one counts."""
    concepts: dict[str, Concept] = {}
    nested_parents, named_children = _hierarchy(resource)
    for given, _ in _walk(resource.get("concept", ()), None):
        code = given["code"]
        if code not in concepts:
            parents = [*nested_parents[code], *named_children.get(code, ()), *_named(given, _UPWARD)]
            concepts[code] = _concept(given, tuple(dict.fromkeys(each for each in parents if each != code)))
    return CodeSystem(
        url=resource.get("url", ""),
        version=resource.get("version"),
        title=resource.get("title") or resource.get("name") or resource.get("url", ""),
        status=resource.get("status", "unknown"),
        # A content that is there but for its value says nothing: what is here may be all of it or not.
        content=resource.get("content", "fragment"),
        # Where it does not say, a code is accepted in any case (codesystem-definitions.html, CodeSystem.caseSensitive).
        case_sensitive=resource.get("caseSensitive", False),
        meaning=resource.get("hierarchyMeaning"),
        concepts=concepts,
        declared={each["code"]: each for each in resource.get("property", ()) if "code" in each},
    )


def supplemented(codes: CodeSystem, supplements: Iterable[Json]) -> CodeSystem:
    """The code system with the names that supplements add to its concepts (codesystem.html#supplements).

    A supplement's display is one more designation in the supplement's language. It adds no concept.
    """
    more: dict[str, list[Json]] = {}
    for supplement in supplements:
        language = supplement.get("language")
        for given, _ in _walk(supplement.get("concept", ()), None):
            told = {"value": given["display"]} if "display" in given else {}
            if told and language:
                told["language"] = language
            said = [*([told] if told else ()), *(each for each in given.get("designation", ()) if "value" in each)]
            more.setdefault(given["code"], []).extend(said)
    concepts = {
        code: concept._replace(designations=(*concept.designations, *more[code])) if code in more else concept
        for code, concept in codes.concepts.items()
    }
    return replace(codes, concepts=concepts)


def _hierarchy(resource: Json) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Parents by nesting (a code may stand in several places), and parents that name a code as their child."""
    nested: dict[str, list[str]] = {}
    named: dict[str, list[str]] = {}
    for given, parent in _walk(resource.get("concept", ()), None):
        nested.setdefault(given["code"], []).extend([parent] if parent else [])
        for child in _named(given, {"child"}):
            named.setdefault(child, []).append(given["code"])
    return nested, named


def _walk(concepts: Iterable[Json], parent: str | None) -> Iterator[tuple[Json, str | None]]:
    """Every concept that has a code, in the order in which it is written, with the code that it is nested in."""
    waiting = [(iter(concepts), parent)]
    while waiting:
        siblings, above = waiting[-1]
        given = next(siblings, None)
        if given is None:
            waiting.pop()
            continue
        if "code" in given:
            yield given, above
        waiting.append((iter(given.get("concept", ())), given.get("code", above)))


def _named(given: Json, names: Iterable[str]) -> list[str]:
    return [str(value_of(each)) for each in given.get("property", ()) if each.get("code") in names]


def _concept(given: Json, parents: tuple[str, ...]) -> Concept:
    properties = tuple(each for each in given.get("property", ()) if "code" in each and value_of(each) is not None)
    said = {each["code"]: value_of(each) for each in properties}
    return Concept(
        code=given["code"],
        display=given.get("display"),
        definition=given.get("definition"),
        designations=tuple(each for each in given.get("designation", ()) if "value" in each),
        properties=properties,
        parents=parents,
        abstract=said.get("notSelectable") is True or said.get("abstract") is True,
        inactive=said.get("inactive") is True or said.get("status") in _INACTIVE,
    )


def value_of(given: Json) -> Any:
    """The value of a concept's property, whatever its type; None for one without."""
    return next((value for name, value in given.items() if name.startswith("value")), None)

"""A code system ready to be asked: its concepts by code, and which of them stand below which."""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from emr.kernel.text import fold, words

Json = dict[str, Any]

_UPWARD: Final = frozenset({"parent", "subsumedBy"})
_INACTIVE: Final = frozenset({"inactive", "retired"})


@dataclass(frozen=True)
class Concept:
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

    @functools.cached_property
    def text(self) -> str:
        """The code and all its names as folded words, a space before each."""
        names = [self.display, *(each["value"] for each in self.designations)]
        return code_text(self.code) + "".join(f" {word}" for name in names if name for word in words(name))


def code_text(code: str) -> str:
    """A code as folded words: as it is written, and in its parts."""
    return "".join(f" {word}" for word in dict.fromkeys([fold(code), *words(code)]))


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
        """Codes at any depth below, without the code itself; a hierarchy that runs in a circle ends."""
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
        waiting = [code]
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
        status=resource["status"],
        content=resource["content"],
        # Where it does not say, a code is accepted in any case (codesystem-definitions.html, CodeSystem.caseSensitive).
        case_sensitive=resource.get("caseSensitive", False),
        meaning=resource.get("hierarchyMeaning"),
        concepts=concepts,
        declared={each["code"]: each for each in resource.get("property", ())},
    )


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
    """Every concept in the order in which it is written, with the code that it is nested in."""
    waiting = [(iter(concepts), parent)]
    while waiting:
        siblings, above = waiting[-1]
        given = next(siblings, None)
        if given is None:
            waiting.pop()
            continue
        yield given, above
        waiting.append((iter(given.get("concept", ())), given["code"]))


def _named(given: Json, names: Iterable[str]) -> list[str]:
    return [
        each.get("valueCode") or each.get("valueString", "")
        for each in given.get("property", ())
        if each["code"] in names
    ]


def _concept(given: Json, parents: tuple[str, ...]) -> Concept:
    properties = tuple(given.get("property", ()))
    said = {each["code"]: value_of(each) for each in properties}
    return Concept(
        code=given["code"],
        display=given.get("display"),
        definition=given.get("definition"),
        designations=tuple(given.get("designation", ())),
        properties=properties,
        parents=parents,
        abstract=said.get("notSelectable") is True or said.get("abstract") is True,
        inactive=said.get("inactive") is True or said.get("status") in _INACTIVE,
    )


def value_of(given: Json) -> Any:
    """The value of a concept's property, whatever its type; None for one without."""
    return next((value for name, value in given.items() if name.startswith("value")), None)

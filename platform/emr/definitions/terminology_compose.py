"""What a value set holds (valueset.html#compositions): all of its codes, or whether one code is among them.

Everything it refers to lies on a shelf beforehand, so nothing here waits. A part that cannot be known, because its code
system is not held, is refused only when the answer hangs on it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from emr.definitions.terminology_codes import CodeSystem, Concept
from emr.definitions.terminology_filters import Test, test_of
from emr.definitions.terminology_refusals import (
    CodeSystemIncomplete,
    CodeSystemUnknown,
    DefinitionUnusable,
    TooCostly,
    ValueSetUnknown,
)
from emr.kernel.errors import Refusal
from emr.kernel.text import fold

Json = dict[str, Any]
Key = tuple[str, str]

HELD_MOST: Final = 200_000
"""Codes that one expansion may pass through before it is cut into pages."""
_DEEPEST: Final = 32
_SETS_MOST: Final = 1_000
_WORK_MOST: Final = 1_000_000
"""Concepts that may be looked at for one answer, each as often as a part asks for it: a second or two."""
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")


class Shelf(Protocol):
    """Definitions by canonical URL, with or without `|version`; None for what is not held."""

    def code_system(self, canonical: str) -> CodeSystem | None:
        """A code system, ready to be asked."""

    def value_set(self, canonical: str) -> Json | None:
        """A value set as a resource."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Which version of a code system is meant (valueset-operation-expand.html): system to version.

    stated: where a value set names none. checked: it must come out so. forced: whatever a value set names.
    """

    stated: Mapping[str, str] = field(default_factory=dict)
    checked: Mapping[str, str] = field(default_factory=dict)
    forced: Mapping[str, str] = field(default_factory=dict)
    excluded: frozenset[str] = frozenset()
    """Systems, with or without version, whose codes are left out."""

    def canonical(self, include: Json) -> str:
        """The code system that a part of a value set means."""
        system: str = include["system"]
        version = self.forced.get(system) or include.get("version") or self.stated.get(system)
        return f"{system}|{version}" if version else system

    def leaves_out(self, system: str, version: str | None) -> bool:
        """Whether the codes of a system are not wanted."""
        return bool(self.excluded) and not self.excluded.isdisjoint({system, f"{system}|{version}"})


class Entry(NamedTuple):
    """One code of a value set. `concept` is None when its system is not held and the value set lists the code."""

    system: str
    version: str | None
    code: str
    concept: Concept | None
    listed: Json | None = None
    """How the value set itself writes the concept, with its own display and designations."""

    @property
    def display(self) -> str | None:
        """The value set's own text before the code system's."""
        stated = self.listed.get("display") if self.listed else None
        return stated or (self.concept.display if self.concept else None)

    def text(self) -> str:
        """The code and all its names as folded words with a space before each, for finding it as somebody types."""
        listed, concept = self.listed or {}, self.concept
        told = [listed.get("display"), concept.display if concept else None]
        for named in (listed.get("designation", ()), concept.designations if concept else ()):
            told += [each.get("value") for each in named]
        return f" {fold(self.code)} {plain(self.code)} {plain(' '.join(filter(None, told)))}"

    @property
    def inactive(self) -> bool:
        """No longer to be used."""
        return self.concept is not None and self.concept.inactive

    @property
    def abstract(self) -> bool:
        """A heading that may not stand in data."""
        return self.concept is not None and self.concept.abstract


class _Budget:
    """What may still be done for one answer: a value set that somebody sends must not cost minutes."""

    def __init__(self) -> None:
        self._left = _WORK_MOST
        self._sets = _SETS_MOST

    def spend(self, concepts: int) -> None:
        self._left -= concepts
        if self._left < 0:
            raise DefinitionUnusable("too-costly", "This value set takes more work than one answer may.")

    def enter(self) -> None:
        self._sets -= 1
        if self._sets < 0:
            raise DefinitionUnusable("too-costly", f"This value set is made of more than {_SETS_MOST} others.")


@dataclass(slots=True)
class _Part:
    """One include or exclude. `tests` all hold for a concept that it takes; `sets` all hold it too."""

    location: str
    budget: _Budget
    system: str | None = None
    canonical: str = ""
    held: CodeSystem | None = None
    listed: dict[str, Json] | None = None
    tests: tuple[Test, ...] = ()
    sets: "tuple[ValueSet, ...]" = ()

    @property
    def version(self) -> str | None:
        return self.held.version if self.held else self.canonical.partition("|")[2] or None

    def entries(self) -> Iterator[Entry]:
        """Every code that it takes; refused when they cannot all be known."""
        if self.system is None:
            first, *rest = self.sets
            self.budget.spend(len(first.entries()) * len(self.sets))
            yield from (each for each in first.entries().values() if all(other.holds(each) for other in rest))
            return
        for entry in self._of_system():
            if all(each.holds(entry) for each in self.sets):
                yield entry

    def _of_system(self) -> Iterator[Entry]:
        assert self.system is not None
        if self.listed is not None:
            self.budget.spend(len(self.listed))
            for code, given in self.listed.items():
                entry = self._entry(code, given)
                if self._fits(entry):
                    yield entry
            return
        held = self._demand()
        self.budget.spend(len(held.concepts) * (1 + len(self.tests) + len(self.sets)))
        for concept in held.concepts.values():
            entry = Entry(self.system, self.version, concept.code, concept)
            if self._fits(entry):
                yield entry

    def _fits(self, entry: Entry) -> bool:
        if not self.tests:
            return True
        if entry.concept is None:
            raise CodeSystemUnknown(self.canonical, self.location)
        concept = entry.concept
        return all(test(concept) for test in self.tests)

    def _entry(self, code: str, given: Json) -> Entry:
        assert self.system is not None
        return Entry(self.system, self.version, code, self.held.find(code) if self.held else None, given)

    def _demand(self) -> CodeSystem:
        if self.held is None:
            raise CodeSystemUnknown(self.canonical, self.location)
        return self.held

    def find(self, system: str, code: str) -> Entry | None:
        """The entry of one code, or None; refused when that cannot be known."""
        if self.system is None:
            found = self.sets[0].find(system, code)
        elif self.system != system:
            return None
        else:
            found = self._find_in_system(code)
        if found is None or not all(each.holds(found) for each in self.sets):
            return None
        return found

    def _find_in_system(self, code: str) -> Entry | None:
        if self.listed is not None:
            written = self._as_listed(code)
            entry = self._entry(written, self.listed[written]) if written is not None else None
        else:
            held = self._demand()
            concept = held.find(code)
            if concept is None and not held.complete:
                raise CodeSystemIncomplete(self.canonical, self.location)
            entry = Entry(self.system or held.url, held.version, concept.code, concept) if concept else None
        return entry if entry is not None and self._fits(entry) else None

    def _as_listed(self, code: str) -> str | None:
        assert self.listed is not None
        if code in self.listed:
            return code
        concept = self.held.find(code) if self.held else None
        return concept.code if concept is not None and concept.code in self.listed else None


@dataclass(slots=True)
class ValueSet:
    """A value set with its parts made ready."""

    canonical: str
    resource: Json
    include: list[_Part]
    exclude: list[_Part]
    active_only: bool
    budget: _Budget
    _entries: dict[Key, Entry] | None = None
    _texts: list[tuple[str, Entry]] | None = None

    def entries(self) -> dict[Key, Entry]:
        """Every code by system and code, in the order of the definition. Raises for what cannot be known whole."""
        if self._entries is None:
            found: dict[Key, Entry] = {}
            for entry in (each for part in self.include for each in part.entries()):
                found.setdefault((entry.system, entry.code), entry)
                if len(found) > HELD_MOST:
                    raise TooCostly(self.canonical, HELD_MOST)
            left_out = {(each.system, each.code) for part in self.exclude for each in part.entries()}
            self._entries = {key: each for key, each in found.items() if key not in left_out and self._wanted(each)}
        return self._entries

    def typed(self, text: str) -> list[Entry]:
        """The entries of which every word of a text begins a word: of the code or of one of its names, as folded."""
        if self._texts is None:
            self._texts = [(entry.text(), entry) for entry in self.entries().values()]
        asked = [f" {word}" for word in plain(text).split() or [fold(text)]]
        return [entry for known, entry in self._texts if all(word in known for word in asked)]

    def find(self, system: str, code: str) -> Entry | None:
        """The entry of one code, or None when it is not in the set. Raises when that cannot be known."""
        self.budget.spend(len(self.include))
        found = _first(self.include, lambda part: part.find(system, code))
        if found is None or not self._wanted(found):
            return None
        return None if _first(self.exclude, lambda part: part.find(found.system, found.code)) else found

    def holds(self, entry: Entry) -> bool:
        """Whether an entry of another set is in this one as well."""
        return self.find(entry.system, entry.code) is not None

    def _wanted(self, entry: Entry) -> bool:
        return not (self.active_only and entry.inactive)

    def systems(self) -> dict[str, CodeSystem | None]:
        """The code systems that its parts speak of, by canonical URL."""
        found: dict[str, CodeSystem | None] = {}
        for part in (*self.include, *self.exclude):
            if part.system is not None:
                found[part.canonical] = part.held
            for each in part.sets:
                found |= each.systems()
        return found

    def unclosed(self) -> bool:
        """Whether it takes codes of a system of which only a part is held, other than by listing them."""
        return any(
            (part.held is not None and part.listed is None and not part.held.complete)
            or any(each.unclosed() for each in part.sets)
            for part in self.include
        )


def _first(parts: Sequence[_Part], ask: Callable[[_Part], Entry | None]) -> Entry | None:
    """The first part that has an answer; a part that does not know is refused only when no other has one."""
    doubt: Refusal | None = None
    for part in parts:
        try:
            found = ask(part)
        except (CodeSystemUnknown, CodeSystemIncomplete, ValueSetUnknown) as refusal:
            doubt = doubt or refusal
            continue
        if found is not None:
            return found
    if doubt is not None:
        raise doubt
    return None


def plain(text: str) -> str:
    """Folded, with nothing but words and single spaces."""
    return _BETWEEN_WORDS.sub(" ", fold(text)).strip()


def value_set(shelf: Shelf, resource: Json, versions: Versions | None = None) -> ValueSet:
    """A value set ready to be asked. Raises `DefinitionUnusable`, `ValueSetUnknown`."""
    return _Builder(shelf, versions or Versions()).build(resource, ())


def _never(concept: Concept) -> bool:
    """Stands for a filter of a system that is not held: there is no concept to ask it about."""
    del concept
    return False


@dataclass(frozen=True, slots=True)
class _Builder:
    shelf: Shelf
    versions: Versions
    budget: _Budget = field(default_factory=_Budget)

    def build(self, resource: Json, above: tuple[str, ...]) -> ValueSet:
        self.budget.enter()
        url = resource.get("url", "")
        version = resource.get("version")
        canonical = f"{url}|{version}" if url and version else url
        if (url and url in above) or len(above) > _DEEPEST:
            raise DefinitionUnusable(
                "value-set-cycle", f"The value set {url[:256]} refers to itself.", location=url[:256]
            )
        compose = resource.get("compose")
        if compose is None:
            rule = f"The value set {canonical[:256]} says nothing of which codes it is made."
            raise DefinitionUnusable("value-set-empty", rule, location="ValueSet.compose")
        way = (*above, url) if url else above
        return ValueSet(
            canonical,
            resource,
            [self._part(each, way, f"ValueSet.compose.include[{n}]") for n, each in enumerate(compose["include"])],
            [
                self._part(each, way, f"ValueSet.compose.exclude[{n}]")
                for n, each in enumerate(compose.get("exclude", ()))
            ],
            active_only=compose.get("inactive") is False,
            budget=self.budget,
        )

    def _part(self, given: Json, above: tuple[str, ...], location: str) -> _Part:
        sets = tuple(self._referred(each, above, location) for each in given.get("valueSet", ()) if each)
        system = given.get("system")
        if system is None:
            if not sets:
                raise DefinitionUnusable(
                    "value-set-empty", "A part names no system and no value set.", location=location
                )
            return _Part(location, self.budget, sets=sets)
        canonical = self.versions.canonical(given)
        held = self.shelf.code_system(canonical)
        self._check(system, held, location)
        held = held if held is not None and held.content != "not-present" else None
        listed = {each["code"]: each for each in given["concept"] if "code" in each} if "concept" in given else None
        self.budget.spend(1 + len(given.get("filter", ())) * (len(held.concepts) // 100 if held else 1))
        tests = tuple(
            test_of(held, each, f"{location}.filter[{n}]") if held else _never
            for n, each in enumerate(given.get("filter", ()))
        )
        return _Part(location, self.budget, system, canonical, held, listed, tests, sets)

    def _referred(self, canonical: str, above: tuple[str, ...], location: str) -> ValueSet:
        if canonical.startswith("#"):
            rule = "A value set cannot be made of contained ones."
            raise DefinitionUnusable("value-set-contained", rule, location=f"{location}.valueSet")
        found = self.shelf.value_set(canonical)
        if found is None:
            raise ValueSetUnknown(canonical, f"{location}.valueSet")
        return self.build(found, above)

    def _check(self, system: str, held: CodeSystem | None, location: str) -> None:
        wanted = self.versions.checked.get(system)
        if wanted is not None and (held is None or held.version != wanted):
            rule = f"The value set takes {system[:256]} in another version than {wanted[:64]}."
            raise DefinitionUnusable("code-system-version", rule, location=location)

"""A value set with its parts made ready (valueset.html#compositions): all of its codes, or whether one is among them.

A part that cannot be known, because its code system is not held, is refused only when the answer hangs on it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from emr.definitions.terminology.codes import CodeSystem, Concept
from emr.definitions.terminology.filters import Test
from emr.definitions.terminology.refusals import (
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
_SETS_MOST: Final = 1_000
_WORK_MOST: Final = 1_000_000
"""Concepts that may be looked at for one answer, each as often as a part asks for it: a second or two."""
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")


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


class Budget:
    """What may still be done for one answer: a value set that somebody sends must not cost minutes."""

    def __init__(self) -> None:
        self._left = _WORK_MOST
        self._sets = _SETS_MOST

    def spend(self, concepts: int) -> None:
        """So many more concepts are looked at. Raises `DefinitionUnusable` past the most."""
        self._left -= concepts
        if self._left < 0:
            raise DefinitionUnusable("too-costly", "This value set takes more work than one answer may.")

    def enter(self) -> None:
        """One more value set is taken in. Raises `DefinitionUnusable` past the most."""
        self._sets -= 1
        if self._sets < 0:
            raise DefinitionUnusable("too-costly", f"This value set is made of more than {_SETS_MOST} others.")


@dataclass(slots=True)
class Part:
    """One include or exclude. `tests` all hold for a concept that it takes; `sets` all hold it too."""

    location: str
    budget: Budget
    system: str | None = None
    canonical: str = ""
    held: CodeSystem | None = None
    listed: dict[str, Json] | None = None
    tests: tuple[Test, ...] = ()
    sets: "tuple[ValueSet, ...]" = ()

    @property
    def version(self) -> str | None:
        """The code system's version, as held or else as asked for."""
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
    include: list[Part]
    exclude: list[Part]
    active_only: bool
    budget: Budget
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


def _first(parts: Sequence[Part], ask: Callable[[Part], Entry | None]) -> Entry | None:
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

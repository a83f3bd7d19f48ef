"""A value set made ready to be asked: all that it refers to is taken from a shelf beforehand, so that nothing waits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from emr.definitions.terminology.codes import CodeSystem, Concept
from emr.definitions.terminology.filters import test_of
from emr.definitions.terminology.held import Budget, Part, ValueSet
from emr.definitions.terminology.refusals import DefinitionUnusable, ValueSetUnknown

Json = dict[str, Any]

_DEEPEST: Final = 32


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
    budget: Budget = field(default_factory=Budget)

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

    def _part(self, given: Json, above: tuple[str, ...], location: str) -> Part:
        sets = tuple(self._referred(each, above, location) for each in given.get("valueSet", ()) if each)
        system = given.get("system")
        if system is None:
            if not sets:
                raise DefinitionUnusable(
                    "value-set-empty", "A part names no system and no value set.", location=location
                )
            return Part(location, self.budget, sets=sets)
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
        return Part(location, self.budget, system, canonical, held, listed, tests, sets)

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

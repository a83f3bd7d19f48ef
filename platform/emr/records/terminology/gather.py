"""Put on a shelf what a value set refers to, level by level: a few queries, however many parts it has."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from emr.definitions.terminology.codes import CodeSystem
from emr.definitions.terminology.composing import Versions
from emr.definitions.terminology.refusals import DefinitionUnusable
from emr.records.terminology.shelf import Held, find
from emr.work.unit import UnitOfWork

Json = dict[str, Any]

_LEVELS_MOST: Final = 32
_SETS_MOST: Final = 500


@dataclass(slots=True)
class GatheredShelf:
    """What has been found for one question."""

    systems: dict[str, Held | None] = field(default_factory=dict)
    sets: dict[str, Held | None] = field(default_factory=dict)
    parts: int = 0
    """Includes and excludes of all value sets."""

    def code_system(self, canonical: str) -> CodeSystem | None:
        """A code system, ready to be asked."""
        held = self.systems.get(canonical)
        return held.codes if held else None

    def value_set(self, canonical: str) -> Json | None:
        """A value set as a resource."""
        held = self.sets.get(canonical)
        return held.resource if held else None

    def names(self) -> frozenset[tuple[str, Hashable]]:
        """What stands here, exactly: each canonical URL with the version of the row or definition that it means."""
        found = (*self.systems.items(), *self.sets.items())
        return frozenset((canonical, held.name if held else None) for canonical, held in found)

    def size(self) -> int:
        """Concepts of all code systems here."""
        return sum(len(each.codes.concepts) for each in self.systems.values() if each and each.codes)


async def gather(work: UnitOfWork, resource: Json, versions: Versions | None = None) -> GatheredShelf:
    """Everything that a value set needs to be asked. Raises `DefinitionUnusable` for one without end."""
    asked = versions or Versions()
    shelf = GatheredShelf()
    level = [resource]
    systems: set[str] = set()
    for _ in range(_LEVELS_MOST):
        parts = [part for each in level for part in _parts(each)]
        shelf.parts += len(parts)
        systems.update(asked.canonical(part) for part in parts if "system" in part)
        wanted = {
            canonical for part in parts for canonical in part.get("valueSet", ()) if canonical
        } - shelf.sets.keys()
        if not wanted:
            break
        if len(shelf.sets) + len(wanted) > _SETS_MOST:
            raise DefinitionUnusable("value-set-too-wide", f"It refers to more than {_SETS_MOST} value sets.")
        found = await find(work, "ValueSet", wanted)
        shelf.sets |= found
        level = [held.resource for held in found.values() if held is not None]
    shelf.systems = await find(work, "CodeSystem", systems)
    return shelf


def _parts(resource: Json) -> Iterable[Json]:
    compose = resource.get("compose", {})
    return [*compose.get("include", ()), *compose.get("exclude", ())]

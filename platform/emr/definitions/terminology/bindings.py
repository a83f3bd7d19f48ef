"""The codes of a value set of R4 by what R4 holds alone, for those who know no hospital."""

import functools
from collections.abc import Mapping

from emr.definitions.terminology.codes import CodeSystem, code_system
from emr.definitions.terminology.composing import value_set
from emr.definitions.terminology.published import Json, definition
from emr.definitions.terminology.refusals import CodeSystemUnknown, DefinitionUnusable, TooCostly, ValueSetUnknown

Codes = Mapping[str, frozenset[str]]


class DefinitionsShelf:
    """R4's own definitions, each made ready when it is asked for."""

    def code_system(self, canonical: str) -> CodeSystem | None:
        """A code system, ready to be asked."""
        resource = _definition("CodeSystem", canonical)
        return code_system(resource) if resource else None

    def value_set(self, canonical: str) -> Json | None:
        """A value set as a resource."""
        return _definition("ValueSet", canonical)


@functools.lru_cache(maxsize=128)
def binding_codes(value_set_url: str) -> Codes | None:
    """System to codes, headings left out as they may not stand in data. None when R4 does not hold every code.

    `value_set_url`: canonical, with or without `|version`.
    """
    shelf = DefinitionsShelf()
    resource = shelf.value_set(value_set_url)
    if resource is None:
        return None
    try:
        ready = value_set(shelf, resource)
        entries = ready.entries().values()
    except (CodeSystemUnknown, DefinitionUnusable, TooCostly, ValueSetUnknown):
        return None
    if ready.unclosed():
        return None
    found: dict[str, set[str]] = {}
    for entry in entries:
        if not entry.abstract:
            found.setdefault(entry.system, set()).add(entry.code)
    return {system: frozenset(codes) for system, codes in found.items()}


def _definition(kind: str, canonical: str) -> Json | None:
    url, _, version = canonical.partition("|")
    return definition("CodeSystem" if kind == "CodeSystem" else "ValueSet", url, version or None)

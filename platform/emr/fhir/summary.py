"""Parts of resources: `_summary` and `_elements` (FHIR R4, search.html#summary, search.html#elements).

A part says that it is one: the tag `SUBSETTED` keeps clients from sending it back as the whole. `id`, `meta` and
elements that a resource must have are always there.
"""

import functools
from typing import Any, Final

from emr.definitions import model
from emr.kernel import json
from emr.records.search.question import Shown
from emr.records.stored import Stored

Json = dict[str, Any]
Kept = dict[str, str | None]
"""Member to the nested type whose own summary elements are kept, or None where all of it is."""

_SUBSETTED: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "subsetted",
}
_ALWAYS: Final = frozenset({"resourceType", "id", "meta", "implicitRules", "modifierExtension"})


def part(stored: Stored, shown: Shown) -> bytes:
    """The body of a version, or that part of it which is asked for."""
    if shown.whole:
        return stored.body
    value = stored.resource()
    kept = _kept(stored.type, shown)
    found = {key: _pruned(item, kept[key]) for key, item in value.items() if key in kept}
    meta = found.get("meta", {})
    found["meta"] = meta | {"tag": [*meta.get("tag", ()), _SUBSETTED]}
    return json.dumps(found)


@functools.lru_cache(maxsize=1_000)
def _kept(resource_type: str, shown: Shown) -> Kept:
    elements = model.type_of(resource_type).elements
    if shown.elements:
        wanted = set(shown.elements)
        names = {name for name, each in elements.items() if name in wanted or each.least}
        return _members(resource_type, names, nested=False)
    match shown.summary:
        case "true":
            names = {name for name, each in elements.items() if each.summary or each.least}
            return _members(resource_type, names, nested=True)
        case "text":
            return _members(resource_type, {"text"} | {n for n, each in elements.items() if each.least}, nested=False)
        case _:
            return _members(resource_type, set(elements) - {"text"}, nested=False)


def _members(type_name: str, names: set[str], *, nested: bool) -> Kept:
    """JSON members of elements, with the companions of primitives."""
    kept: Kept = dict.fromkeys(_ALWAYS)
    for name in names:
        for member, kind in model.type_of(type_name).elements[name].members().items():
            below = kind if nested and kind in model.types() and model.type_of(kind).kind == "backbone" else None
            kept[member] = kept["_" + member] = below
    return kept


def _pruned(item: Any, kind: str | None) -> Any:
    """An element of a resource's own kind, with those of its elements that belong to the summary."""
    if kind is None:
        return item
    if isinstance(item, list):
        return [_pruned(each, kind) for each in item]
    if not isinstance(item, dict):
        return item
    kept = _nested(kind)
    return {key: _pruned(each, kept[key]) for key, each in item.items() if key in kept}


@functools.cache
def _nested(kind: str) -> Kept:
    elements = model.type_of(kind).elements
    return _members(kind, {name for name, each in elements.items() if each.summary or each.least}, nested=True)

"""Parameters that are no criteria: how many, in which order, with what, how much of each (search.html#return)."""

from collections.abc import Mapping, Sequence
from typing import Final, cast

from emr.definitions.model import resource_types, type_of
from emr.definitions.own import Known
from emr.definitions.search import SearchParameter
from emr.records.errors import SearchRefused
from emr.records.search.question import Include, Shown, Sort, Summary, Total

PAGE_DEFAULT: Final = 50
PAGE_MOST: Final = 1_000
SORTS_MOST: Final = 5
INCLUDES_MOST: Final = 20
SORTABLE: Final = frozenset({"date", "string", "number", "quantity"})
SINGLE: Final = frozenset(
    {"_count", "_sort", "_summary", "_elements", "_total", "_totalMethod", "_contained", "_containedType", "_format"}
    | {"_pretty"}
)
INCLUDES: Final = frozenset({"_include", "_include:iterate", "_revinclude", "_revinclude:iterate"})
_FORMATS: Final = ("json", "application/json", "application/fhir+json", "application/fhir json", "text/json")


def count_of(value: str | None) -> int:
    """`_count`, at most `PAGE_MOST`."""
    if value is None:
        return PAGE_DEFAULT
    if not (value.isascii() and value.isdigit() and len(value) <= 6):
        raise SearchRefused("count-invalid", "_count is a whole number, 0 or more.", "_count")
    return min(int(value), PAGE_MOST)


def total_of(control: Mapping[str, str]) -> Total:
    """`_total`; `_totalMethod=count` is how fhirpy asks for an accurate total."""
    if control.get("_totalMethod", "count") != "count":
        raise SearchRefused("total-invalid", "_totalMethod is count.", "_totalMethod")
    value = control.get("_total", "accurate" if "_totalMethod" in control else "none")
    if value not in ("none", "estimate", "accurate"):
        raise SearchRefused("total-invalid", "_total is none, estimate or accurate.", "_total")
    return cast(Total, value)


def shown_of(types: Sequence[str], control: Mapping[str, str]) -> Shown:
    """`_summary` and `_elements`; the names of elements must be those of the type."""
    summary = control.get("_summary", "false")
    if summary not in ("false", "true", "text", "data", "count"):
        raise SearchRefused("summary-invalid", "_summary is true, text, data, count or false.", "_summary")
    given = control.get("_elements")
    if given is None:
        return Shown(cast(Summary, summary))
    if summary not in ("false", "count"):
        raise SearchRefused("summary-invalid", "_elements and _summary do not go together.", "_elements")
    elements = tuple(dict.fromkeys(part.strip() for part in given.split(",")))
    for each in elements:
        # `resourceType` is no element, is always shown, and is named by clients that think in JSON.
        if each != "resourceType" and not any(each in type_of(kind).elements for kind in types):
            raise SearchRefused("elements-unknown", f"There is no element {each[:64]} here.", "_elements")
    return Shown(cast(Summary, summary), elements)


def refuse_forms(control: Mapping[str, str]) -> None:
    """`_format`, `_pretty` and what may be asked of contained resources: that they are no matches of their own."""
    if control.get("_format", "json") not in _FORMATS:
        raise SearchRefused("format-unknown", "_format is json.", "_format")
    if control.get("_pretty", "false") not in ("true", "false"):
        raise SearchRefused("pretty-invalid", "_pretty is true or false.", "_pretty")
    if control.get("_contained", "false") != "false":
        rule = "This server does not search contained resources; _contained is false."
        raise SearchRefused("search-unsupported", rule, "_contained")
    if control.get("_containedType", "container") != "container":
        rule = "This server does not search contained resources; _containedType is container."
        raise SearchRefused("search-unsupported", rule, "_containedType")


def sort_of(known: Known, types: Sequence[str], value: str | None) -> tuple[Sort, ...]:
    """`_sort`: several keys, each with a dash when the greatest comes first (search.html#sort)."""
    keys = value.split(",") if value is not None else ["-_lastUpdated"]
    if len(keys) > SORTS_MOST:
        raise SearchRefused("search-too-long", f"A search has at most {SORTS_MOST} sort keys.", "_sort")
    found = tuple(_sort(known, types, key) for key in keys)
    if len({each.name for each in found}) != len(found):
        raise SearchRefused("sort-unknown", "A sort key stands once.", "_sort")
    return found


def _sort(parameters: Known, types: Sequence[str], key: str) -> Sort:
    name, descending = key.removeprefix("-"), key.startswith("-")
    if name == "_lastUpdated":
        return Sort(name, "updated", descending)
    if name == "_id":
        return Sort(name, "id", descending)
    found = [parameters.parameter(each, name) for each in types]
    known = [each for each in found if each is not None and each.paths and not each.unsupported]
    kinds = {each.kind for each in known}
    if len(known) != len(found) or len(kinds) != 1 or not kinds <= SORTABLE:
        raise SearchRefused("sort-unknown", f"{'|'.join(types)[:64]} cannot be sorted by {name[:64]}.", "_sort")
    paths = tuple(dict.fromkeys(path for each in known for path in each.paths))
    return Sort(name, known[0].kind, descending, paths)


def include_of(parameters: Known, types: Sequence[str], name: str, value: str) -> Include:
    """`_include` and `_revinclude`: `Type:parameter`, `Type:parameter:Target`, `Type:*` or `*`."""
    control, _, mode = name.partition(":")
    back, iterate = control == "_revinclude", mode == "iterate"
    parts = value.split(":")
    if parts == ["*"] and not back and len(types) == 1:
        parts = [types[0], "*"]
    known = _references(parameters, parts) if len(parts) in (2, 3) and parts[0] in resource_types() else []
    target = parts[2] if len(parts) == 3 else None
    if target is not None:
        known = [each for each in known if _leads(each, target)]
    own = back or iterate or parts[0] in types
    if not known or not own:
        rule = f"{control} is Type:parameter[:Target] with a reference parameter of a type that is searched, or Type:*."
        raise SearchRefused("include-unknown", rule, name)
    paths = tuple((path, (target,) if target else tuple(sorted(each.targets))) for each in known for path in each.paths)
    return Include(parts[0], tuple(dict.fromkeys(paths)), back, iterate)


def _references(parameters: Known, parts: Sequence[str]) -> list[SearchParameter]:
    if parts[1] == "*":
        return parameters.references(parts[0])
    found = parameters.parameter(parts[0], parts[1])
    return [found] if found is not None and found.kind == "reference" and not found.unsupported else []


def _leads(known: SearchParameter, target: str) -> bool:
    return target in resource_types() and (not known.targets or target in known.targets)

"""Is a resource what R4 says it is? Structure, primitive formats, choices, required codes, invariants that matter."""

from typing import Any, Final

from emr.definitions import model
from emr.definitions.bundles import MAX_ENTRIES
from emr.definitions.findings import Findings
from emr.definitions.shapes import check_resource
from emr.kernel.errors import Invalid, Issue, Malformed, TooLarge

TYPE_FAULT: Final = "resource-type"

Json = dict[str, Any]


def validate(resource: Any, *, expected_type: str | None = None) -> list[Issue]:
    """All that is wrong, at most 100 issues, each with a FHIRPath; an empty list is a valid resource. Never raises.

    Codes: `resource-type unknown-element wrong-type cardinality required choice format code empty too-long reference
    narrative extension attachment contained bundle invariant`. Messages name elements and rules, never values.
    """
    return _examined(resource, expected_type, Findings()).issues


def examine(resource: Any, *, expected_type: str | None = None) -> Findings:
    """The same with advice: best practice, and what could not be checked."""
    return _examined(resource, expected_type, Findings(thorough=True))


def _examined(resource: Any, expected_type: str | None, found: Findings) -> Findings:
    if first := _no_resource(resource, expected_type):
        found.issues.append(first)
    else:
        check_resource(resource, (None, resource["resourceType"], None), found)
    return found


def _no_resource(resource: Any, expected_type: str | None) -> Issue | None:
    """Why it is not worth looking at the elements."""
    if type(resource) is not dict:
        return Issue(TYPE_FAULT, "A resource is an object.")
    name = resource.get("resourceType")
    if type(name) is not str or name not in model.resource_types():
        return Issue(TYPE_FAULT, "A resource names its type, one of R4.", "resourceType")
    if expected_type is not None and name != expected_type:
        return Issue(TYPE_FAULT, f"Expected is a resource of type {expected_type}.", f"{name}.resourceType")
    entries = resource.get("entry")
    if name == "Bundle" and type(entries) is list and len(entries) > MAX_ENTRIES:
        return Issue("too-long", f"A Bundle has at most {MAX_ENTRIES} entries.", "Bundle.entry")
    return None


def demand_envelope(bundle: Json) -> None:
    """`demand_valid` for a Bundle whose entries answer for their resources one by one, as those of a batch do."""
    entries = bundle.get("entry")
    if type(entries) is list:
        bundle = {**bundle, "entry": [_without_content(entry) for entry in entries]}
    demand_valid(bundle, expected_type="Bundle")


def _without_content(entry: Any) -> Any:
    """An empty Parameters is a valid resource, and stands for that of the entry."""
    if type(entry) is dict and type(entry.get("resource")) is dict:
        return {**entry, "resource": {"resourceType": "Parameters"}}
    return entry


def demand_valid(resource: Any, *, expected_type: str | None = None) -> None:
    """`validate` for a caller that goes on only with a valid resource.

    Raises Malformed when it is no resource of the type asked for, TooLarge for a text over the limit, else Invalid.
    """
    issues = validate(resource, expected_type=expected_type)
    if not issues:
        return
    first = issues[0]
    kind = {TYPE_FAULT: Malformed, "too-long": TooLarge}.get(first.code, Invalid)
    raise kind(first.code, first.message, location=first.location, issues=tuple(issues))

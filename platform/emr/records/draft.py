"""From what was sent to a version that can be stored: parsed, checked against its definition, given id and meta."""

from typing import Any

from emr.definitions.validate import demand_valid
from emr.kernel import json
from emr.kernel.errors import Malformed
from emr.records.store import Draft, next_moment
from emr.records.stored import Stored, is_id
from emr.work.unit import UnitOfWork


def checked(document: json.Document, resource_type: str) -> dict[str, Any]:
    """The resource, when it is one of this type and breaks no rule. Raises `Malformed`, `Invalid`, `TooLarge`."""
    value = document.value
    sent = value.get("resourceType")
    if sent != resource_type:
        raise Malformed(
            "wrong-type", f"A {resource_type} is expected here by its resourceType.", location="resourceType"
        )
    demand_valid(value, expected_type=resource_type)
    return value


def checked_id(text: str) -> str:
    """The id, when it has the form that FHIR gives ids. Raises `Malformed`."""
    if not is_id(text):
        raise Malformed("id-form", "An id has 1 to 64 letters, digits, dashes and dots.", location="id")
    return text


def draft_of(work: UnitOfWork, document: json.Document, *, resource_type: str, resource_id: str) -> Draft:
    """The first version of a resource."""
    return _draft(work, document, resource_type, resource_id, None)


def draft_after(work: UnitOfWork, document: json.Document, before: Stored) -> Draft:
    """The version that follows `before`."""
    return _draft(work, document, before.type, before.id, before)


def _draft(
    work: UnitOfWork, document: json.Document, resource_type: str, resource_id: str, before: Stored | None
) -> Draft:
    version, updated = (before.version + 1 if before else 1), next_moment(work, before)
    body = json.splice(document, type=resource_type, id=resource_id, version=version, last_updated=updated)
    meta = json.server_meta(document.value.get("meta"), version=version, last_updated=updated)
    value = {**document.value, "id": resource_id, "meta": meta}
    verb = "create" if before is None or before.deleted else "update"
    pk = before.pk if before else 0
    return Draft(verb, resource_type, resource_id, version, updated, value, body, pk)

"""From what was sent to a version that can be stored: parsed, checked against its definition, given id and meta."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from emr.definitions.validate import demand_valid
from emr.kernel import json
from emr.kernel.errors import Malformed
from emr.records.stored import Stored, is_id

_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(slots=True)
class Draft:
    """A version that is about to be stored. `value` is the parsed body, `body` its complete text."""

    verb: str
    type: str
    id: str
    version: int
    updated: datetime
    value: dict[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    pk: int = 0
    patients: tuple[str, ...] = ()
    place: str = ""
    """Where it stands in the Bundle that brought it, as a FHIRPath."""

    @property
    def deleted(self) -> bool:
        """Whether this version says that the resource is gone."""
        return self.verb == "delete"

    def stored(self) -> Stored:
        """What the verb answers."""
        return Stored(
            self.type, self.id, self.version, self.updated, self.body, self.deleted, self.patients, self.pk,
            created=self.verb == "create",
        )  # fmt: skip


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


def draft_of(now: datetime, document: json.Document, *, resource_type: str, resource_id: str) -> Draft:
    """The first version of a resource."""
    return _draft(now, document, resource_type, resource_id, None)


def draft_after(now: datetime, document: json.Document, before: Stored) -> Draft:
    """The version that follows `before`."""
    return _draft(now, document, before.type, before.id, before)


def moment_after(now: datetime, before: Stored | None = None) -> datetime:
    """The present in milliseconds, later than the version before."""
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return now if before is None else max(now, before.last_updated + _MILLISECOND)


def _draft(
    now: datetime, document: json.Document, resource_type: str, resource_id: str, before: Stored | None
) -> Draft:
    version, updated = (before.version + 1 if before else 1), moment_after(now, before)
    body = json.splice(document, type=resource_type, id=resource_id, version=version, last_updated=updated)
    meta = json.server_meta(document.value.get("meta"), version=version, last_updated=updated)
    value = {**document.value, "id": resource_id, "meta": meta}
    verb = "create" if before is None or before.deleted else "update"
    pk = before.pk if before else 0
    return Draft(verb, resource_type, resource_id, version, updated, value, body, pk)

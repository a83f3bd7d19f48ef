"""Change parts of a resource: the result is stored as an update would be (FHIR R4, http.html#patch)."""

from dataclasses import dataclass
from typing import Any, Final

from emr.access.permissions import demand_change, demand_sight
from emr.definitions.validate import demand_valid
from emr.kernel import json
from emr.kernel.errors import Invalid
from emr.records import patch_json, patch_path
from emr.records.condition import Condition, claim
from emr.records.current import refuse_deleted
from emr.records.draft import checked, checked_id
from emr.records.errors import ResourceNotFound
from emr.records.store import lock
from emr.records.stored import Stored
from emr.records.update import refuse_moved, succeed
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_SERVERS_OWN: Final = ("versionId", "lastUpdated")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Patch:
    """What is to change: operations of JSON Patch, or those of FHIRPath Patch."""

    json_operations: list[Json] | None = None
    path_operations: list[patch_path.Operation] | None = None

    def applied(self, before: Stored) -> Json:
        """The resource as it shall be. Raises `Malformed`, `Invalid`, also when its identity would change."""
        value = before.resource()
        if self.json_operations is not None:
            value = patch_json.apply_json_patch(value, self.json_operations)
        if self.path_operations is not None:
            value = patch_path.apply_path_patch(value, self.path_operations)
        _refuse_other_identity(before.resource(), value)
        return value


def json_patch(content: bytes) -> Patch:
    """A JSON Patch document (RFC 6902). Raises `Malformed`, `TooLarge`."""
    return Patch(json_operations=patch_json.operations_of(content))


def path_patch(parameters: Json) -> Patch:
    """A FHIRPath Patch (FHIR R4, fhirpatch.html). Raises `Malformed`, `Invalid`."""
    demand_valid(parameters, expected_type="Parameters")
    return Patch(path_operations=patch_path.operations_of(parameters))


@use_case("record:update", "record.patched")
async def patch(
    work: UnitOfWork, resource_type: str, resource_id: str, change: Patch, *, if_match: int | None = None
) -> Stored:
    """The next version of a resource that is there.

    Raises `ResourceNotFound`, `ResourceGone`, `VersionMoved`, what the patch raises, and what an update of the result
    raises.
    """
    demand_change(work.principal, resource_type, "u")
    demand_sight(work.principal, resource_type, "r")
    before = await lock(work, resource_type, checked_id(resource_id))
    return await _patched(work, (resource_type, resource_id), before, change, if_match)


@use_case("record:update", "record.patched")
async def patch_where(work: UnitOfWork, condition: Condition, change: Patch, *, if_match: int | None = None) -> Stored:
    """The same for the one resource that fits. Raises `ResourceNotFound` when none does, `ManyMatches`."""
    demand_change(work.principal, condition.type, "u")
    before = await claim(work, condition)
    return await _patched(work, (condition.type, ""), before, change, if_match)


async def _patched(
    work: UnitOfWork, name: tuple[str, str], before: Stored | None, change: Patch, if_match: int | None
) -> Stored:
    if before is None:
        raise ResourceNotFound(*name)
    refuse_deleted(before)
    refuse_moved(before, if_match)
    document = json.compose(change.applied(before))
    checked(document, before.type)
    return await succeed(work, document, (before.type, before.id), before)


def _refuse_other_identity(before: Json, after: Json) -> None:
    meta, new_meta = before.get("meta"), after.get("meta")
    same_meta = isinstance(new_meta, dict) and all(
        isinstance(meta, dict) and new_meta.get(name) == meta.get(name) for name in _SERVERS_OWN
    )
    if (after.get("resourceType"), after.get("id")) != (before["resourceType"], before["id"]) or not same_meta:
        rule = "A patch leaves resourceType, id, meta.versionId and meta.lastUpdated as they are."
        raise Invalid("patch-identity", rule)

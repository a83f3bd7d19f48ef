"""Replace a resource with its next version, or create it under the id that the client chose (http.html#update)."""

from typing import Any

from emr.access.permissions import demand_change
from emr.kernel import json
from emr.kernel.errors import Malformed
from emr.records.draft import checked, checked_id, draft_after, draft_of
from emr.records.errors import VersionMoved
from emr.records.references import local_references, refuse_missing
from emr.records.store import Draft, lock, prepare, store
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case


@use_case("record:update", "record.updated")
async def update(
    work: UnitOfWork, resource_type: str, resource_id: str, body: bytes, *, if_match: int | None = None
) -> Stored:
    """Store the next version, or version 1 under the client's id.

    `if_match` is the version that must be current. Raises `Malformed` (also when the body names another id),
    `ResourceInvalid`, `ReferenceBroken`, `VersionMoved`, `Forbidden`.
    """
    return await _update(work, (resource_type, resource_id), json.parse(body), if_match)


@use_case("record:update", "record.updated")
async def update_resource(work: UnitOfWork, resource: dict[str, Any], *, if_match: int | None = None) -> Stored:
    """The same for a resource that a feature has put together as a dict with its `id`."""
    document = json.compose(resource)
    return await _update(work, (resource["resourceType"], resource["id"]), document, if_match)


async def _update(work: UnitOfWork, name: tuple[str, str], document: json.Document, if_match: int | None) -> Stored:
    demand_change(work.principal, name[0])
    resource_type, resource_id = name[0], checked_id(name[1])
    value = checked(document, resource_type)
    if value.get("id") != resource_id:
        raise Malformed("id-mismatch", "The body must carry the id of the address.", location="id")
    before = await lock(work, resource_type, resource_id)
    refuse_moved(before, if_match)
    targets = local_references(work, value)
    targets.pop((resource_type, resource_id), None)
    known = await prepare(work, new=0 if before else 1, references=targets)
    refuse_missing(targets, known)
    draft: Draft
    if before is None:
        draft = draft_of(work, document, resource_type=resource_type, resource_id=resource_id)
        draft.pk = known.pks[0]
    else:
        draft = draft_after(work, document, before)
    await store(work, [draft], known.found)
    return draft.stored()


def refuse_moved(before: Stored | None, if_match: int | None) -> None:
    """Raise `VersionMoved` unless the current version is the one that the client has seen."""
    if if_match is not None and (before is None or before.version != if_match):
        raise VersionMoved(before.version if before else 0)

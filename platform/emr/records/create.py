"""Create a resource (FHIR R4, http.html#create)."""

from typing import Any

from emr.access.permissions import demand_change
from emr.kernel import json
from emr.kernel.ids import uuid7
from emr.records.condition import Condition, hold, match
from emr.records.draft import checked, draft_of
from emr.records.references import local_references, refuse_missing
from emr.records.store import prepare, store
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case


@use_case("record:create", "record.created")
async def create(work: UnitOfWork, resource_type: str, body: bytes, *, if_none_exist: str | None = None) -> Stored:
    """Store a new resource under an id of ours, or give the one that `If-None-Exist` finds (`created` is False).

    Raises `Malformed`, `ResourceInvalid`, `ReferenceBroken`, `ManyMatches`, `Forbidden`.
    """
    document = json.parse(body)
    return await _create(work, resource_type, document, if_none_exist)


@use_case("record:create", "record.created")
async def create_resource(work: UnitOfWork, resource: dict[str, Any], *, if_none_exist: str | None = None) -> Stored:
    """The same for a resource that a feature has put together as a dict."""
    document = json.compose(resource)
    return await _create(work, resource["resourceType"], document, if_none_exist)


async def _create(work: UnitOfWork, resource_type: str, document: json.Document, if_none_exist: str | None) -> Stored:
    demand_change(work.principal, resource_type, "c")
    value = checked(document, resource_type)
    if if_none_exist is not None:
        condition = Condition(resource_type, if_none_exist)
        await hold(work, [condition])
        if (found := await match(work, condition)) is not None:
            work.trail.read(found.type, found.id, found.version)
            work.trail.concerns(*found.patients)
            return found
    targets = local_references(work.request.base_url, value)
    known = await prepare(work, new=1, references=targets)
    refuse_missing(targets, known)
    draft = draft_of(work.clock(), document, resource_type=resource_type, resource_id=uuid7())
    draft.pk = known.pks[0]
    await store(work, [draft], known.found, last=True)
    return draft.stored()

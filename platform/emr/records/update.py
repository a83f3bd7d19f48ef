"""Replace a resource with its next version, or create it under the id that the client chose (http.html#update)."""

from dataclasses import dataclass
from typing import Any

from emr.access.permissions import demand_change
from emr.kernel import json
from emr.kernel.errors import Malformed
from emr.kernel.ids import uuid7
from emr.records.condition import Condition, claim
from emr.records.draft import Draft, checked, checked_id, draft_after, draft_of
from emr.records.errors import AlreadyThere, IdTaken, VersionMoved
from emr.records.references import Targets, local_references, refuse_missing
from emr.records.store import lock, lock_with, prepare, store
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case


@dataclass(frozen=True, slots=True)
class Expected:
    """What a client supposes of the current version: its number (`If-Match`), or that there is none
    (`If-None-Match: *`).
    """

    version: int | None = None
    nothing: bool = False

    def demand(self, before: Stored | None) -> None:
        """Raise `VersionMoved` or `AlreadyThere` unless it is so."""
        if self.nothing and before is not None and not before.deleted:
            raise AlreadyThere
        refuse_moved(before, self.version)


@use_case("record:update", "record.updated")
async def update(
    work: UnitOfWork, resource_type: str, resource_id: str, body: bytes, *, expected: Expected = Expected()
) -> Stored:
    """Store the next version, or version 1 under the client's id.

    Raises `Malformed` (also when the body names another id), `ResourceInvalid`, `ReferenceBroken`, `VersionMoved`,
    `AlreadyThere`, `Forbidden`.
    """
    return await _update(work, (resource_type, resource_id), json.parse(body), expected)


@use_case("record:update", "record.updated")
async def update_resource(work: UnitOfWork, resource: dict[str, Any], *, if_match: int | None = None) -> Stored:
    """The same for a resource that a feature has put together as a dict with its `id`."""
    document = json.compose(resource)
    return await _update(work, (resource["resourceType"], resource["id"]), document, Expected(if_match))


@use_case("record:update", "record.updated")
async def update_where(
    work: UnitOfWork, condition: Condition, body: bytes, *, expected: Expected = Expected()
) -> Stored:
    """Store the next version of the one resource that fits, or create it (FHIR R4, http.html#cond-update).

    Nothing fits: created, under the body's id if it has one (`IdTaken` when that belongs to another). One fits: it is
    updated, if the body has its id or none (else `Malformed`). More: `ManyMatches`.
    """
    demand_change(work.principal, condition.type, "cu")
    document = json.parse(body)
    value = checked(document, condition.type)
    before = await claim(work, condition)
    sent = value.get("id")
    if before is not None:
        if sent is not None and sent != before.id:
            raise Malformed("id-mismatch", "The body's id is not that of the resource that fits.", location="id")
        resource_id = before.id
    elif sent is not None:
        resource_id = checked_id(sent)
        before = await lock(work, condition.type, resource_id)
        if before is not None and not before.deleted:
            raise IdTaken
    else:
        resource_id = uuid7()
    expected.demand(before)
    return await succeed(work, document, (condition.type, resource_id), before)


async def _update(work: UnitOfWork, name: tuple[str, str], document: json.Document, expected: Expected) -> Stored:
    demand_change(work.principal, name[0], "cu")
    resource_id = checked_id(name[1])
    value = checked(document, name[0])
    if value.get("id") != resource_id:
        raise Malformed("id-mismatch", "The body must carry the id of the address.", location="id")
    targets = _targets(work, document, name)
    before, known = await lock_with(work, name, targets)
    expected.demand(before)
    refuse_missing(targets, known)
    return await _put(work, document, name, before, known)


async def succeed(work: UnitOfWork, document: json.Document, name: tuple[str, str], before: Stored | None) -> Stored:
    """Store a checked document as the version that follows `before`, which is held; as the first without one.

    Raises `ReferenceBroken`, `ResourceInvalid`.
    """
    targets = _targets(work, document, name)
    known = await prepare(work, new=0 if before else 1, references=targets)
    refuse_missing(targets, known)
    return await _put(work, document, name, before, known)


def _targets(work: UnitOfWork, document: json.Document, name: tuple[str, str]) -> dict[tuple[str, str], str]:
    """What the document refers to beside itself."""
    targets = local_references(work.request.base_url, document.value)
    targets.pop(name, None)
    return targets


async def _put(
    work: UnitOfWork, document: json.Document, name: tuple[str, str], before: Stored | None, known: Targets
) -> Stored:
    draft: Draft
    if before is None:
        draft = draft_of(work.clock(), document, resource_type=name[0], resource_id=name[1])
        draft.pk = known.pks[0]
    else:
        draft = draft_after(work.clock(), document, before)
    await store(work, [draft], known.found, last=True)
    return draft.stored()


def refuse_moved(before: Stored | None, if_match: int | None) -> None:
    """Raise `VersionMoved` unless the current version is the one that the client has seen."""
    if if_match is not None and (before is None or before.version != if_match):
        raise VersionMoved(before.version if before else 0)

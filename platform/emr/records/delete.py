"""Delete a resource: it leaves a tombstone as its newest version, and its history stays (http.html#delete)."""

from collections.abc import Collection
from typing import Final

from emr.access.permissions import demand_change
from emr.records.condition import Condition, claim
from emr.records.draft import Draft, checked_id, moment_after
from emr.records.errors import PatientHasData
from emr.records.store import lock, store
from emr.records.stored import Stored
from emr.records.update import refuse_moved
from emr.work.unit import UnitOfWork, as_whole
from emr.work.use_case import use_case

_OTHERS: Final = "SELECT EXISTS (SELECT 1 FROM compartments WHERE patient = $1 AND pk <> $1 AND pk <> ALL ($2))"


@use_case("record:delete", "record.deleted")
async def delete(
    work: UnitOfWork, resource_type: str, resource_id: str, *, if_match: int | None = None
) -> Stored | None:
    """The tombstone, or None when there is nothing to delete (which is no error).

    Raises `Malformed` for what is no id, `PatientHasData` for a Patient whose record is not empty, `VersionMoved`,
    `Forbidden`.
    """
    demand_change(work.principal, resource_type, "d")
    before = await lock(work, resource_type, checked_id(resource_id), to_delete=True)
    return await _delete(work, before, if_match)


@use_case("record:delete", "record.deleted")
async def delete_where(work: UnitOfWork, condition: Condition, *, if_match: int | None = None) -> Stored | None:
    """The tombstone of the one resource that fits, or None when nothing does (http.html#cdelete).

    Raises `ManyMatches`: no request deletes more than one resource here. Else as `delete`.
    """
    demand_change(work.principal, condition.type, "d")
    return await _delete(work, await claim(work, condition, to_delete=True), if_match)


async def _delete(work: UnitOfWork, before: Stored | None, if_match: int | None) -> Stored | None:
    if before is None or before.deleted:
        return None
    refuse_moved(before, if_match)
    draft = await tombstone(work, before)
    work.trail.concerns(*before.patients)
    await store(work, [draft], {}, last=True)
    return draft.stored()


async def tombstone(work: UnitOfWork, before: Stored, *, beside: Collection[int] = ()) -> Draft:
    """The version that says that a resource is gone. `beside`: pks of what is deleted with it.

    Raises `PatientHasData`.
    """
    if before.type == "Patient":
        # Also what is hidden from the one who deletes keeps a Patient here.
        async with as_whole(work) as own:
            others = await own.db.fetchval(_OTHERS, before.pk, list(beside), name="others")
        if others:
            raise PatientHasData
    moment = moment_after(work.clock(), before)
    return Draft("delete", before.type, before.id, before.version + 1, moment, {}, b"", before.pk)

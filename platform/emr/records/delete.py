"""Delete a resource: it leaves a tombstone as its newest version, and its history stays (http.html#delete)."""

from typing import Final

from emr.access.permissions import demand_change
from emr.records.draft import checked_id
from emr.records.errors import PatientHasData
from emr.records.store import Draft, lock, next_moment, store
from emr.records.stored import Stored
from emr.records.update import refuse_moved
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_OTHERS: Final = "SELECT EXISTS (SELECT 1 FROM compartments WHERE patient = $1 AND pk <> $1)"


@use_case("record:delete", "record.deleted")
async def delete(
    work: UnitOfWork, resource_type: str, resource_id: str, *, if_match: int | None = None
) -> Stored | None:
    """The tombstone, or None when there is nothing to delete (which is no error).

    Raises `Malformed` for what is no id, `PatientHasData` for a Patient whose record is not empty, `VersionMoved`,
    `Forbidden`.
    """
    demand_change(work.principal, resource_type)
    before = await lock(work, resource_type, checked_id(resource_id), to_delete=True)
    if before is None or before.deleted:
        return None
    refuse_moved(before, if_match)
    draft = await tombstone(work, before)
    await store(work, [draft], {})
    work.trail.concerns(*before.patients)
    return draft.stored()


async def tombstone(work: UnitOfWork, before: Stored) -> Draft:
    """The version that says that a resource is gone. Raises `PatientHasData`."""
    if before.type == "Patient" and await work.db.fetchval(_OTHERS, before.pk, name="others"):
        raise PatientHasData
    moment = next_moment(work, before)
    return Draft("delete", before.type, before.id, before.version + 1, moment, {}, b"", before.pk)

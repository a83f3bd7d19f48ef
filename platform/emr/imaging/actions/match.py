"""Put a study into the chart where it belongs, by a human's decision."""

from typing import Any

from emr.imaging import repository
from emr.imaging.errors import InstanceNotFound
from emr.imaging.filing import list_study, patients_numbered
from emr.imaging.policy import record_numbers
from emr.records.read import read
from emr.work.unit import UnitOfWork, as_whole
from emr.work.use_case import use_case


@use_case("imaging:store", "imaging.candidates")
async def find_holders(work: UnitOfWork, number: str) -> list[dict[str, Any]]:
    """The Patients of this hospital that have `number` as their record number."""
    return [one for one in await patients_numbered(work, number) if number in record_numbers(one)]


@use_case("imaging:store", "imaging.matched")
async def match_study(work: UnitOfWork, study: str, patient: str) -> None:
    """Say whose study it is, once. Raises InstanceNotFound for a study that is not waiting, ResourceNotFound."""
    await read(work, "Patient", patient)
    async with as_whole(work) as own:
        await repository.lock_study(own.db, study)
        rows = await repository.series_of(own.db, [study])
        if not rows or rows[0]["patient"]:
            raise InstanceNotFound("not-found", "There is no such study waiting here.")
        await repository.match_study(own.db, study, patient)
        await list_study(own, study)

"""Patients of the record for tests of imaging, and studies that nobody else has."""

import itertools
import secrets

from emr.records.create import create_resource
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work
from tests.house import HOA_SEN, House

_MR = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
_NUMBERS = itertools.count(1)
_RUN = secrets.randbelow(10**9)


def fresh() -> str:
    """Part of a UID, and of a record number, that no other test of this run uses."""
    return f"{_RUN}{next(_NUMBERS):04}"


def patient(number: str, **changes: object) -> dict[str, object]:
    return {
        "resourceType": "Patient",
        "identifier": [{"type": _MR, "system": "urn:example:mrn", "value": number}],
        "name": [{"family": "Đặng", "given": ["Thị Thử"]}],
        "gender": "female",
        "birthDate": "1980-05-10",
    } | changes


async def admit(parts: Runtime, house: House, number: str, slug: str = HOA_SEN, **changes: object) -> str:
    """Open a record; the Patient's id."""
    async with unit_of_work(parts, house.tenants[slug], house.principal("doctor", slug)) as work:
        return (await create_resource(work, patient(number, **changes))).id

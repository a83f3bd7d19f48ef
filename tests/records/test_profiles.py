"""Profiles that a hospital demands, and what is kept of them between requests."""

from dataclasses import replace
from typing import Any

import pytest

from emr.kernel.errors import Invalid
from emr.kernel.tenant import Tenant
from emr.records.create import create_resource
from emr.records.profiles import library_of
from emr.records.update import update_resource
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work
from tests.definitions.profiles import core
from tests.fhir.samples import mark, patient
from tests.house import CAU_VONG, House

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def hospital(standing: House) -> Tenant:
    return standing.new_hospital(f"pro-{mark()[:8]}")


async def put(standing: House, parts: Runtime, tenant: Tenant, *resources: dict[str, Any]) -> None:
    async with unit_of_work(parts, tenant, replace(standing.principal("his"), tenant_id=tenant.id)) as work:
        for each in resources:
            await update_resource(work, each)


async def refused(
    standing: House, parts: Runtime, tenant: Tenant, resource: dict[str, Any]
) -> list[tuple[str, str | None]]:
    try:
        async with unit_of_work(parts, tenant, replace(standing.principal(), tenant_id=tenant.id)) as work:
            await create_resource(work, resource)
    except Invalid as refusal:
        return [(issue.code, issue.location) for issue in refusal.issues]
    return []


class TestDemanded:
    async def test_one_that_is_not_here_refuses_every_write_of_its_type(
        self, standing: House, parts: Runtime, hospital: Tenant
    ) -> None:
        demanding = replace(hospital, profiles=(("Patient", ("https://example.org/gone",)),))
        assert await refused(standing, parts, demanding, patient()) == [("profile-unknown", "Patient")]
        ward = {"resourceType": "Organization", "name": "Khoa Nội"}
        assert await refused(standing, parts, demanding, ward) == []

    async def test_it_is_kept_whatever_the_resource_claims(
        self, standing: House, parts: Runtime, hospital: Tenant
    ) -> None:
        await put(standing, parts, hospital, *core.RESOURCES)
        demanding = replace(hospital, profiles=(("Patient", (core.url("patient"),)),))
        found = await refused(standing, parts, demanding, patient())
        assert found == [("required", "Patient.identifier"), ("required", "Patient.birthDate")]
        assert (
            await refused(standing, parts, demanding, core.patient(meta={"profile": ["https://example.org/other"]}))
            == []
        )
        assert await refused(standing, parts, hospital, patient()) == []


class TestKept:
    async def test_compiled_once_and_never_for_another_hospital(
        self, standing: House, parts: Runtime, hospital: Tenant
    ) -> None:
        await put(standing, parts, hospital, *core.RESOURCES)
        kept = []
        for tenant in (hospital, hospital, standing.tenants[CAU_VONG]):
            async with unit_of_work(parts, tenant, replace(standing.principal(), tenant_id=tenant.id)) as work:
                kept.append(await library_of(work))
        assert kept[0] is kept[1]
        assert core.url("patient") in kept[0]
        assert core.url("patient") not in kept[2]

    async def test_a_changed_code_list_counts_at_once(self, standing: House, parts: Runtime, hospital: Tenant) -> None:
        await put(standing, parts, hospital, *core.RESOURCES)
        assert await refused(standing, parts, hospital, core.patient("cham")) == [
            ("code", "Patient.extension[0].value")
        ]
        await put(standing, parts, hospital, core.CODES | {"concept": [{"code": "cham"}]})
        assert await refused(standing, parts, hospital, core.patient("cham")) == []
        assert await refused(standing, parts, hospital, core.patient("tay")) == [("code", "Patient.extension[0].value")]

    async def test_what_is_undone_leaves_nothing_behind(
        self, standing: House, parts: Runtime, hospital: Tenant
    ) -> None:
        await put(standing, parts, hospital, *core.RESOURCES)
        stricter = core.profile("patient", "Patient", [core.element("Patient.photo", min=1)])
        principal = replace(standing.principal("his"), tenant_id=hospital.id)

        async def attempt() -> None:
            async with unit_of_work(parts, hospital, principal) as work:
                await update_resource(work, stricter)
                assert await refused(standing, parts, hospital, core.patient()) == []
                await create_resource(work, core.patient())

        with pytest.raises(Invalid):
            await attempt()
        assert await refused(standing, parts, hospital, core.patient()) == []

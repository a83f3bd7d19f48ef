"""What search asks of code lists (search.html#token: `:in`, `:below`, `:above`)."""

import pytest

from emr.kernel.errors import Invalid, NotFound
from emr.records.create import create_resource
from emr.records.terminology import at_or_above, at_or_below, expand_codes
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work
from tests.fhir.samples import mark
from tests.house import CAU_VONG, HOA_SEN, House
from tests.records.terminology.samples import code_list, whole

pytestmark = pytest.mark.anyio

GENDER = "http://hl7.org/fhir/administrative-gender"


class TestExpandCodes:
    async def test_of_r4(self, standing: House, parts: Runtime) -> None:
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            codes = await expand_codes(work, "http://hl7.org/fhir/ValueSet/administrative-gender")
        assert codes == {(GENDER, code) for code in ("male", "female", "other", "unknown")}

    async def test_of_the_hospital_and_not_of_its_neighbour(self, standing: House, parts: Runtime) -> None:
        one = mark()
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            await create_resource(work, code_list(one))
            await create_resource(work, whole(one))
            assert await expand_codes(work, f"urn:test:vs:{one}") == {
                (f"urn:test:cs:{one}", code) for code in ("A", "A1", "A11", "A2", "B")
            }
        async with unit_of_work(parts, standing.tenants[CAU_VONG], standing.principal(slug=CAU_VONG)) as work:
            with pytest.raises(NotFound) as refusal:
                await expand_codes(work, f"urn:test:vs:{one}")
        assert refusal.value.code == "value-set-unknown"
        assert refusal.value.location == f"urn:test:vs:{one}"

    @pytest.mark.parametrize(
        "url", ["http://hl7.org/fhir/ValueSet/observation-codes", "http://hl7.org/fhir/ValueSet/ucum-units"]
    )
    async def test_a_system_that_is_not_held_is_refused(self, standing: House, parts: Runtime, url: str) -> None:
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            with pytest.raises(Invalid) as refusal:
                await expand_codes(work, url)
        assert refusal.value.code == "code-system-unknown"
        assert refusal.value.location == url

    async def test_by_the_id_of_the_hospitals_own(self, standing: House, parts: Runtime) -> None:
        one = mark()
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            await create_resource(work, code_list(one))
            kept = await create_resource(work, whole(one))
            assert len(await expand_codes(work, f"ValueSet/{kept.id}")) == 5
        async with unit_of_work(parts, standing.tenants[CAU_VONG], standing.principal(slug=CAU_VONG)) as work:
            with pytest.raises(NotFound) as refusal:
                await expand_codes(work, f"ValueSet/{kept.id}")
        assert refusal.value.location == f"ValueSet/{kept.id}"

    async def test_what_is_too_much_for_a_search(self, standing: House, parts: Runtime) -> None:
        one = mark()
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            await create_resource(work, code_list(one, concept=[{"code": f"C{number}"} for number in range(10_001)]))
            await create_resource(work, whole(one))
            with pytest.raises(Invalid) as refusal:
                await expand_codes(work, f"urn:test:vs:{one}")
        assert (refusal.value.code, refusal.value.location) == ("too-costly", f"urn:test:vs:{one}")


class TestAtOrBelow:
    async def test_every_depth_and_itself(self, standing: House, parts: Runtime) -> None:
        one = mark()
        system = f"urn:test:cs:{one}"
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            await create_resource(work, code_list(one))
            assert await at_or_below(work, system, "A") == {"A", "A1", "A11", "A2"}
            assert await at_or_below(work, system, "A11") == {"A11"}
            assert await at_or_above(work, system, "A11") == {"A11", "A1", "A"}
            assert await at_or_above(work, system, "nothing") == {"nothing"}

    async def test_a_system_that_is_not_held_is_refused(self, standing: House, parts: Runtime) -> None:
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            with pytest.raises(Invalid) as refusal:
                await at_or_below(work, "http://snomed.info/sct", "73211009")
        assert (refusal.value.code, refusal.value.location) == ("code-system-unknown", "http://snomed.info/sct")

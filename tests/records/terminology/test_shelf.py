"""Which definition a canonical URL means here, and that what is kept is never old nor another hospital's."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from emr.kernel.errors import Forbidden, Refusal
from emr.records.create import create_resource
from emr.records.delete import delete
from emr.records.stored import Stored
from emr.records.terminology import expand_codes
from emr.records.terminology.concepts import LookUp, look_up
from emr.records.terminology.expand import Wish, expand
from emr.records.terminology.kept import Kept
from emr.records.terminology.shelf import find
from emr.records.terminology.which import Which
from emr.records.update import update_resource
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from tests.fhir.samples import mark
from tests.house import CAU_VONG, HOA_SEN, House
from tests.records.terminology.samples import code_list, value_set, whole

pytestmark = pytest.mark.anyio

Open = Callable[..., AbstractAsyncContextManager[UnitOfWork]]
SERVICE_TYPE = "http://terminology.hl7.org/CodeSystem/service-type"


@pytest.fixture
def opened(standing: House, parts: Runtime) -> Open:
    @asynccontextmanager
    async def work(slug: str = HOA_SEN, role: str = "doctor") -> AsyncIterator[UnitOfWork]:
        async with unit_of_work(parts, standing.tenants[slug], standing.principal(role, slug)) as made:
            yield made

    return work


async def listed(work: UnitOfWork, one: str) -> set[str]:
    return {code for _, code in await expand_codes(work, f"urn:test:vs:{one}")}


async def store(work: UnitOfWork, one: str, *codes: str, **more: Any) -> Stored:
    return await create_resource(work, code_list(one, concept=[{"code": code} for code in codes], **more))


class TestFind:
    async def test_the_newest_active_version(self, opened: Open) -> None:
        one = mark()
        async with opened() as work:
            for version, status in (("1.9", "active"), ("1.10", "active"), ("2", "draft"), ("3", "retired")):
                await store(work, one, f"v{version}", version=version, status=status)
            await create_resource(work, whole(one))
            assert await listed(work, one) == {"v1.10"}

    async def test_one_that_is_not_active_only_where_there_is_no_other(self, opened: Open) -> None:
        one = mark()
        async with opened() as work:
            await store(work, one, "old", version="2", status="retired")
            await store(work, one, "coming", version="1", status="draft")
            await create_resource(work, whole(one))
            assert await listed(work, one) == {"coming"}

    async def test_the_version_that_is_named(self, opened: Open) -> None:
        one = mark()
        async with opened() as work:
            await store(work, one, "a", version="1")
            await store(work, one, "b", version="2")
            await create_resource(work, value_set(one, {"system": f"urn:test:cs:{one}", "version": "1"}, version="7"))
            assert await listed(work, one) == {"a"}
            assert len(await expand_codes(work, f"urn:test:vs:{one}|7")) == 1
            with pytest.raises(Refusal, match="not known"):
                await expand_codes(work, f"urn:test:vs:{one}|8")

    async def test_a_deleted_one_is_not_meant(self, opened: Open) -> None:
        one = mark()
        async with opened() as work:
            await store(work, one, "a", version="1")
            newer = await store(work, one, "b", version="2")
            await create_resource(work, whole(one))
            await delete(work, "CodeSystem", newer.id)
            assert await listed(work, one) == {"a"}

    async def test_the_hospitals_own_before_that_of_r4(self, house: House, parts: Runtime) -> None:
        tenant = house.tenants["own-lists"]
        async with unit_of_work(parts, tenant, house.principal(slug="own-lists")) as work:
            before = (await find(work, "CodeSystem", [SERVICE_TYPE]))[SERVICE_TYPE]
            await create_resource(work, code_list("x", url=SERVICE_TYPE, version="2026"))
            after = (await find(work, "CodeSystem", [SERVICE_TYPE]))[SERVICE_TYPE]
            named = (await find(work, "CodeSystem", [f"{SERVICE_TYPE}|4.0.1"]))[f"{SERVICE_TYPE}|4.0.1"]
        seen = [(each.own, each.codes.content) for each in (before, after, named) if each and each.codes]
        assert seen == [(False, "example"), (True, "complete"), (False, "example")]

    async def test_what_validation_goes_by_is_nobodys_to_change(self, house: House, parts: Runtime) -> None:
        tenant = house.tenants["own-lists"]
        gender = "http://hl7.org/fhir/ValueSet/administrative-gender"
        async with unit_of_work(parts, tenant, house.principal(slug="own-lists")) as work:
            await create_resource(work, code_list("x", url="http://hl7.org/fhir/administrative-gender"))
            await create_resource(work, value_set("x", {"system": "urn:x", "concept": [{"code": "x"}]}, url=gender))
            assert {code for _, code in await expand_codes(work, gender)} == {"male", "female", "other", "unknown"}

    @pytest.fixture
    def house(self, standing: House) -> House:
        if "own-lists" not in standing.tenants:
            standing.new_hospital("own-lists")
        return standing


class TestKeeping:
    async def test_the_same_url_is_something_else_next_door(self, opened: Open) -> None:
        one = mark()
        for slug, code in ((HOA_SEN, "here"), (CAU_VONG, "there")):
            async with opened(slug) as work:
                await store(work, one, code)
                await create_resource(work, whole(one))
        for _ in range(2):
            for slug, code in ((HOA_SEN, "here"), (CAU_VONG, "there")):
                async with opened(slug) as work:
                    assert await listed(work, one) == {code}

    async def test_what_was_rolled_back_is_not_kept(self, opened: Open) -> None:
        one = mark()
        async with opened() as work:
            kept = await store(work, one, "first")
            await create_resource(work, whole(one))

        async def undone() -> None:
            async with opened() as work:
                await update_resource(work, code_list(one, id=kept.id, concept=[{"code": "never"}]))
                assert await listed(work, one) == {"never"}
                raise ValueError("not to be")

        with pytest.raises(ValueError, match="not to be"):
            await undone()
        async with opened() as work:
            assert await listed(work, one) == {"first"}
            second = await update_resource(work, code_list(one, id=kept.id, concept=[{"code": "second"}]))
            assert second.version == 2
            assert await listed(work, one) == {"second"}

    def test_what_was_used_longest_ago_goes_first(self) -> None:
        kept = Kept[str](10)
        for name in ("a", "b"):
            kept.put(name, name, 5)
        assert kept.get("a") == "a"
        kept.put("c", "c", 5)
        assert [kept.get(name) for name in ("a", "b", "c")] == ["a", None, "c"]
        kept.put("d", "d", 11)
        assert [kept.get(name) for name in ("a", "c", "d")] == ["a", "c", None]


class TestSupplements:
    async def test_names_in_another_language(self, opened: Open) -> None:
        one = mark()
        supplement = code_list(
            one,
            url=f"urn:test:supplement:{one}",
            content="supplement",
            supplements=f"urn:test:cs:{one}",
            language="en",
            concept=[{"code": "A", "display": "Internal medicine"}],
        )
        async with opened() as work:
            await create_resource(work, code_list(one))
            stored = await create_resource(work, supplement)
            which = Which(url=f"urn:test:cs:{one}")
            assert (await look_up(work, which, "A", LookUp())).display == "Khoa Nội"
            assert (await look_up(work, which, "A", LookUp(language="en"))).display == "Internal medicine"
            await update_resource(work, supplement | {"id": stored.id, "status": "retired"})
            assert (await look_up(work, which, "A", LookUp(language="en"))).display == "Khoa Nội"

    async def test_of_a_code_system_of_r4(self, opened: Open) -> None:
        one, system = mark(), "http://hl7.org/fhir/administrative-gender"
        supplement = code_list(
            one,
            content="supplement",
            supplements=f"{system}|4.0.1",
            language="vi",
            concept=[{"code": "male", "display": one}],
        )
        async with opened(CAU_VONG) as work:
            await create_resource(work, supplement)
            assert (await look_up(work, Which(url=system), "male", LookUp(language="vi"))).display == one
        async with opened() as work:
            assert (await look_up(work, Which(url=system), "male", LookUp(language="vi"))).display == "Male"


class TestAccess:
    @pytest.mark.parametrize("role", ["ops", "auditor"])
    async def test_a_role_without_the_verb_is_refused(self, opened: Open, role: str) -> None:
        with pytest.raises(Forbidden):
            async with opened(role=role) as work:
                await look_up(work, Which(url="http://hl7.org/fhir/administrative-gender"), "male", LookUp())

    async def test_the_trail_names_the_definition_and_not_the_question(self, standing: House, opened: Open) -> None:
        one = mark()
        async with opened() as work:
            await store(work, one, f"CODE{one}")
            kept = await create_resource(work, whole(one))
        async with opened() as work:
            await expand(work, Which(id=kept.id), Wish(filter=f"code{one}"))
        rows = standing.sql(
            "SELECT row FROM cell.audit_journal WHERE row LIKE %s", f'%terminology.expanded%"{kept.id}"%'
        )
        assert len(rows) == 1
        assert one not in rows[0][0].lower()
        assert '"patients":[]' in rows[0][0]

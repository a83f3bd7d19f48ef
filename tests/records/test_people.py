"""Finding people as a clerk types."""

import pytest

from emr.kernel.errors import Forbidden
from emr.records.create import create_resource
from emr.records.delete import delete
from emr.records.people import find_people
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work
from tests.fhir.samples import mark, patient
from tests.house import HOA_SEN, House

pytestmark = pytest.mark.anyio


async def opened(standing: House, parts: Runtime, family: str, given: str, number: str) -> str:
    name = [{"family": family, "given": given.split(), "text": f"{family} {given}"}]
    # Two numbers that are the same, as a record number and a card may be.
    numbers = [{"system": f"urn:test:{which}", "value": number} for which in ("record", "card")]
    async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
        stored = await create_resource(work, patient(name=name, identifier=numbers))
    return stored.id


async def people(standing: House, parts: Runtime, text: str, role: str = "reception", limit: int = 20) -> list[str]:
    async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal(role)) as work:
        return [stored.id for stored in await find_people(work, text, limit=limit)]


class TestFindPeople:
    @pytest.mark.parametrize("role", ["lis", "his", "warehouse", "admin", "ops"])
    async def test_a_role_without_the_verb_is_refused(self, standing: House, parts: Runtime, role: str) -> None:
        with pytest.raises(Forbidden):
            await people(standing, parts, "an", role)

    async def test_words_in_any_order_without_accents(self, standing: House, parts: Runtime) -> None:
        one = mark()
        person = await opened(standing, parts, f"Nguyễn{one}", "Thị Đào", f"N-{one}")
        for text in (
            f"nguyen{one} thi dao", f"Đào NGUYỄN{one}", f"dao   nguyen{one}", f"nguyen{one[:8]} d", f"nguye\u0302\u0303n{one}",
        ):  # fmt: skip
            assert await people(standing, parts, text) == [person], text
        for text in (f"nguyen{one} van", f"guyen{one}", f"nguyen{one}x"):
            assert await people(standing, parts, text) == [], text

    async def test_by_a_whole_number_once(self, standing: House, parts: Runtime) -> None:
        one = mark()
        person = await opened(standing, parts, "Lê", one, f"25.{one}/A")
        assert await people(standing, parts, f" 25.{one}/A ") == [person]
        assert await people(standing, parts, f"25.{one}/B") == []

    async def test_who_is_called_exactly_so_comes_first(self, standing: House, parts: Runtime) -> None:
        one = mark()
        exact = await opened(standing, parts, "Lý", one, f"A-{one}")
        longer = await opened(standing, parts, "Lý", f"{one}anh", f"B-{one}")
        assert await people(standing, parts, f"ly {one}") == [exact, longer]
        assert await people(standing, parts, f"ly {one}", limit=1) == [exact]

    async def test_nobody_for_nothing(self, standing: House, parts: Runtime) -> None:
        for text in ("", "   ", "%", "_", "'; --", "\0", "a" * 5_000, "\0x" + mark()):
            assert await people(standing, parts, text) == [], repr(text)

    async def test_a_deleted_one_is_not_found(self, standing: House, parts: Runtime) -> None:
        one = mark()
        person = await opened(standing, parts, "Hồ", one, f"C-{one}")
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            await delete(work, "Patient", person)
        assert await people(standing, parts, one) == []

    async def test_not_those_of_the_neighbour(self, standing: House, parts: Runtime) -> None:
        one = mark()
        await opened(standing, parts, "Hồ", one, f"D-{one}")
        async with unit_of_work(parts, standing.tenants["cau-vong"], standing.principal(slug="cau-vong")) as work:
            assert await find_people(work, one) == []
            assert await find_people(work, f"D-{one}") == []

    async def test_the_trail_says_whom_it_showed_and_not_what_was_asked(self, standing: House, parts: Runtime) -> None:
        one = mark()
        person = await opened(standing, parts, "Hồ", one, f"E-{one}")
        await people(standing, parts, one)
        rows = standing.sql("SELECT row FROM cell.audit_journal WHERE row LIKE %s", f'%patient.searched%"{person}"%')
        assert len(rows) == 1
        assert one not in rows[0][0]

"""Histories beside transactions that commit late: nothing is passed over, nothing is told twice."""

from contextlib import AsyncExitStack
from datetime import datetime, timedelta

import pytest

from emr.kernel.errors import Malformed
from emr.records.create import create_resource
from emr.records.history import HistoryPage, Scope, Stretch, history
from emr.records.stored import Stored
from emr.records.update import update_resource
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from tests.fhir.samples import patient
from tests.house import CAU_VONG, HOA_SEN, House

pytestmark = pytest.mark.anyio
OF_TYPE = Scope("Patient")
WHOLE = Stretch()


async def made(standing: House, parts: Runtime) -> Stored:
    async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
        return await create_resource(work, patient())


async def asked(
    standing: House, parts: Runtime, scope: Scope = OF_TYPE, stretch: Stretch = WHOLE, cursor: str | None = None
) -> HistoryPage:
    async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
        return await history(work, scope, stretch, cursor)


async def all_of(standing: House, parts: Runtime, scope: Scope, stretch: Stretch) -> list[str]:
    shown: list[str] = []
    page = await asked(standing, parts, scope, stretch)
    while True:
        shown += [f"{each.id}/{each.version}" for each in page.versions]
        if page.cursor is None:
            return shown
        page = await asked(standing, parts, scope, WHOLE, page.cursor)


async def begun(standing: House, parts: Runtime, slow: AsyncExitStack) -> Stored:
    """What a transaction has written that commits when the stack is closed."""
    work = await slow.enter_async_context(unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()))
    return await create_resource(work, patient())


class TestLateCommits:
    @pytest.mark.parametrize("scope", [OF_TYPE, Scope()], ids=["type", "system"])
    async def test_one_who_asks_again_since_the_last_seen_gets_them(
        self, standing: House, parts: Runtime, scope: Scope
    ) -> None:
        first = await made(standing, parts)
        slow = AsyncExitStack()
        late = await begun(standing, parts, slow)
        after = await made(standing, parts)
        since = Stretch(since=first.last_updated)
        seen = await all_of(standing, parts, scope, since)
        assert f"{first.id}/1" in seen
        assert f"{late.id}/1" not in seen
        assert f"{after.id}/1" not in seen, "told before what came earlier"
        await slow.aclose()
        again = await all_of(standing, parts, scope, since)
        assert {f"{late.id}/1", f"{after.id}/1"} <= set(again)

    async def test_one_whose_moment_lies_before_what_was_seen_is_not_lost(
        self, standing: House, parts: Runtime
    ) -> None:
        """A writer that has read the clock and is then held up: its version is older than one that was shown."""
        now = parts.clock()
        seen = await made(standing, parts)
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            late = await create_resource(work, patient())
            early = now - timedelta(seconds=30)
            await set_back(work, late, early)
        page = await all_of(standing, parts, OF_TYPE, Stretch(since=seen.last_updated))
        assert f"{late.id}/1" in page
        far = await all_of(standing, parts, OF_TYPE, Stretch(since=seen.last_updated + timedelta(hours=1)))
        assert far == []

    async def test_pages_show_what_the_first_could_see(self, standing: House, parts: Runtime) -> None:
        people = [await made(standing, parts) for _ in range(5)]
        stretch = Stretch(count=2, since=people[0].last_updated)
        page = await asked(standing, parts, OF_TYPE, stretch)
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            for person in people:
                await update_resource(work, person.resource() | {"active": True})
        await made(standing, parts)
        shown = [each.id for each in page.versions]
        while page.cursor is not None:
            page = await asked(standing, parts, OF_TYPE, WHOLE, page.cursor)
            assert {each.version for each in page.versions} == {1}
            shown += [each.id for each in page.versions]
        assert shown == [person.id for person in reversed(people)]

    async def test_a_cursor_of_another_scope_or_hospital_is_refused(self, standing: House, parts: Runtime) -> None:
        people = [await made(standing, parts) for _ in range(3)]
        page = await asked(standing, parts, OF_TYPE, Stretch(count=1, since=people[0].last_updated))
        assert page.cursor is not None
        with pytest.raises(Malformed):
            await asked(standing, parts, Scope(), WHOLE, page.cursor)
        async with unit_of_work(parts, standing.tenants[CAU_VONG], standing.principal(slug=CAU_VONG)) as work:
            with pytest.raises(Malformed):
                await history(work, OF_TYPE, WHOLE, page.cursor)


async def set_back(work: UnitOfWork, stored: Stored, moment: datetime) -> None:
    """Make a version of this transaction as old as a slow writer's would be."""
    await work.db.execute("UPDATE resources SET updated = $1 WHERE pk = $2", moment, stored.pk)

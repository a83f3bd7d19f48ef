"""The rehearsal: it passes when both sides are the same, and is seen to fail when they are not."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from emr.fleet.rewind.rehearsing import Rehearsal, rehearse
from emr.identity.principal import system_principal
from emr.kernel.errors import NotFound
from emr.records.create import create_resource
from emr.telemetry.metrics import REGISTRY
from emr.work.recovery_age import tell
from emr.work.runtime import Runtime, runtime
from emr.work.unit import unit_of_work
from tests.fleet.rewind.world import World
from tests.house import CAU_VONG

pytestmark = [pytest.mark.anyio, pytest.mark.server]


@pytest.fixture
async def own(world: World) -> AsyncIterator[Runtime]:
    made = runtime(world.house.settings)
    await made.open()
    yield made
    await made.close()


async def _writing(world: World, parts: Runtime, done: asyncio.Event) -> int:
    tenant, count = world.house.tenants[CAU_VONG], 0
    while not done.is_set():
        async with unit_of_work(parts, tenant, system_principal("test", tenant_id=tenant.id)) as work:
            await create_resource(work, {"resourceType": "Patient", "name": [{"text": f"Người {count}"}]})
        count += 1
        await asyncio.sleep(0.05)
    return count


async def _rehearsed(world: World, damage: str = "", *parameters: str) -> Rehearsal:
    """In a loop of its own, as the command has it: nothing of it waits for the test's. damage: a statement that comes
    between the restoring and the comparing.
    """

    def told(step: str) -> None:
        if damage and step == "compare":
            world.house.sql(damage, *parameters)

    async def act() -> Rehearsal:
        parts = runtime(world.house.settings)
        await parts.open()
        try:
            return await rehearse(parts, CAU_VONG, told)
        finally:
            await parts.close()

    return await asyncio.to_thread(lambda: asyncio.run(act()))


class TestRehearse:
    async def test_an_unknown_hospital_is_refused(self, world: World, own: Runtime) -> None:
        before = world.house.sql("SELECT count(*) FROM directory.rehearsals")
        with pytest.raises(NotFound):
            await rehearse(own, "nowhere", lambda _: None)
        assert world.house.sql("SELECT count(*) FROM directory.rehearsals") == before

    async def test_both_sides_are_the_same_while_others_write(self, world: World, own: Runtime) -> None:
        tenant = world.house.tenants[CAU_VONG]
        async with unit_of_work(own, tenant, system_principal("test", tenant_id=tenant.id)) as work:
            await create_resource(work, {"resourceType": "Patient"})
        done = asyncio.Event()
        writer = asyncio.create_task(_writing(world, own, done))
        found = await _rehearsed(world)
        done.set()
        assert await writer > 5
        assert found.passed, found.findings
        assert found.findings["restored"]["versions"] == found.findings["live"]["versions"] > 0
        assert world.house.sql("SELECT passed FROM directory.rehearsals ORDER BY number DESC LIMIT 1") == [(True,)]

    async def test_a_version_that_was_changed_in_place_is_found(self, world: World, own: Runtime) -> None:
        """What was damaged after the log had it would look just so: the same version with another body."""
        schema = world.house.tenants[CAU_VONG].schema
        tenant = world.house.tenants[CAU_VONG]
        async with unit_of_work(own, tenant, system_principal("test", tenant_id=tenant.id)) as work:
            stored = await create_resource(work, {"resourceType": "Patient"})
        table = f"{schema}.resources"
        found = await _rehearsed(world, f"UPDATE {table} SET body = body || '\\x00' WHERE id = %s", stored.id)
        mended = f"UPDATE {table} SET body = substring(body FOR length(body) - 1) WHERE id = %s"
        world.house.sql(mended, stored.id)
        assert (found.passed, found.findings["differs"]) == (False, ["digest"])

    async def test_the_alerts_are_told(self, world: World, own: Runtime) -> None:
        await tell(own)
        labels = {"cell": "default"}
        assert (REGISTRY.get_sample_value("emr_backup_age_seconds", labels) or 0) > 0
        assert REGISTRY.get_sample_value("emr_rehearsal_failed_count", labels) == 1
        assert REGISTRY.get_sample_value("emr_archive_failed_count", labels) in (0, 1)

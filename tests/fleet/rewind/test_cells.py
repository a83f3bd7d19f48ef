"""A past in a second cell: of a hospital of the dedicated tier there, of one that has moved there since, a rehearsal."""

import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import pytest

from emr.fleet.leaving.forgetting import forget
from emr.fleet.moving.move import Wish as Going
from emr.fleet.moving.move import drop_copies, move
from emr.fleet.rewind.bringing import Order, bring, compare_past, plan
from emr.fleet.rewind.opening import Wish, close_past, open_past
from emr.fleet.rewind.rehearsing import rehearse
from emr.fleet.rewind.rows import cell_at, hospital_of
from emr.identity.principal import system_principal
from emr.kernel.errors import NotFound, Unavailable
from emr.kernel.tenant import Tenant
from emr.records.comparing import Wanted
from emr.records.create import create_resource
from emr.records.read import read
from emr.records.update import update_resource
from emr.tenancy.pasts import in_past
from emr.work.runtime import Runtime, runtime
from emr.work.unit import unit_of_work
from emr_demo.postgres import Cluster
from tests.fleet.rewind.world import World, second_cell
from tests.house import in_a_loop

pytestmark = pytest.mark.server
NORTH = "north"
R = TypeVar("R")


@dataclass
class Northern:
    """A hospital in the second cell, under a login of its own, whose patient was renamed after the moment."""

    world: World
    cluster: Cluster
    tenant: Tenant
    login: str
    patient: str
    moment: datetime


def with_parts(world: World, act: Callable[[Runtime], Awaitable[R]]) -> R:
    """In a loop of its own, with the settings of this moment."""

    async def run() -> R:
        parts = runtime(world.house.settings)
        await parts.open()
        try:
            return await act(parts)
        finally:
            await parts.close()

    result: R = in_a_loop(run)
    return result


async def written(parts: Runtime, tenant: Tenant) -> str:
    async with unit_of_work(parts, tenant, system_principal("test", tenant_id=tenant.id)) as work:
        return (await create_resource(work, {"resourceType": "Patient", "name": [{"text": "Xưa"}]})).id


async def renamed(parts: Runtime, tenant: Tenant, patient: str) -> None:
    async with unit_of_work(parts, tenant, system_principal("test", tenant_id=tenant.id)) as work:
        stored = (await read(work, "Patient", patient)).resource()
        await update_resource(work, stored | {"name": [{"text": "Nay"}]})


async def name_of(parts: Runtime, tenant: Tenant, patient: str) -> str:
    async with unit_of_work(parts, tenant, system_principal("test", tenant_id=tenant.id)) as work:
        return str((await read(work, "Patient", patient)).resource()["name"][0]["text"])


@pytest.fixture(scope="module")
def north(world: World) -> Iterator[Cluster]:
    with second_cell(world, NORTH) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def northern(world: World, north: Cluster) -> Iterator[Northern]:
    slug, login = f"rieng-{secrets.token_hex(4)}", f"emr_app_{secrets.token_hex(4)}"
    north.create_login(login, options="NOINHERIT")
    before = world.house.settings
    own = {"dedicated": {f"{slug}@{NORTH}": north.url(role=login, database="emr")}}
    world.house.settings = before.model_copy(update={"database": before.database.model_copy(update=own)})
    try:
        tenant = world.house.new_hospital(slug, tier="dedicated", cell=NORTH)
        patient = with_parts(world, lambda parts: written(parts, tenant))
        moment = world.now()
        with_parts(world, lambda parts: renamed(parts, tenant, patient))
        yield Northern(world, north, tenant, login, patient, moment)
        forget(world.house.settings.database, tenant.id, tenant.schema)
    finally:
        world.house.settings = before


class TestDedicated:
    def test_its_past_lies_in_its_cell_and_is_read_by_its_login_alone(self, northern: Northern) -> None:
        world, tenant = northern.world, northern.tenant
        schemas = world.schemas()
        rewind = open_past(world.house.settings, Wish(tenant.slug, northern.moment, "lan", "thử"), lambda _: None)
        assert (rewind.cell, world.schemas()) == (NORTH, schemas)

        async def look(parts: Runtime) -> tuple[str, str]:
            then = await in_past(parts.databases.directory, tenant, rewind.id, parts.clock())
            async with unit_of_work(parts, then, system_principal("test", tenant_id=tenant.id)) as past:
                login = await past.db.fetchval("SELECT session_user")
            return login, await name_of(parts, then, northern.patient)

        assert with_parts(world, look) == (northern.login, "Xưa")
        order = Order(rewind.id, Wanted(northern.patient), "lan", "Phiếu 118")
        counts = with_parts(world, lambda parts: compare_past(parts, rewind.id, Wanted(), 10)).counts
        assert counts == {"Patient": {"changed": 1}}
        assert with_parts(world, lambda parts: plan(parts, order)) == [("Patient", northern.patient)]
        outcome = with_parts(world, lambda parts: bring(parts, order, lambda _: None))
        assert (outcome.brought, outcome.refused) == ({("Patient", northern.patient): 3}, [])
        assert with_parts(world, lambda parts: name_of(parts, tenant, northern.patient)) == "Xưa"
        close_past(world.house.settings, rewind.id, "lan")
        with pytest.raises(NotFound):
            with_parts(world, lambda parts: plan(parts, order))

    def test_a_process_without_its_login_opens_no_past_of_it(self, northern: Northern) -> None:
        world = northern.world
        without = world.house.settings.database.model_copy(update={"dedicated": {}})
        settings = world.house.settings.model_copy(update={"database": without})

        async def look() -> None:
            parts = runtime(settings)
            await parts.open()
            try:
                await name_of(parts, northern.tenant, northern.patient)
            finally:
                await parts.close()

        with pytest.raises(Unavailable, match="login of its own"):
            in_a_loop(look)

    def test_a_rehearsal_of_it_passes(self, northern: Northern) -> None:
        told: list[str] = []
        found = with_parts(northern.world, lambda parts: rehearse(parts, northern.tenant.slug, told.append))
        assert found.passed, found.findings
        assert (found.findings["restored"]["versions"], told[-1]) == (3, "compare")
        row = northern.world.house.sql("SELECT cell, passed FROM directory.rehearsals ORDER BY number DESC LIMIT 1")
        assert row == [(NORTH, True)]


class TestMoved:
    def test_a_moment_before_the_move_is_restored_from_the_cell_that_it_was_in(
        self, world: World, north: Cluster
    ) -> None:
        tenant = world.house.new_hospital(f"di-{secrets.token_hex(3)}")
        patient = with_parts(world, lambda parts: written(parts, tenant))
        moment = world.now()
        with_parts(world, lambda parts: renamed(parts, tenant, patient))
        database = world.house.settings.database
        move(database, Going(tenant.slug, NORTH, "test", heard=0.2))
        assert drop_copies(database, tenant.slug, "test", early=True) == ["default"]
        hospital = hospital_of(world.house.settings, tenant.slug)
        assert (hospital.cell, cell_at(world.house.settings, hospital, moment)) == (NORTH, "default")
        assert cell_at(world.house.settings, hospital, world.now()) == NORTH
        rewind = open_past(world.house.settings, Wish(tenant.slug, moment, "lan", "thử"), lambda _: None)
        assert rewind.cell == NORTH

        async def look(parts: Runtime) -> str:
            today = parts.registry.by_slug(tenant.slug)
            then = await in_past(parts.databases.directory, today, rewind.id, parts.clock())
            return await name_of(parts, then, patient)

        assert with_parts(world, look) == "Xưa"
        order = Order(rewind.id, Wanted(), "lan", "Phiếu 118")
        outcome = with_parts(world, lambda parts: bring(parts, order, lambda _: None))
        assert (list(outcome.brought), outcome.refused) == ([("Patient", patient)], [])
        close_past(world.house.settings, rewind.id, "lan")
        forget(database, tenant.id, tenant.schema)

"""A database for this folder, an endpoint for each test."""

import asyncio
from collections.abc import Iterator

import pytest

from emr.subscriptions.guard import install
from emr_demo.postgres import Cluster
from tests.subscriptions.receiver import Receiver, receiving
from tests.subscriptions.world import FAST, LOOPBACK, Play, Scenario, Ward, allow, ward
from tests.warehouse.world import World, make_world, started


@pytest.fixture(scope="session")
def telling(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> World:
    made = make_world(cluster, tmp_path_factory.mktemp("telling"), "emr_subscriptions")
    settings = made.settings.model_copy(update={"subscriptions": FAST})
    return World(settings, made.superuser)


@pytest.fixture
def world(telling: World) -> Iterator[World]:
    """The same for every test, with nobody told anything; what earlier tests put into the record does no harm."""
    telling.sql(
        "DELETE FROM cell.subscribers; DELETE FROM cell.notices; DELETE FROM cell.events; DELETE FROM cell.jobs;"
        " DELETE FROM cell.outbox; DELETE FROM cell.audit_journal;"
        " DELETE FROM directory.memberships WHERE granted_by = 'test'"
    )
    allow(telling, LOOPBACK)
    yield telling
    while started:
        started.pop().kill()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def standing_ward(telling: World) -> Iterator[tuple[asyncio.Runner, Ward]]:
    """Connections that all tests of this folder share, and the loop that they belong to."""
    with asyncio.Runner() as runner:
        opened = ward(telling)
        yield runner, runner.run(opened.__aenter__())
        runner.run(opened.__aexit__(None, None, None))


@pytest.fixture
def play(world: World, standing_ward: tuple[asyncio.Runner, Ward]) -> Play:
    """Runs a scenario in a ward of the world."""
    runner, here = standing_ward

    async def prepared() -> None:
        install(here.parts)
        await here.parts.registry.refresh()
        await here.join("his")

    def run(scenario: Scenario) -> None:
        runner.run(prepared())
        runner.run(_coroutine(scenario, here))

    return run


async def _coroutine(scenario: Scenario, here: Ward) -> None:
    await scenario(here)

"""A database for this folder, an endpoint for each test."""

from collections.abc import Iterator

import pytest

from emr_demo.postgres import Cluster
from tests.subscriptions.receiver import Receiver, receiving
from tests.subscriptions.world import FAST, LOOPBACK, allow
from tests.warehouse.world import World, make_world, started


@pytest.fixture(scope="session")
def telling(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> World:
    made = make_world(cluster, tmp_path_factory.mktemp("telling"), "emr_subscriptions")
    settings = made.settings.model_copy(update={"subscriptions": FAST})
    return World(settings, made.superuser)


@pytest.fixture
def world(telling: World) -> Iterator[World]:
    telling.empty()
    telling.sql("TRUNCATE cell.subscribers, cell.notices, cell.events")
    telling.sql("DELETE FROM directory.memberships WHERE granted_by = 'test'")
    allow(telling, LOOPBACK)
    yield telling
    while started:
        started.pop().kill()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as endpoint:
        yield endpoint

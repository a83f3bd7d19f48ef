"""A database for this folder; each test gets a warehouse of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from emr.settings import Warehouse
from emr_demo.postgres import Cluster
from tests.warehouse.world import World, make_world, started


@pytest.fixture(scope="session")
def relayed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(cluster, tmp_path_factory.mktemp("relayed"), "emr_warehouse")


@pytest.fixture
def world(relayed: World, tmp_path: Path) -> Iterator[World]:
    relayed.empty()
    yield relayed.at(Warehouse(url=str(tmp_path / "warehouse"), poll_ms=20, linger_ms=0))
    while started:
        started.pop().kill()

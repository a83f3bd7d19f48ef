"""A database for this folder; each test gets a warehouse of its own."""

from pathlib import Path

import pytest

from emr.settings import Warehouse
from emr_demo.postgres import Cluster
from tests.warehouse.world import World, make_world


@pytest.fixture(scope="session")
def relayed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(cluster, tmp_path_factory.mktemp("relayed"), "emr_warehouse")


@pytest.fixture
def world(relayed: World, tmp_path: Path) -> World:
    relayed.empty()
    return relayed.at(Warehouse(url=str(tmp_path / "warehouse"), poll_ms=20, linger_ms=0))

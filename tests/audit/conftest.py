"""A database with two hospitals for this folder's tests that need one."""

import pytest

from emr_demo.postgres import Cluster
from tests.warehouse.world import World, make_world


@pytest.fixture(scope="session")
def audited(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(cluster, tmp_path_factory.mktemp("audited"), "emr_audit_tests")


@pytest.fixture
def world(audited: World) -> World:
    audited.empty()
    return audited

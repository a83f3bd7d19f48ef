"""One PostgreSQL with two hospitals for this folder's tests that need one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from emr_demo.postgres import temporary
from tests.warehouse.world import World, make_world


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with temporary() as cluster:
        yield make_world(cluster, tmp_path_factory.mktemp("audited"), "emr_audit_tests")


@pytest.fixture
def world(audited: World, tmp_path: Path) -> World:
    del tmp_path
    audited.empty()
    return audited

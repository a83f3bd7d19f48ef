"""One PostgreSQL and one Keycloak for the tests of this folder."""

from collections.abc import Iterator

import pytest

from emr_demo.postgres import temporary
from tests.administration.world import Administration, administered_house

SLOW_START = (pytest.mark.server, pytest.mark.timeout(600))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for Keycloak needs a server, and patience for its start on a busy machine."""
    for item in items:
        if "at_keycloak" in getattr(item, "fixturenames", ()):  # also by way of another fixture
            for mark in SLOW_START:
                item.add_marker(mark)


@pytest.fixture(scope="session")
def at_keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Administration]:
    """The administrator of Hoa Sen, signed in at a platform that administers its Keycloak."""
    folder = tmp_path_factory.mktemp("administration")
    with temporary() as cluster, administered_house(cluster, folder) as world:
        yield world

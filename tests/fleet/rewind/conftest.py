from collections.abc import Iterator

import pytest

from tests.fleet.rewind.world import World, archived_world


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """One cell with backups for all tests of this room."""
    with archived_world() as made:
        yield made

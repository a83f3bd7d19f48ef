from collections.abc import Iterator

import pytest

from emr_demo.postgres import Cluster
from tests.fleet.cells.world import City, city
from tests.house import served


@pytest.fixture(scope="package")
def two(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """Both cells, and the web service over them."""
    with city(cluster, tmp_path_factory.mktemp("city")) as made, served(made.house):
        yield made

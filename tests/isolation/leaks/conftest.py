"""Four hospitals in a server of their own: backends are ended there, and many thousands of questions journalled."""

from collections.abc import Iterator

import pytest

from emr_demo.postgres import temporary
from tests.isolation.leaks.hospitals import Hospitals, four_hospitals


@pytest.fixture(scope="package")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospitals]:
    with temporary() as cluster, four_hospitals(cluster, tmp_path_factory.mktemp("leaks")) as made:
        yield made

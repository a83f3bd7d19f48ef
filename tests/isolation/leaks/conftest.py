"""Four hospitals in a server of their own, where backends are ended and many thousands of questions journalled; and four
more where things are added: the first must stay as they were made, since the storm counts what they have.
"""

from collections.abc import Iterator

import pytest

from emr_demo.postgres import temporary
from tests.isolation.leaks.hospitals import Hospitals, four_hospitals


@pytest.fixture(scope="package")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospitals]:
    with temporary() as cluster, four_hospitals(cluster, tmp_path_factory.mktemp("leaks")) as made:
        yield made


@pytest.fixture(scope="package")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospitals]:
    with temporary() as cluster, four_hospitals(cluster, tmp_path_factory.mktemp("lived-in")) as made:
        yield made

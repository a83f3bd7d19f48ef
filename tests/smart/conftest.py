"""Browsers that tests open are closed with their module."""

from collections.abc import Iterator

import pytest

from tests.smart.person import Person


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    while Person.opened:
        Person.opened.pop().close()

"""A pytest plugin for `make test`: tests with servers come last, and wait until the servers have been built. Tests stay
together by file, and those of one slow server too, so that it starts in one process only.

`ops/test` builds in the background and names the log of the builds and a file that appears when they end; without
them this plugin only orders.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

_WAIT_SECONDS = 45 * 60


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("server") is not None)


class _Together(LoadFileScheduling):
    """What one process takes on at a time: a file, or all that asks the same Keycloak or the same built image."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.partition("::")[0].rpartition("/")[0]
        if folder in {"tests/administration", "tests/image"}:
            return folder
        at_keycloak = "[keycloak" in nodeid or "::TestKeycloak::" in nodeid
        return "Keycloak" if at_keycloak else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Together:
    return _Together(config, log)


# First of the wrappers, so that the wait does not count against the test's own time limit.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if item.get_closest_marker("server") is not None:
        _wait_for_builds()
    return (yield)


def _wait_for_builds() -> None:
    done, log = os.environ.get("EMR_BUILDS_DONE"), os.environ.get("EMR_BUILDS_LOG")
    if done is None or log is None:
        return
    begun = time.monotonic()
    while not Path(done).exists() and time.monotonic() - begun < _WAIT_SECONDS:
        time.sleep(0.5)
    del os.environ["EMR_BUILDS_DONE"]
    waited = time.monotonic() - begun
    if waited > 1:
        print(f"\nwaited {waited:.0f} s for the servers' builds:\n{Path(log).read_text()}", file=sys.__stderr__)

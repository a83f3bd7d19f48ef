"""Processes that tests kill: forked from a server that has the platform and the tests' worlds loaded already."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.forked"])


def forked(act: Callable[..., object], *given: Any) -> BaseProcess:
    """A process that has begun to `act`; it ends with this one at the latest."""
    process = FORKS.Process(target=act, args=given, daemon=True)
    # In Python 3.11 the server that forks finds what it is to load by this variable alone.
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        process.start()
    return process

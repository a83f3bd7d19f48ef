"""Named points at which a test may end the process as a power cut would."""

import os
import signal
from collections.abc import Callable
from typing import Final

from emr.settings import Settings

Reached = Callable[[str], None]
"""Called with the name of the point that the work has reached."""

POINT: Final = "EMR_TEST_KILL_AT"
"""`name` or `name:3`, for the third time that the point is reached. Honoured under `EMR_PROFILE=test` alone."""


def nowhere(point: str) -> None:
    """Go on."""
    del point


def kill_points(settings: Settings) -> Reached:
    """What ends this process at the point that the environment names; `nowhere` outside of tests."""
    wanted = os.environ.get(POINT, "")
    if settings.profile != "test" or not wanted:
        return nowhere
    name, _, nth = wanted.partition(":")
    remaining = int(nth or 1)

    def reached(point: str) -> None:
        nonlocal remaining
        if point == name:
            remaining -= 1
            if remaining == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return reached

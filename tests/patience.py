"""Waiting for what comes true by itself, for longer than a busy machine may take."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

SECONDS: Final = 30.0
_PAUSE: Final = 0.02


def comes_true(fact: Callable[[], object], seconds: float = SECONDS) -> bool:
    """Whether something comes true in this time."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


async def comes_true_meanwhile(fact: Callable[[], object], seconds: float = SECONDS) -> bool:
    """The same while this loop goes on with what else it has to do."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_PAUSE)
    return True

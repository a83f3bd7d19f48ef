"""Spares callers the wait for a store that hangs.

A store that refuses costs milliseconds; one that hangs costs its deadline, and whoever waits may hold a connection of
the database meanwhile. After a few calls in a row that were late, further ones are refused at once; every few seconds
one call is let through to see whether the store is well again.
"""

import time
from collections.abc import Callable
from typing import Final

from emr.storage.errors import StoreUnavailable

LATE_CALLS: Final = 3
PAUSE_SECONDS: Final = 5.0


class Breaker:
    """Counts late calls of one store. Used from one event loop."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._late = 0
        self._next = 0.0

    def enter(self) -> None:
        """Before a call. Raises `StoreUnavailable` while the store is known to hang."""
        if self._late < LATE_CALLS:
            return
        if self._now() < self._next:
            raise StoreUnavailable
        self._next = self._now() + PAUSE_SECONDS

    def late(self) -> None:
        """A call ran into its deadline."""
        self._late += 1
        self._next = self._now() + PAUSE_SECONDS

    def answered(self) -> None:
        """The store answered, well or badly."""
        self._late = 0

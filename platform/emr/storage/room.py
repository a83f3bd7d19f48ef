"""How much of its room a hospital's content takes, as a process knows it.

Adding up a large hospital's content takes a second, and a device sends a hundred images in that time. So the sum is
kept for fifty times as long as it took to make, a minute at most, and what this process stores is added to it.
"""

import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from emr.storage.errors import StorageFull

LASTING: Final = "record"
"""The retention class of content that counts; files of exports and imports go away by themselves."""
_USED: Final = "SELECT coalesce(sum(size), 0)::bigint FROM blobs WHERE retention_class = $1"
_KEPT_FOR: Final = 50.0
_LONGEST: Final = 60.0


class Statements(Protocol):
    """The connection of a unit of work, already this hospital's."""

    def fetch(self, sql: str, /, *args: Any) -> Awaitable[Sequence[Any]]:
        """The rows of one statement."""
        ...


@dataclass(slots=True)
class Room:
    """One hospital's, in one process. `used`: bytes, as of `until` at the latest (monotonic seconds)."""

    used: int = 0
    until: float = 0.0

    async def look(self, rows: Statements) -> int:
        """The bytes in use, added up again if the last time is too long ago."""
        began = time.monotonic()
        if began >= self.until:
            self.used = int((await rows.fetch(_USED, LASTING))[0][0])
            now = time.monotonic()
            self.until = now + min(_LONGEST, _KEPT_FOR * (now - began))
        return self.used

    async def left(self, rows: Statements, most: int) -> int:
        """The bytes that may be added below `most`. Raises `StorageFull`, and never by an old sum."""
        if await self.look(rows) >= most:
            self.until = 0.0
            if await self.look(rows) >= most:
                raise StorageFull(most)
        return most - self.used

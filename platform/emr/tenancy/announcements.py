"""What the department announces on hospitals' pages, in memory, at most a few seconds old."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from emr.db.connection import FAILURES, Row
from emr.db.pools import RolePool

REFRESH_SECONDS: Final = 3.0
_STANDING: Final = """
SELECT id, kind, vi, en, since, until, hospitals, written_by_name, written_at, ended_at, ended_by_name
FROM directory.announcements WHERE ended_at IS NULL AND until > now() ORDER BY since, id
"""


@dataclass(frozen=True, slots=True)
class Announcement:
    """kind: `notice` or `maintenance`. vi, en: the text in both languages. hospitals: ids; empty for all.

    ended_at: when it was taken back before its time.
    """

    id: str
    kind: str
    vi: str
    en: str
    since: datetime
    until: datetime
    hospitals: frozenset[str]
    written_by_name: str
    written_at: datetime
    ended_at: datetime | None = None
    ended_by_name: str | None = None

    def shown(self, tenant_id: str, now: datetime) -> bool:
        """Whether a hospital's pages show it now."""
        here = not self.hospitals or tenant_id in self.hospitals
        return here and self.ended_at is None and self.since <= now < self.until


class Announcements:
    """Those that stand or are to come; `refresh_forever` keeps them fresh."""

    def __init__(self, directory: RolePool) -> None:
        self._directory = directory
        self._known: Sequence[Announcement] = ()

    def of(self, tenant_id: str, now: datetime) -> Sequence[Announcement]:
        """Those that a hospital's pages show now."""
        return [each for each in self._known if each.shown(tenant_id, now)]

    async def refresh(self) -> None:
        """Read now what the directory says."""
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_STANDING, name="announcements")
        self._known = [announcement(row) for row in rows]

    async def refresh_forever(self) -> None:
        """Read every few seconds until cancelled; a directory that is down leaves what is known in force."""
        while True:
            with contextlib.suppress(*FAILURES):
                await self.refresh()
            await asyncio.sleep(REFRESH_SECONDS)


def announcement(row: Row) -> Announcement:
    """From a row of `directory.announcements`."""
    return Announcement(**dict(row) | {"hospitals": frozenset(row["hospitals"])})

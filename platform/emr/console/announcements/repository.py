"""The rows of `directory.announcements`: added, read, ended; never changed and never deleted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from emr.db.connection import Connection
from emr.tenancy.announcements import Announcement, announcement

_ADD: Final = """
INSERT INTO directory.announcements (id, kind, vi, en, since, until, hospitals, written_by, written_by_name, written_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_NEWEST: Final = """
SELECT id, kind, vi, en, since, until, hospitals, written_by_name, written_at, ended_at, ended_by_name
FROM directory.announcements ORDER BY (ended_at IS NULL AND until > $1) DESC, since DESC LIMIT $2
"""
_END: Final = """
UPDATE directory.announcements SET ended_at = $2, ended_by = $3, ended_by_name = $4
WHERE id = $1 AND ended_at IS NULL AND until > $2 RETURNING id
"""


async def add(directory: Connection, said: Announcement, written_by: str) -> None:
    """Keep one; written_by: subject."""
    await directory.execute(
        _ADD, said.id, said.kind, said.vi, said.en, said.since, said.until, sorted(said.hospitals), written_by,
        said.written_by_name, said.written_at, name="console.announce",
    )  # fmt: skip


async def newest(directory: Connection, now: datetime, most: int) -> Sequence[Announcement]:
    """Those that stand or are to come, then the past."""
    return [announcement(row) for row in await directory.fetch(_NEWEST, now, most, name="console.announcements")]


async def end(directory: Connection, key: str, by: tuple[datetime, str, str]) -> bool:
    """Take one back; by: when, subject, name. Whether there was one to take back."""
    return await directory.fetchval(_END, key, *by, name="console.announcement-end") is not None

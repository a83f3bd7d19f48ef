"""Accounts that the platform made at the provider. Only these may be closed or given a password from here.

An account that was there before may be one of the department's, or of a hospital that keeps its own: it is put into an
organization and taken out again, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emr.db.pools import RolePool
from emr.kernel.clock import Clock, utc_now

_MADE: Final = """
INSERT INTO directory.accounts (subject, made_for) VALUES ($1, $2) ON CONFLICT (subject) DO NOTHING
"""
_IS_OURS: Final = "SELECT true FROM directory.accounts WHERE subject = $1"
_ELSEWHERE: Final = """
SELECT EXISTS (SELECT 1 FROM directory.memberships
 WHERE subject = $1 AND active AND (expires_at IS NULL OR expires_at > $2) AND tenant_id <> $3)
"""
_CLOSE: Final = """
UPDATE directory.accounts a SET closing = true
WHERE a.subject = $1 AND NOT EXISTS (SELECT 1 FROM directory.memberships m
  WHERE m.subject = a.subject AND m.active AND (m.expires_at IS NULL OR m.expires_at > $2))
RETURNING true
"""
_TOLD: Final = "UPDATE directory.accounts SET closing = false WHERE subject = $1 AND closing"
_OPEN_CLOSINGS: Final = """
SELECT a.subject FROM directory.accounts a JOIN directory.memberships m ON m.subject = a.subject AND m.tenant_id = $1
WHERE a.closing ORDER BY a.subject
"""


class MadeAccounts:
    """The rows of `directory.accounts`, as `emr_directory`."""

    def __init__(self, directory: RolePool, clock: Clock = utc_now) -> None:
        self._directory = directory
        self._clock = clock

    async def made(self, subject: str, tenant_id: str) -> None:
        """Remember that an account was made for a hospital."""
        async with self._directory.connection() as connection:
            await connection.execute(_MADE, subject, tenant_id, name="account.made")

    async def is_ours(self, subject: str) -> bool:
        """Whether the platform made this account."""
        async with self._directory.connection() as connection:
            return bool(await connection.fetchval(_IS_OURS, subject, name="account.is_ours"))

    async def is_elsewhere(self, subject: str, tenant_id: str) -> bool:
        """Whether this account is a member of another hospital now."""
        async with self._directory.connection() as connection:
            return bool(
                await connection.fetchval(_ELSEWHERE, subject, self._clock(), tenant_id, name="account.elsewhere")
            )

    async def begin_closing(self, subject: str) -> bool:
        """Mark an account of ours without any membership as to be closed; whether it is such a one."""
        async with self._directory.connection() as connection:
            return bool(await connection.fetchval(_CLOSE, subject, self._clock(), name="account.begin_closing"))

    async def told(self, subject: str) -> None:
        """The provider knows: nothing is left to be done."""
        async with self._directory.connection() as connection:
            await connection.execute(_TOLD, subject, name="account.told")

    async def unfinished(self, tenant_id: str) -> Sequence[str]:
        """Accounts of a hospital's former members that the provider has not closed yet."""
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_OPEN_CLOSINGS, tenant_id, name="account.unfinished")
        return [row["subject"] for row in rows]

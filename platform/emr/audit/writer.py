"""Commits audit rows of all hospitals in groups: whoever comes while a group is being written joins the next one."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from emr.audit.company import Company
from emr.audit.rows import AuditRow
from emr.db.connection import USELESS
from emr.db.pools import Databases, RolePool
from emr.kernel.errors import Unavailable
from emr.telemetry.metrics import AUDIT_COMMIT_SECONDS, AUDIT_GROUP_ROWS

_JOURNAL: Final = """
INSERT INTO cell.audit_journal (tenant, at, row)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[])
"""
_DIRECTORY: Final = """
INSERT INTO directory.audit_journal (at, row) SELECT at, row FROM unnest($1::text[], $2::timestamptz[], $3::text[])
  AS rows (tenant, at, row)
"""
IN_TRANSACTION: Final = """
INSERT INTO cell.audit_journal (tenant, at, row)
SELECT current_user, at, row FROM unnest($1::timestamptz[], $2::text[]) AS rows (at, row)
"""
"""The same for a hospital's own transaction: row security lets it write for itself alone."""


_PATIENCE: Final = 0.008
"""The longest, in seconds, that a group waits for those who were answered with the one before."""
_RECENT: Final = 0.05
"""Seconds after which nobody is waited for any more: they have got their answers and do not ask again."""


@dataclass(slots=True)
class _Waiting:
    rows: Sequence[AuditRow]
    done: asyncio.Future[None]


class _Group:
    """The rows of one database on their way; one group at a time, so that the next one grows meanwhile.

    A commit costs as much as twenty rows. So a group waits for those who are likely to come at once (`Company`):
    without that, those who come together part into two groups that take turns, each half as large. Who comes alone is
    written at once.
    """

    def __init__(self, pool: RolePool, statement: str, *, patience: float, recent: float) -> None:
        self._pool = pool
        self._statement = statement
        self._patience = patience
        self._company = Company(recent)
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._gathered: asyncio.Future[None] | None = None

    async def record(self, rows: Sequence[AuditRow]) -> None:
        waiting = _Waiting(rows, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        elif self._gathered is not None and self._company.complete(len(self._waiting)):
            _settle(self._gathered)
        # Whoever stops waiting leaves the rows, which are written all the same.
        await waiting.done

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if self._company.worth_a_wait(len(self._waiting), loop.time()):
                await self._gather(loop)
                self._company.waited(len(self._waiting))
            group, self._waiting = self._waiting, []
            error = await self._store([row for waiting in group for row in waiting.rows])
            self._company.wrote(len(group), len(self._waiting), loop.time())
            for waiting in group:
                if waiting.done.cancelled():
                    continue
                if error is None:
                    waiting.done.set_result(None)
                else:
                    waiting.done.set_exception(error)

    async def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        """Return when as many are waiting as are expected, or patience is at its end."""
        self._gathered = loop.create_future()
        timer = loop.call_later(self._patience, _settle, self._gathered)
        try:
            await self._gathered
        finally:
            timer.cancel()
            self._gathered = None

    async def _store(self, rows: Sequence[AuditRow]) -> Unavailable | None:
        AUDIT_GROUP_ROWS.observe(len(rows))
        try:
            async with self._pool.connection() as connection:
                began = time.perf_counter()
                await connection.execute(
                    self._statement,
                    [row.tenant for row in rows],
                    [row.at for row in rows],
                    [row.canonical() for row in rows],
                    name="audit",
                )
                AUDIT_COMMIT_SECONDS.observe(time.perf_counter() - began)
        except (asyncpg.PostgresError, *USELESS, Unavailable) as error:
            unavailable = Unavailable("audit-unavailable", "The audit journal does not answer; nothing is shown.")
            unavailable.__cause__ = error
            return unavailable
        return None


class AuditWriter:
    """Rows that must be committed before an answer leaves.

    patience, recent: seconds for which a group waits for who was answered with the one before, and how long ago at most
    that was.
    """

    def __init__(self, databases: Databases, *, patience: float = _PATIENCE, recent: float = _RECENT) -> None:
        def group(pool: RolePool, statement: str) -> _Group:
            return _Group(pool, statement, patience=patience, recent=recent)

        self._directory = group(databases.directory, _DIRECTORY)
        self._cells = {name: group(cell.audit, _JOURNAL) for name, cell in databases.cells.items()}

    async def record(self, cell: str, rows: Sequence[AuditRow]) -> None:
        """Return when the rows of hospitals in this cell are committed; `Unavailable` when they cannot be."""
        if rows:
            await self._cells[cell].record(rows)

    async def record_directory(self, rows: Sequence[AuditRow]) -> None:
        """The same for facts that belong to no hospital: sign-ins, probes, operators' acts."""
        if rows:
            await self._directory.record(rows)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)

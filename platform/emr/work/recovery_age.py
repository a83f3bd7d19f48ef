"""What the alerts know of backups: how old the newest one and the newest passed rehearsal are, and what fails.

Every worker tells it, whoever holds a lease: a gauge of a former holder would stand still. What there never was counts
from when the first hospital was made.
"""

from typing import Final

from emr.telemetry import metrics
from emr.work.leases import Lease
from emr.work.loop import Job
from emr.work.runtime import Runtime

_LOOK: Final = 60.0
_BACKUPS: Final = """
SELECT extract(epoch FROM now() - coalesce(
         (SELECT max(ended_at) FROM directory.backups WHERE cell = $1 AND label IS NOT NULL),
         min(t.created_at)))::float8 AS age,
       coalesce((SELECT label IS NULL FROM directory.backups WHERE cell = $1 ORDER BY number DESC LIMIT 1), false)
         AS failed
  FROM directory.tenants t WHERE t.cell = $1
"""
_REHEARSALS: Final = """
SELECT extract(epoch FROM now() - coalesce(
         (SELECT max(ended_at) FROM directory.rehearsals WHERE cell = $1 AND passed),
         min(t.created_at)))::float8 AS age,
       coalesce((SELECT NOT passed FROM directory.rehearsals WHERE cell = $1 ORDER BY number DESC LIMIT 1), false)
         AS failed
  FROM directory.tenants t WHERE t.cell = $1
"""
_ARCHIVER: Final = """
SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) FROM pg_stat_archiver
"""


def recovery_jobs(parts: Runtime) -> list[Job]:
    """One job, in every worker."""

    async def turn(lease: Lease | None) -> bool:
        del lease
        await tell(parts)
        return False

    return [Job("recovery-age", _LOOK, turn)]


async def tell(parts: Runtime) -> None:
    """Set the gauges of every cell; one without hospitals tells nothing of backups."""
    for name, cell in parts.databases.cells.items():
        async with parts.databases.directory.connection() as connection:
            backup = await connection.fetchrow(_BACKUPS, name, name="recovery.backups")
            rehearsal = await connection.fetchrow(_REHEARSALS, name, name="recovery.rehearsals")
        for row, age, failed in (
            (backup, metrics.BACKUP_AGE, metrics.BACKUP_FAILED),
            (rehearsal, metrics.REHEARSAL_AGE, metrics.REHEARSAL_FAILED),
        ):
            if row is not None and row["age"] is not None:
                age.labels(name).set(row["age"])
                failed.labels(name).set(int(row["failed"]))
        async with cell.relay.connection() as connection:
            failing = await connection.fetchval(_ARCHIVER, name="recovery.archiver")
        metrics.ARCHIVE_FAILED.labels(name).set(int(failing))

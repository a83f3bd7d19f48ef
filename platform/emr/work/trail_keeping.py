"""What a worker does for the audit trails: seals them, anchors the seals out of the database's reach, archives."""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

from emr.audit.anchoring import Anchorer
from emr.audit.anchors import signer_of
from emr.audit.sealing import DirectorySealer, Sealer
from emr.db.pools import Cell
from emr.kernel.errors import NotFound, Unavailable
from emr.storage.locked import LockedStore, open_locked
from emr.telemetry import metrics
from emr.work.faults import kill_points
from emr.work.leases import Lease, Leases
from emr.work.loop import Job
from emr.work.runtime import Runtime
from emr.work.trail_archiving import archive_jobs

_CELL_STATE: Final = """
INSERT INTO directory.cell_state (cell, anchored_at, told_at) VALUES ($1, $2, $3)
ON CONFLICT (cell) DO UPDATE SET anchored_at = excluded.anchored_at, told_at = excluded.told_at
"""
_SEAL_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 10.0
_LAG_SECONDS: Final = 30.0


def trail_jobs(runtime: Runtime, leases: dict[str, Leases]) -> list[Job]:
    """For each cell a sealer, who anchors, and a gauge of how old the newest anchor is; a sealer of the directory."""
    store, reached = open_locked(runtime.settings), kill_points(runtime.settings)
    directory = DirectorySealer(runtime.databases.directory_audit, runtime.clock)
    jobs = [Job("sealer:directory", _SEAL_SECONDS, _always(directory.turn))]
    for name, cell in runtime.databases.cells.items():
        elsewhere = partial(_elsewhere, runtime, name)
        sealer = Sealer(
            name,
            cell,
            runtime.clock,
            runtime.registry.slug_of,
            reached,
            elsewhere=elsewhere,
            own=partial(_own, runtime),
        )
        jobs.append(Job(f"sealer:{name}", _SEAL_SECONDS, _always(sealer.turn)))
        anchorer = _anchorer(runtime, name, store)
        pause = min(_LOOK_SECONDS, runtime.settings.anchors.every_seconds)
        jobs.append(Job(f"anchors:{name}", pause, _always(anchorer.turn), leases[name]))
        jobs.append(Job(f"anchor-lag:{name}", _LAG_SECONDS, _watching(runtime, _anchorer(runtime, name, store))))
    return jobs + archive_jobs(runtime, leases, store, reached)


def _elsewhere(runtime: Runtime, cell: str) -> frozenset[str]:
    return frozenset(each.schema for each in runtime.registry.all() if each.moving or each.cell != cell)


def _own(runtime: Runtime, stream: str) -> Cell | None:
    """None for a stream of no hospital, or of one whose login this process was not told of."""
    try:
        return runtime.databases.place(runtime.registry.by_schema(stream))
    except (NotFound, Unavailable):
        return None


def _anchorer(runtime: Runtime, cell: str, store: LockedStore) -> Anchorer:
    settings = runtime.settings
    return Anchorer(
        cell=cell,
        databases=runtime.databases,
        hospitals=runtime.registry.all,
        store=store,
        signer=signer_of(settings),
        clock=runtime.clock,
        period=timedelta(seconds=settings.anchors.every_seconds),
        retention_years=settings.anchors.retention_years,
    )


def _always(turn: Callable[[], Awaitable[bool]]) -> Callable[[Lease | None], Awaitable[bool]]:
    return lambda _: turn()


def _watching(runtime: Runtime, anchorer: Anchorer) -> Callable[[Lease | None], Awaitable[bool]]:
    """Every worker tells the lag, whoever holds the lease. It grows on while the store does not answer.

    The directory is told too: the department's console has no way to where anchors lie.
    """
    newest = time.time()

    def lag() -> float:
        return max(0.0, time.time() - newest)

    async def turn(_: Lease | None) -> bool:
        nonlocal newest
        found = await anchorer.look()
        newest = found.timestamp() or newest
        async with runtime.databases.directory.connection() as connection:
            anchored = found if found.timestamp() else None
            await connection.execute(_CELL_STATE, anchorer.cell, anchored, runtime.clock(), name="anchors.told")
        return False

    metrics.AUDIT_ANCHOR_LAG_SECONDS.labels(anchorer.cell).set_function(lag)
    return turn

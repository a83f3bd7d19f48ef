"""`emr worker`, put together: relay, sealer and upkeep of every cell in one process, as many processes as one likes."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from typing import Final

import typer
import uvloop

from emr.db.cells import all_logins
from emr.db.pools import Cell
from emr.db.roles import refuse_powerful_login
from emr.fleet.leaving.asked import exit_jobs
from emr.kernel.errors import Refusal
from emr.light.nightly import border_jobs
from emr.records.bulk.worker import bulk_jobs
from emr.records.reindexing_job import reindex_jobs
from emr.settings import Settings
from emr.subscriptions.jobs import subscription_jobs
from emr.telemetry import metrics
from emr.telemetry.health import Check, Readiness
from emr.telemetry.logs import configure_logs, get_logger
from emr.telemetry.management import serve_management
from emr.telemetry.tracing import configure_tracing
from emr.warehouse.bodies import Bodies
from emr.warehouse.outbox import DESTINATION, Outbox
from emr.warehouse.relay import Relay
from emr.warehouse.table import Table
from emr.work.collector import leave_old_objects_alone
from emr.work.command import told
from emr.work.faults import kill_points
from emr.work.leases import Lease, Leases
from emr.work.loop import Job, Loop, of_cell
from emr.work.preconditions import demand_anchor_key
from emr.work.recovery_age import recovery_jobs
from emr.work.runtime import Runtime, runtime
from emr.work.starting import ManagementPort, ready_to_start, refuse
from emr.work.trail_keeping import trail_jobs
from emr.work.upkeep import upkeep_jobs

_BACKLOG_SECONDS: Final = 2.0
worker = typer.Typer()


@worker.command()
def work(management_port: ManagementPort = 8001) -> None:
    """The relay to the city, the sealing of the audit journal, what was asked for, and what is tidied."""
    settings = ready_to_start()
    try:
        code = run(settings, management_port)
    except Refusal as refusal:
        refuse(told(refusal))
    raise typer.Exit(code)


def run(settings: Settings, management_port: int) -> int:
    """Work until SIGTERM or SIGINT, then finish what was begun; the exit code is 0 if that took no longer than it may.

    Raises `LoginTooPowerful`, and `Unavailable` when the database does not answer at the start.
    """
    configure_logs(settings.telemetry, "worker")
    for url in all_logins(settings.database):
        refuse_powerful_login(url)
    demand_anchor_key(settings)
    flush = configure_tracing(settings.telemetry, "worker")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_work(settings, management_port))
    finally:
        flush()


async def _work(settings: Settings, management_port: int) -> int:
    parts = runtime(settings)
    await parts.open()
    leave_old_objects_alone()
    loop = Loop(worker_jobs(parts))
    # A warehouse or an object store that is down is told, and is no reason to hold up a new version's roll-out.
    readiness = Readiness(
        {"database": parts.database_reason}, {"storage": parts.storage_reason, "jobs": _failing(loop)}
    )
    management = await serve_management(management_port, readiness, host=settings.telemetry.management_host)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, loop, readiness)
    get_logger().info("worker started", pid=os.getpid(), port=management.port)
    try:
        drained = await loop.run(drain_seconds=settings.worker.drain_seconds)
    finally:
        await management.stop()
        await parts.close()
    get_logger().info("worker stopped", outcome="drained" if drained else "cut off")
    if not drained:
        # A thread that waits for a dead object store would keep the interpreter from leaving.
        os._exit(1)
    return 0


def _stop(loop: Loop, readiness: Readiness) -> None:
    readiness.drain()
    loop.stop()


def worker_jobs(parts: Runtime) -> list[Job]:
    """Everything that a worker does: for each cell sealer and anchors, a gauge and, where a warehouse is set, a relay;
    what is told to other systems; upkeep.
    """
    holder = f"{socket.gethostname()}/{os.getpid()}/{os.urandom(4).hex()}"
    seconds = parts.settings.worker.lease_seconds
    cells = parts.databases.cells
    leases = {name: Leases(cell.relay, holder, seconds) for name, cell in cells.items()}
    jobs = trail_jobs(parts, leases) + upkeep_jobs(parts, leases) + reindex_jobs(parts, leases)
    jobs += (
        bulk_jobs(parts, leases)
        + exit_jobs(parts, leases)
        + subscription_jobs(parts, leases)
        + border_jobs(parts, leases)
        + recovery_jobs(parts)
    )
    for name, cell in cells.items():
        jobs.append(Job(f"backlog:{name}", _BACKLOG_SECONDS, _measuring(name, Outbox(cell.relay))))
        jobs.append(Job(f"sandboxes:{name}", _BACKLOG_SECONDS, _forgetting(parts, Outbox(cell.relay))))
        if parts.settings.warehouse.url:
            jobs.append(_relaying(parts, name, cell, leases[name]))
    return jobs


def _measuring(name: str, outbox: Outbox) -> Callable[[Lease | None], "asyncio.Future[bool]"]:
    """Every worker tells the lag, whoever holds the lease: a gauge of a former holder would stand still."""

    async def turn() -> bool:
        backlog = await outbox.backlog()
        metrics.OUTBOX_LAG_SECONDS.labels(name).set(backlog.age)
        metrics.OUTBOX_ROWS.labels(name).set(backlog.rows)
        metrics.OUTBOX_BROKEN_ROWS.labels(name).set(backlog.broken)
        return False

    return lambda _: asyncio.ensure_future(turn())


def _forgetting(parts: Runtime, outbox: Outbox) -> Callable[[Lease | None], "asyncio.Future[bool]"]:
    """What hospitals for training write is never claimed, and goes away here."""

    async def turn() -> bool:
        sandboxes = [each.schema for each in parts.registry.all() if each.sandbox]
        if sandboxes:
            await outbox.drop(sandboxes)
        return False

    return lambda _: asyncio.ensure_future(turn())


def _relaying(parts: Runtime, name: str, cell: Cell, leases: Leases) -> Job:
    relay = Relay(
        settings=parts.settings.warehouse,
        outbox=Outbox(cell.relay),
        bodies=Bodies(parts.databases, parts.registry),
        table=Table(parts.settings.warehouse, name),
        slug_of=parts.registry.slug_of,
        reached=kill_points(parts.settings),
        paused=lambda: [each.schema for each in parts.registry.all() if each.sandbox or each.moving or not each.open],
    )

    async def turn(lease: Lease | None) -> bool:
        return lease is not None and await relay.turn(lease)

    return Job(of_cell(f"relay:{DESTINATION}", name), parts.settings.warehouse.poll_ms / 1000, turn, leases)


def _failing(loop: Loop) -> Check:
    async def check() -> str | None:
        return ", ".join(f"{job} fails ({why})" for job, why in loop.failing.items()) or None

    return check

"""What a worker clears away: sessions that are long over, answers kept for retries, objects that no row names; and
how much of their quotas the hospitals use.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from emr.db.cells import DEFAULT_CELL
from emr.db.pools import Databases
from emr.identity.principal import HOSPITAL_ROLES
from emr.kernel.tenant import Tenant
from emr.storage.room import Room
from emr.storage.sweep import sweep
from emr.telemetry import metrics
from emr.telemetry.logs import get_logger
from emr.work.leases import Lease, Leases
from emr.work.loop import Job
from emr.work.rounds import go_round
from emr.work.runtime import Runtime

_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR
_LOOK: Final = 60.0
_QUOTAS_EVERY: Final = 300.0

_SESSIONS: Final = "DELETE FROM directory.sessions WHERE expires_at < now() - interval '7 days'"
_USERS: Final = """
SELECT count(*) FROM directory.memberships
WHERE tenant_id = $1 AND role = ANY ($2) AND active AND coalesce(expires_at > now(), true)
"""
_USAGE: Final = """
INSERT INTO directory.usage (tenant_id, day, storage_bytes, users, measured_at)
SELECT id, $2, $3, $4, $5 FROM directory.tenants WHERE id = $1
ON CONFLICT (tenant_id, day) DO UPDATE
SET storage_bytes = excluded.storage_bytes, users = excluded.users, measured_at = excluded.measured_at
"""
_OLD_TRAFFIC: Final = "DELETE FROM directory.traffic WHERE at < now() - interval '2 days'"
_OLD_USAGE: Final = "DELETE FROM directory.usage WHERE day < now() - interval '400 days'"
_ANSWERS: Final = (
    "DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours' AND route <> 'emr import'"
)


def upkeep_jobs(runtime: Runtime, leases: dict[str, Leases]) -> list[Job]:
    """Jobs for every cell; what concerns the directory is led in the default cell."""

    async def sessions() -> None:
        async with runtime.databases.directory.connection() as connection:
            done = await connection.execute(_SESSIONS, name="upkeep.sessions")
        get_logger().info("old sessions removed", rows=int(done.split()[-1]))

    async def figures() -> None:
        async with runtime.databases.directory.connection() as connection:
            for statement in (_OLD_TRAFFIC, _OLD_USAGE):
                await connection.execute(statement, name="upkeep.figures")

    jobs = [_job("upkeep-sessions", leases[DEFAULT_CELL], _HOUR, sessions)]
    jobs.append(_job("upkeep-figures", leases[DEFAULT_CELL], _HOUR, figures))
    for cell, own in leases.items():
        for name, period, act in (
            ("upkeep-answers", _HOUR, _forget_answers),
            ("upkeep-orphans", _DAY, _remove_orphans),
            ("upkeep-quotas", _QUOTAS_EVERY, _tell_quotas),
        ):
            jobs.append(_job(f"{name}:{cell}", own, period, _of_each(runtime, cell, name, act)))
    return jobs


def _job(name: str, leases: Leases, period: float, action: Callable[[], Awaitable[None]]) -> Job:
    async def turn(lease: Lease | None) -> bool:
        if lease is not None and await leases.due(lease, period):
            await action()
        return False

    return Job(name, _LOOK, turn, leases)


def _of_each(
    runtime: Runtime, cell: str, name: str, action: Callable[[Runtime, Tenant], Awaitable[None]]
) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        known = runtime.registry.all()
        hospitals = [each for each in known if each.cell == cell and each.open and not each.moving]
        await go_round(name, hospitals, partial(action, runtime))

    return run


async def _forget_answers(runtime: Runtime, tenant: Tenant) -> None:
    async with runtime.databases.hospital(tenant) as connection:
        await connection.execute(_ANSWERS, name="upkeep.answers")


async def _tell_quotas(runtime: Runtime, tenant: Tenant) -> None:
    async with runtime.databases.hospital(tenant) as connection:
        used = await Room().look(connection)
    now = runtime.clock()
    async with runtime.databases.directory.connection() as connection:
        users = await connection.fetchval(_USERS, tenant.id, list(HOSPITAL_ROLES), name="upkeep.users")
        await connection.execute(_USAGE, tenant.id, now.date(), used, users, now, name="upkeep.usage")
    for quota, share, most in (
        ("users", users, tenant.quotas.users),
        ("storage", used, tenant.quotas.storage_gib << 30),
    ):
        metrics.QUOTA_USED.labels(metrics.hospital_label(tenant.slug), quota).set(share / most if most else 0)


async def _remove_orphans(runtime: Runtime, tenant: Tenant) -> None:
    store = runtime.stores.of(tenant.schema)
    keep = timedelta(days=runtime.settings.backup.keep_days)
    swept = await sweep(store, _ShortTransactions(runtime.databases, tenant), runtime.clock(), keep)
    get_logger().info("orphans removed", hospital=tenant.slug, count=swept.seen, rows=swept.removed, bytes=swept.size)


@dataclass(frozen=True, slots=True)
class _ShortTransactions:
    """Statements in a transaction each: listing a hospital's objects takes longer than a transaction should."""

    databases: Databases
    tenant: Tenant

    async def fetch(self, sql: str, *args: object) -> Sequence[Any]:
        async with self.databases.hospital(self.tenant) as connection:
            return await connection.fetch(sql, *args, name="upkeep.orphans")

    async def execute(self, sql: str, *args: object) -> str:
        async with self.databases.hospital(self.tenant) as connection:
            return await connection.execute(sql, *args, name="upkeep.orphans")

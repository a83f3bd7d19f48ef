"""The states of a Subscription that are the server's to give: active, error and off. Each is a new version."""

from datetime import timedelta
from typing import Any

from emr.kernel.tenant import Tenant
from emr.records.current import current
from emr.records.update import update_resource
from emr.subscriptions import repository
from emr.subscriptions.guard import TYPE
from emr.subscriptions.owners import worker_of
from emr.subscriptions.repository import Move
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work


async def activate(parts: Runtime, tenant: Tenant, subscription: str, *, answered: bool) -> None:
    """The endpoint has answered, or need not; what is owed is sent from now on."""
    async with unit_of_work(parts, tenant, worker_of(tenant)) as work:
        await _restate(work, subscription, "active", None)
        now = work.clock()
        await repository.move(work.db, subscription, Move("active", None, now, now if answered else None))


async def put_in_error(parts: Runtime, tenant: Tenant, subscription: str, reason: str) -> None:
    """Nothing is sent until its owner asks for it again. Events go on being counted, and wait."""
    async with unit_of_work(parts, tenant, worker_of(tenant)) as work:
        now = work.clock()
        text = f"Stopped at {now.isoformat(timespec='seconds')}: {reason}. Set the status to requested to go on."
        await _restate(work, subscription, "error", text)
        until = now + timedelta(days=parts.settings.subscriptions.keep_days)
        await repository.move(work.db, subscription, Move("error", reason, until))


async def switch_off(parts: Runtime, tenant: Tenant, subscription: str, reason: str) -> None:
    """It is over: nothing is counted and nothing is owed any more."""
    async with unit_of_work(parts, tenant, worker_of(tenant)) as work:
        await _restate(work, subscription, "off", reason)
        await repository.drop(work.db, subscription)


async def _restate(work: UnitOfWork, subscription: str, status: str, error: str | None) -> None:
    """A new version of the Subscription, unless it says so already. Raises `VersionMoved` when its owner was faster."""
    stored = await current(work, TYPE, subscription)
    if stored.deleted:
        return
    resource: dict[str, Any] = {name: value for name, value in stored.resource().items() if name != "error"}
    if resource["status"] != status:
        said = {"status": status} | ({"error": error} if error else {})
        await update_resource(work, resource | said, if_match=stored.version)

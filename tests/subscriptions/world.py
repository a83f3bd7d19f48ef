"""A platform with a hospital that allows loopback, a machine that may subscribe, and the worker's turns by hand."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from emr.identity.memberships import Membership, Memberships
from emr.identity.principal import Principal, kind_of, system_principal
from emr.kernel.tenant import Tenant
from emr.records.create import create_resource
from emr.records.delete import delete
from emr.records.stored import Stored
from emr.records.update import update_resource
from emr.settings import Subscriptions
from emr.subscriptions import repository
from emr.subscriptions.delivery import Delivery
from emr.subscriptions.guard import install
from emr.subscriptions.jobs import Courier
from emr.subscriptions.outgoing import Resolver, resolve
from emr.subscriptions.terms import FILTER_CRITERIA, HEARTBEAT_PERIOD, MAX_COUNT, PAYLOAD_CONTENT
from emr.work.faults import nowhere
from emr.work.leases import Lease
from emr.work.runtime import Runtime, runtime
from emr.work.unit import UnitOfWork, unit_of_work
from tests.warehouse.world import World, observation_of, patient_of

SLUG = "hoa-sen"
_LEASE = Lease("test", "test", 1)
HELD_UP = (
    "SELECT 1 FROM cell.subscribers WHERE state = 'requested' AND attempts = 0 AND due_at < now() + interval '1 s'"
)
"""Handshakes wait for whatever is written anywhere in the server, its own upkeep too, and are tried again soon."""
FAST = Subscriptions(poll_ms=20, timeout_seconds=2, retry_seconds=0.05)


@dataclass
class Clock:
    """The real time, and what a test adds to it."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Ward:
    """One hospital's record, its machines and the couriers of this process."""

    world: World
    parts: Runtime
    couriers: list[Courier]
    clock: Clock

    @property
    def tenant(self) -> Tenant:
        return self.parts.registry.by_slug(SLUG)

    def machine(self, role: str = "his", name: str = "") -> Principal:
        return Principal(f"machine:{name or role}", role, role, kind_of(role), self.tenant.id)

    async def join(self, role: str, name: str = "", tenant: str = SLUG) -> Principal:
        member = self.machine(role, name)
        known = Memberships(self.parts.databases.directory)
        tenant_id = self.parts.registry.by_slug(tenant).id
        await known.grant(Membership(tenant_id, member.subject, role, role), granted_by="test")
        return member

    async def leave(self, member: Principal) -> None:
        known = Memberships(self.parts.databases.directory)
        await known.revoke(self.tenant.id, member.subject, revoked_by="test")

    @asynccontextmanager
    async def working(self, principal: Principal | None = None) -> AsyncIterator[UnitOfWork]:
        who = principal or system_principal("test", tenant_id=self.tenant.id)
        async with unit_of_work(self.parts, self.tenant, who) as work:
            yield work

    async def subscribe(self, resource: dict[str, Any], principal: Principal | None = None) -> str:
        async with self.working(principal or self.machine()) as work:
            return (await create_resource(work, resource)).id

    async def active(self, resource: dict[str, Any], principal: Principal | None = None) -> str:
        """A Subscription whose endpoint has taken the handshake."""
        subscription = await self.subscribe(resource, principal)
        await self.settle()
        assert (await self.read("Subscription", subscription))["status"] == "active"
        return subscription

    async def create(self, resource: dict[str, Any]) -> Stored:
        async with self.working() as work:
            return await create_resource(work, resource)

    async def update(self, resource: dict[str, Any], principal: Principal | None = None) -> Stored:
        async with self.working(principal) as work:
            return await update_resource(work, resource)

    async def delete(self, resource_type: str, resource_id: str, principal: Principal | None = None) -> None:
        async with self.working(principal) as work:
            await delete(work, resource_type, resource_id)

    async def read(self, resource_type: str, resource_id: str) -> dict[str, Any]:
        schema = self.tenant.schema
        async with self.working() as work:
            row = await work.db.fetchrow(
                "SELECT pk, id, version, updated, deleted, patients, body FROM resources WHERE type = $1 AND id = $2",
                resource_type,
                resource_id,
            )
        assert row is not None, schema
        return Stored.of(resource_type, row).resource()

    async def turn(self) -> None:
        """What the worker does once."""
        for courier in self.couriers:
            await courier.turn(_LEASE)

    async def settle(self, rounds: int = 0) -> None:
        """So many rounds of turns, or rounds until nothing is due."""
        for _ in range(rounds or 6):
            await self._round()
        deadline = time.monotonic() + 20
        while not rounds and self.world.sql(HELD_UP) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            await self._round()

    async def _round(self) -> None:
        await self.turn()
        for courier in self.couriers:
            await courier.finish()
        await asyncio.sleep(0.005)

    def row(self, subscription: str) -> dict[str, Any]:
        names = "state, last_number, delivered_number, attempts, reason, sending_id, owner"
        found = self.world.sql(f"SELECT {names} FROM cell.subscribers WHERE id = %s", subscription)
        return dict(zip(names.split(", "), found[0], strict=True)) if found else {}

    def audited(self, action: str) -> list[dict[str, Any]]:
        rows = self.world.sql("SELECT row FROM cell.audit_journal ORDER BY seq")
        return [row for row in (json.loads(text) for (text,) in rows) if row["action"] == action]


Scenario = Callable[[Ward], Awaitable[None]]
Play = Callable[[Scenario], None]


@asynccontextmanager
async def ward(world: World, resolver: Resolver = resolve) -> AsyncIterator[Ward]:
    clock = Clock()
    parts = replace(runtime(world.settings), clock=clock)
    install(parts)
    await parts.open()
    cell = parts.databases.cells["default"]
    delivery = Delivery(parts, nowhere, resolver)
    couriers = [Courier(parts, cell, shard, nowhere, delivery) for shard in range(repository.SHARDS)]
    made = Ward(world, parts, couriers, clock)
    try:
        await made.join("his")
        yield made
    finally:
        await parts.close()


def allow(world: World, *receivers: dict[str, Any], slug: str = SLUG) -> None:
    """What the hospital's file says under `subscriptions.receivers`."""
    world.sql(
        "UPDATE directory.tenants SET definition = jsonb_set(definition, '{subscriptions}', %s::jsonb) WHERE slug = %s",
        json.dumps({"receivers": list(receivers)}),
        slug,
    )


LOOPBACK = {"cidr": "127.0.0.0/8", "http": True}


def subscription_to(endpoint: str, criteria: str = "Observation?status=final", **said: Any) -> dict[str, Any]:
    """A Subscription with a payload content, unless `content` is None. `filters` makes it one to a topic."""
    channel: dict[str, Any] = {"type": "rest-hook", "endpoint": endpoint}
    content = said.get("content", "id-only")
    if said.get("payload", content is not None):
        channel["payload"] = "application/fhir+json"
    if content is not None:
        channel["_payload"] = {"extension": [{"url": PAYLOAD_CONTENT, "valueCode": content}]}
    extensions = []
    if "heartbeat" in said:
        extensions.append({"url": HEARTBEAT_PERIOD, "valueUnsignedInt": said["heartbeat"]})
    if "most" in said:
        extensions.append({"url": MAX_COUNT, "valuePositiveInt": said["most"]})
    if extensions:
        channel["extension"] = extensions
    if "header" in said:
        channel["header"] = said["header"]
    resource = {
        "resourceType": "Subscription",
        "status": said.get("status", "requested"),
        "reason": "Thử",
        "criteria": criteria,
        "channel": channel,
    }
    if said.get("filters"):
        resource["_criteria"] = {
            "extension": [{"url": FILTER_CRITERIA, "valueString": each} for each in said["filters"]]
        }
    if "end" in said:
        resource["end"] = said["end"]
    return resource


def observation(patient: str, status: str = "final", text: str = "Mạch") -> dict[str, Any]:
    return observation_of(patient) | {"status": status, "code": {"text": text}}


__all__ = ["FAST", "LOOPBACK", "Play", "Ward", "allow", "observation", "patient_of", "subscription_to", "ward"]

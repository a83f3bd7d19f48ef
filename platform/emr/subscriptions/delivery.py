"""One step for one Subscription: a handshake, a notification, a heartbeat, or nothing until later.

What is sent, and under which id, is written down before it is sent; that it was taken is written down after. Between
the two a process may die, and the next one sends the same again under the same id: at least once, in the order of the
numbers, one at a time.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from emr.access.permissions import demand_sight
from emr.identity.principal import Principal
from emr.kernel.errors import Forbidden, NotFound
from emr.kernel.ids import uuid7
from emr.kernel.tenant import Tenant
from emr.records.current import current
from emr.records.read import vread
from emr.subscriptions import repository, terms
from emr.subscriptions.addresses import EndpointRefused, Fence
from emr.subscriptions.definition import Subscription, understood
from emr.subscriptions.guard import TYPE
from emr.subscriptions.notification import Focus, address_below, bundle, told_of
from emr.subscriptions.outgoing import Answer, Call, Outgoing, Resolver, resolve
from emr.subscriptions.owners import base_of, owner_of, worker_of
from emr.subscriptions.repository import Event, Subscriber
from emr.subscriptions.secret_headers import unseal
from emr.subscriptions.states import activate, put_in_error, switch_off
from emr.telemetry import metrics
from emr.work.faults import Reached
from emr.work.runtime import Runtime
from emr.work.unit import Request, UnitOfWork, unit_of_work
from emr.work.use_case import use_case

_LONGEST_PAUSE: Final = 300.0
_BARRIER_PAUSE: Final = timedelta(milliseconds=200)
_CLOSED_PAUSE: Final = timedelta(seconds=60)
_NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Step:
    """What is to be sent: handshake, heartbeat, or the events up to a number."""

    subscriber: Subscriber
    asked: Subscription
    owner: Principal
    kind: terms.Kind
    id: str
    events: tuple[Event, ...] = ()

    @property
    def number(self) -> int:
        """Events since the Subscription began, this notification's among them."""
        return self.events[-1].number if self.events else self.subscriber.last_number


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivers in one process."""

    parts: Runtime
    reached: Reached
    resolver: Resolver = field(default=resolve)

    async def step(self, tenant: Tenant, subscription: str) -> bool:
        """Do what is due for a Subscription; True when the endpoint took it and may be told more.

        Raises what the database raises; never for what the endpoint does.
        """
        step = await self._step(tenant, subscription)
        if step is None:
            return False
        try:
            call = await self._prepared(tenant, step)
        except Forbidden:
            await put_in_error(self.parts, tenant, subscription, "owner-may-not-see")
            return False
        self.reached("notify-prepared")
        answer = await self._sent(tenant, call)
        metrics.subscription_call(tenant.slug, step.kind, answer.reason)
        if answer.reason is None:
            self.reached("notify-sent")
            await self._taken(tenant, step)
            self.reached("notify-settled")
        else:
            await self._missed(tenant, step, answer)
        return answer.reason is None

    async def _step(self, tenant: Tenant, subscription: str) -> _Step | None:
        """What is due; None when it was nothing to send, and that has been seen to."""
        async with unit_of_work(self.parts, tenant, worker_of(tenant)) as work:
            known = await repository.find(work.db, subscription)
            if known is None:
                return None
            if not (tenant.writable and self.parts.serves(tenant)):
                await repository.wait(work.db, known, work.clock() + _CLOSED_PAUSE)
                return None
            stored = await current(work, TYPE, subscription)
            if stored.deleted:
                await repository.drop(work.db, subscription)
                return None
            asked = understood(stored.resource())
        owner = await owner_of(self.parts, tenant, known.owner)
        over = _over(known, asked, owner, self.parts.clock())
        if over is not None or owner is None:
            await switch_off(self.parts, tenant, subscription, over or "")
            return None
        return await self._next(tenant, known, asked, owner)

    async def _next(self, tenant: Tenant, known: Subscriber, asked: Subscription, owner: Principal) -> _Step | None:
        if known.state == "requested":
            return await self._first(tenant, known, asked, owner)
        if known.state == "active" and known.pending:
            return await self._claimed(tenant, known, asked, owner)
        now = self.parts.clock()
        pulse = _pulse(known, asked)
        if known.state == "active" and pulse <= now:
            return _Step(known, asked, owner, "heartbeat", uuid7())
        until = min(pulse, asked.end or _NEVER)
        if known.state == "error":
            until = (known.failing_since or now) + timedelta(days=self.parts.settings.subscriptions.keep_days)
        async with unit_of_work(self.parts, tenant, worker_of(tenant)) as work:
            await repository.wait(work.db, known, until)
        return None

    async def _first(self, tenant: Tenant, known: Subscriber, asked: Subscription, owner: Principal) -> _Step | None:
        """A handshake for those who know it, once no write is under way that has not seen this Subscription."""
        async with unit_of_work(self.parts, tenant, worker_of(tenant)) as work:
            if not await repository.settled(work.db, known.xid):
                await repository.wait(work.db, known, work.clock() + _BARRIER_PAUSE)
                return None
        if asked.content is not None:
            return _Step(known, asked, owner, "handshake", uuid7())
        await activate(self.parts, tenant, known.id, answered=False)
        return None

    async def _claimed(self, tenant: Tenant, known: Subscriber, asked: Subscription, owner: Principal) -> _Step | None:
        """The next events, under an id that stays theirs.

        Read again under a lock: who lost its lease without noticing must not give the same events another id.
        """
        most = asked.most if asked.content is not None else 1
        async with unit_of_work(self.parts, tenant, worker_of(tenant)) as work:
            now = await repository.find_locked(work.db, known.id)
            if now is None or now.state != "active" or not now.pending:
                return None
            name, until = now.sending_id, now.sending_to
            if name is None or until is None:
                name, until = uuid7(), min(now.delivered_number + most, now.last_number)
                await repository.claim(work.db, now.id, name, until)
            events = await repository.stretch(work.db, now.id, now.delivered_number + 1, until, until)
        self.reached("notify-claimed")
        return _Step(now, asked, owner, "event-notification", name, tuple(events))

    async def _prepared(self, tenant: Tenant, step: _Step) -> Call:
        """The call, as its owner sees it at this moment; what shows a patient's data is audited before it leaves."""
        request = Request(step.id, base_of(self.parts, tenant))
        async with unit_of_work(self.parts, tenant, step.owner, request) as work:
            demand_sight(step.owner, step.asked.type)
            return await _shown(work, step) if _shows(step) else _call(work, step, [Focus(e) for e in step.events])

    async def _sent(self, tenant: Tenant, call: Call) -> Answer:
        fence = Fence(tenant.receivers)
        try:
            endpoint = fence.demand(call.url)
        except EndpointRefused as refused:
            return Answer(refused.code)
        return await Outgoing(fence, self.resolver).send(call, endpoint)

    async def _taken(self, tenant: Tenant, step: _Step) -> None:
        if step.kind == "handshake":
            await activate(self.parts, tenant, step.subscriber.id, answered=True)
            return
        async with unit_of_work(self.parts, tenant, worker_of(tenant)) as work:
            await repository.taken(work.db, step.subscriber.id, step.id)

    async def _missed(self, tenant: Tenant, step: _Step, answer: Answer) -> None:
        """Try again later and later; stop after a stated time. A handshake has one try (channels.html#rest-hook)."""
        settings, reason = self.parts.settings.subscriptions, answer.reason or ""
        if step.kind == "handshake":
            await put_in_error(self.parts, tenant, step.subscriber.id, reason)
            return
        longest = min(settings.retry_seconds * 2 ** min(step.subscriber.attempts, 20), _LONGEST_PAUSE)
        pause = max(longest * random.uniform(0.5, 1.0), answer.pause)  # noqa: S311 - only to spread
        async with unit_of_work(self.parts, tenant, worker_of(tenant)) as work:
            failing = await repository.missed(work.db, step.subscriber.id, reason, pause)
        if failing > settings.give_up_seconds:
            await put_in_error(self.parts, tenant, step.subscriber.id, reason)


def _over(known: Subscriber, asked: Subscription, owner: Principal | None, now: datetime) -> str | None:
    """Why a Subscription is to be switched off, if it is."""
    if owner is None:
        return "Its owner is no member of this hospital any more."
    ended = asked.end is not None and asked.end <= now
    if ended and (known.state != "active" or not known.pending):
        return "Its end has come."
    if known.state == "error" and known.due_at <= now:
        return "Nobody has asked for it since it was stopped."
    return None


def _pulse(known: Subscriber, asked: Subscription) -> datetime:
    """When the next heartbeat is due: so long after the endpoint last took something."""
    if asked.heartbeat is None:
        return _NEVER
    return (known.sent_at or known.created_at) + timedelta(seconds=asked.heartbeat)


def _shows(step: _Step) -> bool:
    """Whether a patient's data leaves: a resource, or where it is."""
    return bool(step.events) and (step.asked.payload if step.asked.content is None else step.asked.content != "empty")


@use_case("record:read", "subscription.notified")
async def _shown(work: UnitOfWork, step: _Step) -> Call:
    focuses = [Focus(event, await _body(work, event)) for event in step.events]
    first, last = step.events[0].number, step.events[-1].number
    work.trail.note(
        subscription=step.subscriber.id, notification=step.id, first=first, last=last, content=step.asked.content
    )
    return _call(work, step, focuses)


async def _body(work: UnitOfWork, event: Event) -> bytes | None:
    """The version of an event as its owner may read it; None for one that is gone. A deletion shows what it deleted
    to the trail alone.
    """
    deleted = event.verb == "delete"
    try:
        stored = await vread(work, event.type, event.id, str(event.version - deleted))
    except NotFound:
        return None
    return None if deleted else stored.body


def _call(work: UnitOfWork, step: _Step, focuses: list[Focus]) -> Call:
    asked, settings = step.asked, work.runtime.settings
    own = unseal(settings, work.tenant, step.subscriber.id, step.subscriber.headers)
    said: list[tuple[str, str]] = [("X-Notification-Id", step.id), ("User-Agent", "EMR"), ("Accept", "*/*")]
    said = [each for each in said if each[0].lower() not in {name.lower() for name, _ in own}]
    if step.events:
        said.append(("X-Event-Number", str(step.number)))
    url, method, body = asked.endpoint, "POST", b""
    if asked.content is not None:
        state = "requested" if step.kind == "handshake" else "active"
        told = told_of(
            asked, work.request.base_url, work.clock(), state=state, kind=step.kind, number=step.number, id=step.id
        )
        body = bundle(told, focuses)
    elif asked.payload and focuses[0].body is not None:
        url, method, body = address_below(asked.endpoint, focuses[0].event), "PUT", focuses[0].body
    if body:
        said.append(("Content-Type", terms.MEDIA_TYPE))
    seconds = asked.seconds or settings.subscriptions.timeout_seconds
    return Call(url, method, (*own, *said), body, seconds)

"""What can be asked about Subscriptions: how they stand, and what they were told (backport `$status`, `$events`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from emr.access.permissions import demand_sight
from emr.kernel.errors import NotFound
from emr.kernel.ids import uuid7
from emr.records.read import read, vread
from emr.records.search.find import search
from emr.records.stored import Stored
from emr.subscriptions import repository
from emr.subscriptions.definition import Subscription, understood
from emr.subscriptions.guard import TYPE
from emr.subscriptions.notification import Focus, bundle, status, told_of
from emr.subscriptions.repository import Event, Subscriber
from emr.subscriptions.terms import Content
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

EVENTS_MOST: Final = 200
"""Events in one answer; who wants more asks on from the last number."""
_STATUSES_MOST: Final = "1000"


@use_case("record:read", "subscription.status-read")
async def status_of(work: UnitOfWork, subscription: str) -> dict[str, Any]:
    """How one stands. Raises `ResourceNotFound`, `ResourceGone`, `Forbidden`."""
    stored = await read(work, TYPE, subscription)
    return _status(work, stored, await repository.find(work.db, subscription))


@use_case("record:search", "subscription.status-read")
async def statuses(work: UnitOfWork, ids: Sequence[str], states: Sequence[str]) -> list[dict[str, Any]]:
    """How those with these ids and states stand; of nothing asked, all."""
    asked = [("_id", ids), ("status", states)]
    pairs = [(name, ",".join(values)) for name, values in asked if values]
    page = await search(work, TYPE, [*pairs, ("_count", _STATUSES_MOST)])
    known = {each.id: each for each in await repository.every(work.db)}
    return [_status(work, stored, known.get(stored.id)) for stored in page.matches]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Event numbers from and to, both included (None: the first, the last), and how much of each is shown."""

    since: int | None = None
    until: int | None = None
    content: Content | None = None


@use_case("record:read", "subscription.events-read")
async def events_of(work: UnitOfWork, subscription: str, stretch: Stretch) -> bytes:
    """A Bundle of past events, as the caller may see them. Raises `ResourceNotFound`, `ResourceGone`, `Forbidden`."""
    stored = await read(work, TYPE, subscription)
    asked = understood(stored.resource())
    demand_sight(work.principal, asked.type)
    known = await repository.find(work.db, subscription)
    last = known.last_number if known is not None else 0
    until = last if stretch.until is None else min(stretch.until, last)
    found = await repository.stretch(work.db, subscription, stretch.since or 1, until, EVENTS_MOST)
    told = told_of(
        asked, work.request.base_url, work.clock(), state=stored.resource()["status"], kind="query-event",
        number=last, id=uuid7(), content=stretch.content,
    )  # fmt: skip
    work.trail.note(subscription=subscription, shown=len(found), content=told.content)
    return bundle(told, [await _focus(work, event, told.content) for event in found])


async def _focus(work: UnitOfWork, event: Event, content: Content) -> Focus:
    """The event with what is shown of it; also where only its id is shown, the trail says whose it was."""
    deleted = event.verb == "delete"
    if content == "empty":
        return Focus(event)
    try:
        stored = await vread(work, event.type, event.id, str(event.version - deleted))
    except NotFound:
        return Focus(event)
    return Focus(event, None if deleted else stored.body)


def _status(work: UnitOfWork, stored: Stored, known: Subscriber | None) -> dict[str, Any]:
    resource = stored.resource()
    asked: Subscription = understood(resource)
    told = told_of(
        asked, work.request.base_url, work.clock(), state=resource["status"], kind="query-status",
        number=known.last_number if known else 0, id=uuid7(),
    )  # fmt: skip
    return status(told, error=resource.get("error"))

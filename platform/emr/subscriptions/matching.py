"""Which Subscriptions a version is for: looked at in the order of writing, numbered without a gap.

A version is asked about in the state that it had, not in the one that the resource has by now; the criteria are put to
the search with the sight of the Subscription's owner. A topic that says "becomes" is asked about the version before it,
too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from emr.access.permissions import demand_sight
from emr.identity.principal import Principal
from emr.kernel.errors import Refusal, Unavailable
from emr.kernel.ids import uuid7
from emr.kernel.tenant import Tenant
from emr.records.as_if import VersionFacts, as_if_current, facts
from emr.records.current import current
from emr.records.read import vread
from emr.records.search.find import search
from emr.subscriptions import repository
from emr.subscriptions.definition import Subscription, understood
from emr.subscriptions.guard import TYPE
from emr.subscriptions.owners import base_of, owner_of, worker_of
from emr.subscriptions.repository import Event, Notice, Subscriber
from emr.subscriptions.states import put_in_error
from emr.subscriptions.terms import Verb
from emr.work.faults import Reached
from emr.work.runtime import Runtime
from emr.work.unit import Request, UnitOfWork, unit_of_work

_MOST: Final = 200
_TOO_SLOW: Final = "query-too-slow"


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A version that may be an event."""

    notice: Notice
    facts: VersionFacts

    @property
    def key(self) -> tuple[str, str, int]:
        return self.notice.type, self.notice.id, self.notice.version

    @property
    def verb(self) -> Verb:
        if self.notice.deleted:
            return "delete"
        return "create" if self.facts.first else "update"

    @property
    def stated(self) -> int:
        """The version whose state the criteria are put to: of a deletion, the one before."""
        return self.notice.version - self.notice.deleted

    def event(self) -> Event:
        return Event(0, *self.key, self.verb, self.facts.updated)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A Subscription and the versions of its type."""

    subscriber: Subscriber
    asked: Subscription
    candidates: list[_Candidate]


async def match(parts: Runtime, tenant: Tenant, reached: Reached) -> None:
    """Look at the first versions that wait in this hospital. Raises `Unavailable`."""
    async with unit_of_work(parts, tenant, worker_of(tenant)) as work:
        waiting = await repository.notices(work.db, _MOST)
        wanted = await _wanted(work, waiting) if waiting else []
    found: dict[str, list[Event]] = {}
    for each in wanted:
        found[each.subscriber.id] = await _events(parts, tenant, each)
    if waiting:
        async with unit_of_work(parts, tenant, worker_of(tenant)) as work:
            for subscription in sorted(found):
                if await repository.find_locked(work.db, subscription) is not None:
                    await repository.add_events(work.db, subscription, found[subscription])
            await repository.forget(work.db, waiting)
            reached("notify-matched")
        reached("notify-match-committed")


async def _wanted(work: UnitOfWork, waiting: Sequence[Notice]) -> list[_Wanted]:
    known = await facts(work, [(each.type, each.id, each.version) for each in waiting])
    candidates = [
        _Candidate(each, known[each.type, each.id, each.version])
        for each in waiting
        if (each.type, each.id, each.version) in known
    ]
    types = {each.type for each in waiting}
    found: list[_Wanted] = []
    for subscriber in await repository.every(work.db):
        if subscriber.type in types:
            stored = await current(work, TYPE, subscriber.id)
            if not stored.deleted:
                asked = understood(stored.resource())
                found.append(_Wanted(subscriber, asked, list(_possible(subscriber, asked, candidates))))
    return found


def _possible(subscriber: Subscriber, asked: Subscription, candidates: Iterable[_Candidate]) -> Iterable[_Candidate]:
    """Those of its type and verbs, written neither before it was wanted nor after its end."""
    for each in candidates:
        in_time = each.notice.xid >= subscriber.xid and (asked.end is None or each.facts.updated <= asked.end)
        if in_time and each.notice.type == asked.type and each.verb in asked.topic.verbs:
            yield each


async def _events(parts: Runtime, tenant: Tenant, wanted: _Wanted) -> list[Event]:
    """The events among the candidates. Criteria that cannot be asked any more put the Subscription in error."""
    owner = await owner_of(parts, tenant, wanted.subscriber.owner)
    if owner is None or not wanted.candidates:
        return []
    try:
        return [each.event() for each in await _fitting(parts, tenant, owner, wanted)]
    except Refusal as refusal:
        if isinstance(refusal, Unavailable) and refusal.code != _TOO_SLOW:
            raise
        if wanted.subscriber.state != "error":
            await put_in_error(parts, tenant, wanted.subscriber.id, refusal.code)
        return []


async def _fitting(parts: Runtime, tenant: Tenant, owner: Principal, wanted: _Wanted) -> list[_Candidate]:
    asked = wanted.asked
    becomes = tuple(parse_qsl(asked.topic.becomes or ""))
    pairs = (*asked.criteria, *becomes)
    async with unit_of_work(parts, tenant, owner, Request(uuid7(), base_of(parts, tenant))) as work:
        demand_sight(owner, asked.type)
        fitting = await _holding(work, asked.type, pairs, wanted.candidates) if pairs else wanted.candidates
        if becomes:
            fitting = [each for each in fitting if not await _held_before(work, each, becomes)]
        # Nobody has been shown anything: what is told leaves its row when it is told.
        work.trail.rows.clear()
    return fitting


async def _holding(
    work: UnitOfWork, resource_type: str, pairs: Sequence[tuple[str, str]], candidates: Sequence[_Candidate]
) -> list[_Candidate]:
    """The candidates whose state fits: those that are current in one search, the others one by one."""
    now = [each for each in candidates if each.facts.current == each.notice.version and not each.notice.deleted]
    found: set[tuple[str, str, int]] = set()
    later: dict[tuple[str, str, int], VersionFacts] = {}
    if now:
        ids = ("_id", ",".join(sorted({each.notice.id for each in now})))
        page = await search(work, resource_type, [ids, *pairs, ("_count", str(len(now)))])
        found = {(stored.type, stored.id, stored.version) for stored in page.matches}
        later = await facts(work, [each.key for each in now])
    fitting = []
    for each in candidates:
        # A version that was still current after the search was so during it.
        settled = each.key in later and later[each.key].current == each.notice.version
        if each.key in found or (not settled and await _held(work, each.notice, each.stated, pairs)):
            fitting.append(each)
    return fitting


async def _held_before(work: UnitOfWork, candidate: _Candidate, pairs: Sequence[tuple[str, str]]) -> bool:
    return not candidate.facts.first and await _held(work, candidate.notice, candidate.notice.version - 1, pairs)


async def _held(work: UnitOfWork, notice: Notice, version: int, pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether a version fitted the criteria."""
    stored = await vread(work, notice.type, notice.id, str(version))
    async with as_if_current(work, stored) as copy:
        page = await search(work, notice.type, [("_id", copy), *pairs, ("_count", "1")])
    return bool(page.matches)

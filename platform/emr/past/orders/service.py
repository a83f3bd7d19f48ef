"""The verbs of bringing back from an opened past: foresee what would change, order it, approve, look what came of it.

Nothing is brought back here: an order is a row that `emr tenants requests` carries out. One's own sight decides what
can be chosen, and exactly what was shown is ordered. All of a hospital is counted as a whole, since an order of it
brings back what its maker may not see; it takes a second person.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from emr.access.permissions import sight
from emr.identity.principal import system_principal
from emr.identity.service import Identity
from emr.kernel.errors import Invalid
from emr.kernel.tenant import Past
from emr.past.errors import NothingDiffers, SecondPersonNeeded, ShownIsOld
from emr.past.looking import PERMISSION, seen
from emr.records.comparing import Difference, Name, Wanted, differences, stored_under
from emr.records.returning import needed
from emr.tenancy.requests import Outcome, Request, Requests
from emr.tenancy.requests import Wanted as Asked
from emr.work.unit import UnitOfWork, as_whole
from emr.work.use_case import use_case

KIND: Final = "bring-back"
REASON_LEAST: Final = 10
REASON_MOST: Final = 500
NAMES_MOST: Final = 2_000
"""So much is ordered by name at once; who wants more wants everything."""
SHOWN: Final = 200
_LISTED: Final = 50


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be brought back: one patient by id, resources by name, or, with neither, everything."""

    patient: str = ""
    names: frozenset[Name] = frozenset()

    @property
    def everything(self) -> bool:
        """Whether it is all of the hospital."""
        return not self.patient and not self.names


@dataclass(frozen=True, slots=True)
class Change:
    """A resource that would be written: whether it is `changed` or `gone`, and its version now, None where it is not
    there at all.
    """

    name: Name
    kind: str
    now: int | None


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What an order would write. counts: by type and kind. changes: each of them; none for everything. resources: the
    first of them as they were. digest: of names and versions, by which an order says what its maker was shown.
    """

    counts: Mapping[str, Mapping[str, int]]
    changes: Sequence[Change]
    resources: Mapping[Name, dict[str, Any]]
    digest: str

    @property
    def total(self) -> int:
        """How many resources would be written."""
        return sum(sum(kinds.values()) for kinds in self.counts.values())


@use_case(PERMISSION, "past.bring-back-foreseen")
async def foresee(work: UnitOfWork, past: UnitOfWork, choice: Choice) -> Foreseen:
    """What would change. work: of today; past: of the moment. Raises `NothingDiffers`, `Invalid` for too many names."""
    if choice.everything:
        async with _as_platform(work) as own, _as_platform(past) as before:
            found = [each async for each in differences(own, before, Wanted()) if each.kind != "new"]
        changes: list[Change] = []
        counts = _counted(Change((each.type, each.id), each.kind, each.now) for each in found)
    else:
        changes = await _named(work, past, choice)
        counts = _counted(changes)
    if not counts:
        raise NothingDiffers
    there = await stored_under(past, [each.name for each in changes[:SHOWN]])
    resources = {name: each.resource() for name, each in there.items()}
    then = _moment(past)
    work.trail.note(past=then.id, moment=then.moment.isoformat(), everything=choice.everything)
    return Foreseen(counts, changes, resources, _digest(changes))


@use_case(PERMISSION, "past.bring-back-ordered")
async def order(work: UnitOfWork, past: UnitOfWork, identity: Identity, wish: tuple[Choice, str, str]) -> str:
    """Order it; gives the order's id. wish: what, why, and the digest of what was shown.

    Raises RecentSignInNeeded, `Forbidden` where the hospital takes no changes, `Invalid`, `NothingDiffers`,
    `ShownIsOld`, `Conflict` (request-open) while another order waits.
    """
    choice, reason, digest = wish
    identity.demand_recent(work.principal)
    work.tenant.demand_writable()
    reason = " ".join(reason.split())
    if not REASON_LEAST <= len(reason) <= REASON_MOST:
        rule = f"Say why, in {REASON_LEAST} to {REASON_MOST} characters: it is signed into the trail."
        raise Invalid("reason-length", rule, location="reason")
    foreseen = await foresee(work, past, choice)
    if foreseen.digest != digest:
        raise ShownIsOld
    then = _moment(past)
    detail = {
        "past": then.id,
        "moment": then.moment.isoformat(),
        "reason": reason,
        "everything": choice.everything,
        "patient": choice.patient,
        "names": [[*each.name, each.now] for each in foreseen.changes],
        "counts": foreseen.counts,
    }
    by = work.principal.subject, work.principal.name
    async with _requests(work) as requests:
        key = await requests.ask(Asked(KIND, work.tenant.slug, by, detail, second=choice.everything))
    work.trail.note(order=key)
    return key


@use_case(PERMISSION, "past.orders-listed")
async def list_orders(work: UnitOfWork) -> Sequence[Request]:
    """The newest orders of the hospital."""
    async with _requests(work) as requests:
        return await requests.newest(work.tenant.slug, KIND, _LISTED)


@use_case(PERMISSION, "past.order-shown")
async def show_order(work: UnitOfWork, key: str) -> tuple[Request, Mapping[Name, dict[str, Any]]]:
    """One of them, with those of the resources it brought back that one sees. Raises `NotFound`."""
    async with _requests(work) as requests:
        found = await requests.one(work.tenant.slug, KIND, key)
    names = [(str(each[0]), str(each[1])) for each in found.progress.get("brought", ())]
    resources = await seen(work, names)
    work.trail.note(order=key)
    return found, resources


@use_case(PERMISSION, "past.order-decided")
async def decide(work: UnitOfWork, identity: Identity, key: str, outcome: Outcome) -> None:
    """Approve what somebody else ordered, decline it, or withdraw one's own.

    Raises RecentSignInNeeded, `SecondPersonNeeded`, `NotFound`, `Conflict` where it is decided or its time is over.
    """
    identity.demand_recent(work.principal)
    async with _requests(work) as requests:
        found = await requests.one(work.tenant.slug, KIND, key)
        own = found.asked_by == work.principal.subject
        if own != (outcome == "withdrawn"):
            raise SecondPersonNeeded
        await requests.decide(found, (work.principal.subject, work.principal.name), outcome)
    work.trail.note(order=key, outcome=outcome)


async def _named(work: UnitOfWork, past: UnitOfWork, choice: Choice) -> list[Change]:
    """What is chosen, and what it refers to and is gone, as far as one sees it."""
    wanted = Wanted(choice.patient, choice.names or None)
    chosen: list[Difference] = [each async for each in differences(work, past, wanted) if each.kind != "new"]
    found = {(each.type, each.id): Change((each.type, each.id), each.kind, each.now) for each in chosen}
    types = sight(work.principal)
    more = [
        name for name in await needed(work, past, chosen) if name not in found and (types is None or name[0] in types)
    ]
    there = await stored_under(work, more)
    found |= {name: Change(name, "gone", there[name].version if name in there else None) for name in more}
    if len(found) > NAMES_MOST:
        raise Invalid("order-too-large", f"An order by name has at most {NAMES_MOST}; choose fewer, or everything.")
    for each in chosen:
        work.trail.concerns(*each.patients)
    return sorted(found.values(), key=lambda each: each.name)


def _counted(changes: Iterable[Change]) -> Mapping[str, Mapping[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for each in changes:
        kinds = counts.setdefault(each.name[0], {"changed": 0, "gone": 0})
        kinds[each.kind] += 1
    return {name: counts[name] for name in sorted(counts)}


def _digest(changes: Sequence[Change]) -> str:
    lines = sorted(f"{each.name[0]}/{each.name[1]}/{each.now or 0}" for each in changes)
    return sha256("\n".join(lines).encode()).hexdigest()


@asynccontextmanager
async def _as_platform(work: UnitOfWork) -> AsyncIterator[UnitOfWork]:
    """The same unit of work, in which all types are seen: for counts, which tell of nobody."""
    async with as_whole(work) as own:
        yield replace(own, principal=system_principal("rewind", tenant_id=work.tenant.id))


def _moment(past: UnitOfWork) -> Past:
    assert past.tenant.past is not None
    return past.tenant.past


@asynccontextmanager
async def _requests(work: UnitOfWork) -> AsyncIterator[Requests]:
    async with work.runtime.databases.directory.connection() as directory:
        yield Requests(directory)

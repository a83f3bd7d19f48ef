"""Compare a past with today, and bring back from it: what `emr rewind compare` and `emr rewind bring-back` do.

What is brought back is written in turns, each a transaction of its own, what others refer to before what refers to it.
Who was cut off begins again: what is back already is the same as in the past, and is not written twice. At the end a
signed note in the hospital's trail says who brought back what, from which moment and why.
"""

import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from emr.audit.anchors import signer_of
from emr.audit.signing import Signer
from emr.fleet.rewind.rows import Rewind, rewind_of
from emr.identity.principal import Principal, system_principal
from emr.kernel.errors import Conflict, Invalid, Refusal
from emr.kernel.tenant import Tenant
from emr.records.comparing import Comparison, Difference, Name, Wanted, compare, differences
from emr.records.entries import ENTRIES_MOST
from emr.records.returning import Refused, bring_back, bring_back_together, needed
from emr.subscriptions import guard as subscriptions
from emr.tenancy.pasts import in_past
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr.work.use_case import use_case

ACTOR: Final = "rewind"
MAGIC: Final = b"EMR-REWIND\x00"
_TURN: Final = 50
_LONGEST_REASON: Final = 500
_MISSING: Final = "reference-broken"
_CANONICAL: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be brought back from which rewind, by whose wish and why.

    approved_by: the second person, where it took one. shown: the names that somebody was shown, with the versions of
    today that they stood beside: then these alone are written, and of them none that has been changed since.
    """

    rewind: str
    wanted: Wanted
    by: str
    reason: str
    approved_by: str = ""
    shown: Mapping[Name, int | None] | None = None


@dataclass(slots=True)
class Outcome:
    """What came of it. note: the signed text in the hospital's trail, None where nothing was written."""

    brought: dict[Name, int] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    note: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Both:
    """A hospital of today and of the moment, and in whose name they are looked at."""

    parts: Runtime
    today: Tenant
    then: Tenant
    principal: Principal

    @asynccontextmanager
    async def begin(self, *, to_read: bool = False) -> AsyncIterator[tuple[UnitOfWork, UnitOfWork]]:
        """A unit of work of today and one of then."""
        async with (
            unit_of_work(self.parts, self.then, self.principal) as past,
            unit_of_work(self.parts, self.today, self.principal, to_read=to_read) as work,
        ):
            yield work, past


async def both_of(parts: Runtime, rewind_id: str) -> tuple[Both, Rewind]:
    """Raises `NotFound` where the rewind is not open or no longer."""
    rewind = rewind_of(parts.settings, rewind_id)
    today = parts.registry.by_slug(rewind.slug)
    then = await in_past(parts.databases.directory, today, rewind_id, parts.clock())
    return Both(parts, today, then, system_principal(ACTOR, tenant_id=today.id)), rewind


async def compare_past(parts: Runtime, rewind_id: str, wanted: Wanted, most: int) -> Comparison:
    """What is not as it was."""
    both, _ = await both_of(parts, rewind_id)
    async with both.begin(to_read=True) as (work, past):
        return await compare(work, past, wanted, most)


async def plan(parts: Runtime, order: Order) -> list[Name]:
    """The names that `bring` would write, and changes nothing. Raises `Invalid`, `Conflict`, `NotFound`."""
    both, _ = await both_of(parts, order.rewind)
    _demand(order, both)
    return (await _planned(both, order))[0]


async def bring(parts: Runtime, order: Order, advance: Advance) -> Outcome:
    """Bring it back. Raises as `plan`; what today's rules refuse is told in the outcome and does not stop the rest."""
    subscriptions.install(parts)
    both, rewind = await both_of(parts, order.rewind)
    _demand(order, both)
    outcome = Outcome()
    waiting, outcome.refused = await _planned(both, order)
    while waiting:
        left = await _round(both, waiting, outcome, advance)
        if len(left) == len(waiting):
            await _together(both, left, outcome)
            break
        waiting = [each.name for each in left]
    if outcome.brought:
        outcome.note = _note(rewind, order, outcome, signer_of(parts.settings))
        async with unit_of_work(parts, both.today, both.principal) as work:
            await keep_note(work, outcome.note)
    return outcome


@use_case("past:bring-back", "past.bring-back-noted")
async def keep_note(work: UnitOfWork, note: dict[str, Any]) -> None:
    """The signed note, in the hospital's trail."""
    work.trail.note(note=_CANONICAL.encode(note))


def _demand(order: Order, both: Both) -> None:
    if not order.reason.strip() or len(order.reason) > _LONGEST_REASON:
        rule = f"Say why, in at most {_LONGEST_REASON} characters: it is signed into the trail."
        raise Invalid("rewind-reason", rule, location="reason")
    if not both.today.writable:
        raise Conflict("hospital-read-only", f"{both.today.slug} is {both.today.state}: it takes no changes now.")


async def _planned(both: Both, order: Order) -> tuple[list[Name], list[Refused]]:
    """What is to be written, and what was shown and is another since."""
    async with both.begin(to_read=True) as (work, past):
        chosen: list[Difference] = [
            each async for each in differences(work, past, order.wanted) if each.kind in ("changed", "gone")
        ]
        if order.shown is None:
            return sorted(await needed(work, past, chosen), key=_rank), []
    names = {(each.type, each.id): each.now for each in chosen}
    moved = [name for name, now in names.items() if name not in order.shown or order.shown[name] != now]
    said = "This was changed after it had been shown."
    return sorted(names.keys() - moved, key=_rank), [Refused(name, "changed-since-shown", said) for name in moved]


def _rank(name: Name) -> tuple[int, Name]:
    """What others refer to goes first; what is out of order has its turn in the next round."""
    first = ("Organization", "Location", "Practitioner", "PractitionerRole", "Patient", "Binary", "Encounter")
    return (first.index(name[0]) if name[0] in first else len(first)), name


async def _round(both: Both, names: Sequence[Name], outcome: Outcome, advance: Advance) -> list[Refused]:
    """Every name once, in turns; what has to wait for others."""
    left: list[Refused] = []
    for start in range(0, len(names), _TURN):
        async with both.begin() as (work, past):
            returned = await bring_back(work, past, names[start : start + _TURN])
        outcome.brought.update(returned.brought)
        left += [each for each in returned.refused if each.code == _MISSING]
        outcome.refused += [each for each in returned.refused if each.code != _MISSING]
        advance(len(returned.brought))
    return left


async def _together(both: Both, left: Sequence[Refused], outcome: Outcome) -> None:
    """What refers to each other in a circle, in one transaction; what cannot be had so is refused for good."""
    if len(left) > ENTRIES_MOST:
        outcome.refused += left
        return
    try:
        async with both.begin() as (work, past):
            returned = await bring_back_together(work, past, [each.name for each in left])
    except Refusal:
        outcome.refused += left
        return
    outcome.brought.update(returned.brought)


def _note(rewind: Rewind, order: Order, outcome: Outcome, signer: Signer) -> dict[str, Any]:
    """What was brought back, as it can be proved later: a digest of every name with its new version, signed."""
    lines = sorted(f"{name[0]}/{name[1]}/{version}" for name, version in outcome.brought.items())
    body = {
        "format": "emr-rewind-note",
        "version": 1,
        "hospital": rewind.slug,
        "rewind": rewind.id,
        "backup": rewind.backup,
        "moment": rewind.moment.isoformat(),
        "by": order.by,
        "reason": " ".join(order.reason.split()),
        **({"approved_by": order.approved_by} if order.approved_by else {}),
        "brought": len(lines),
        "refused": len(outcome.refused),
        "digest": sha256("\n".join(lines).encode()).hexdigest(),
        "key": signer.id,
    }
    signature = signer.sign(MAGIC + _CANONICAL.encode(body).encode())
    return body | {"signature": base64.b64encode(signature).decode("ascii")}

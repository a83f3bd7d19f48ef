"""One check of one hospital: plant, make sure that its own people see what is planted, then knock as everybody else."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from emr.border.canaries import Canary, plant
from emr.border.doors import ACCEPTS, NOT_PLANTED, PUBLIC, Door, Doors, Kind, filled, parted, queried, together
from emr.border.judging import Told, told, why_red, why_told_apart
from emr.border.knocking import Answer, Knock, Knocker
from emr.border.secrets import marks_of
from emr.identity.visits import OWN, Guest, Visit, Visits
from emr.kernel.tenant import Tenant
from emr.light.results import Findings

NEIGHBOURS: Final = (Guest("doctor", frozenset({"privacy"})), Guest("admin"), Guest("his"))
"""As whom another hospital's things are asked for there: a person who may do the most, the administrator, a machine."""
COLLEAGUE: Final = Guest("doctor")
_DOCTOR: Final = "neighbour-doctor"
_KINDS: Final[dict[Kind, str]] = {
    "fhir": "/h/{slug}/fhir/Patient", "dicomweb": "/h/{slug}/dicomweb/studies", "page": "/h/{slug}/",
    "console": "/ops/", "console-api": "/ops/api/hospitals",
}  # fmt: skip
_LETTER: Final = re.compile(r"[0-9a-z]")


@dataclass(frozen=True, slots=True)
class Border:
    """Everything that a check needs: the service, who may be somebody for a while, and the doors."""

    knocker: Knocker
    visits: Visits
    signing_key: bytes
    doors: Doors


@dataclass(frozen=True, slots=True)
class Outsider:
    """Who knocks, as findings name it; `visit` is None for somebody without a session."""

    name: str
    visit: Visit | None


async def check(border: Border, target: Tenant, other: Tenant | None) -> Findings:
    """Try every door of `target` as nobody, as a stranger, as the department and as people and machines of `other`; and
    where a care relationship decides, as a doctor of its own who has none.

    Raises `Unavailable` when the canaries cannot be planted or the service does not answer.
    """
    marks = marks_of(border.signing_key, target.schema)
    own = [replace(each, practitioner=marks.ids["practitioner"]) for each in OWN]
    async with _visitors(border.visits, target, own) as (doctor, device, officer):
        canary = await plant(border.knocker, f"/h/{target.slug}", marks, doctor, device)
        checked = _Check(border, target, canary)
        await checked.see(doctor, device, officer)
    if target.access.care != "open" and COLLEAGUE.role in target.access.bound:
        async with _visitors(border.visits, target, (COLLEAGUE,)) as (visit,):
            await checked.ask_at_home(target, Outsider("colleague", visit))
    await checked.knock(Outsider("nobody", None))
    for role, name in (("doctor", "stranger"), ("ops", "department")):
        async with _visitors(border.visits, None, (Guest(role),)) as (visit,):
            await checked.knock(Outsider(name, visit))
    if other is not None:
        async with _visitors(border.visits, other, NEIGHBOURS) as visits:
            for guest, visit in zip(NEIGHBOURS, visits, strict=True):
                outsider = Outsider(f"neighbour-{guest.role}", visit)
                await checked.knock(outsider)
                await checked.ask_at_home(other, outsider)
    return checked.findings


@asynccontextmanager
async def _visitors(visits: Visits, home: Tenant | None, guests: Sequence[Guest]) -> AsyncIterator[list[Visit]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(visits.during(guest, home)) for guest in guests]


class _Check:
    """One hospital under test."""

    def __init__(self, border: Border, target: Tenant, canary: Canary) -> None:
        self.findings = Findings()
        self._border = border
        self._target = target
        self._canary = canary
        self._marks = canary.marks
        self._values = queried(canary.ids, canary.marks.word)

    async def see(self, *own: Visit) -> None:
        """The hospital's own people see every planted thing: else a shut door would prove nothing."""
        seen: set[str] = set()
        routes = set(self._border.doors.routes) & set(self._border.doors.naming)
        aimed = [each for each in self._border.doors.routes if each in routes and each.path not in NOT_PLANTED]

        async def look(door: Door, visit: Visit) -> None:
            answer = await self._ask(door, self._target, self._canary.ids, visit)
            if answer.status == 200:
                seen.add(door.name)

        for visit in own:
            await asyncio.gather(*(look(each, visit) for each in aimed if each.name not in seen))
        for door in aimed:
            self.findings.note("own", door.name, None if door.name in seen else "blind")

    async def knock(self, outsider: Outsider) -> None:
        """Try every door of the hospital."""
        usual = await self._usual(outsider.visit) if outsider.visit else {}

        async def judge(door: Door) -> None:
            answer = await self._ask(door, self._target, self._canary.ids, outsider.visit)
            why = why_red(answer, self._marks, usual=usual.get(door.kind), public=door.path in PUBLIC)
            self.findings.note(outsider.name, door.name, why)

        await asyncio.gather(*(judge(each) for each in self._border.doors.knocked_at))

    async def ask_at_home(self, home: Tenant, outsider: Outsider) -> None:
        """Ask at one's own doors for the other hospital's things, and for things that never were."""
        theirs = self._canary.ids
        never = {name: _never(value) for name, value in theirs.items()}

        async def compare(door: Door) -> None:
            first = await self._ask(door, home, theirs, outsider.visit)
            second = await self._ask(door, home, never, outsider.visit)
            why = why_told_apart(first, second, self._marks, (theirs, never))
            self.findings.note(outsider.name, f"{door.name} (at home)", why)

        async def search(door: Door) -> None:
            answer = await self._ask(door, home, theirs, outsider.visit)
            self._found(outsider, door, answer.status, answer.text)

        async def search_together(some: Sequence[Door]) -> None:
            answer = await self._border.knocker.ask(together(home.slug, some, self._values), outsider.visit)
            answers = answer.json()["entry"] if answer.status == 200 else [None] * len(some)
            for door, each in zip(some, answers, strict=True):
                status = int(each["response"]["status"][:3]) if each else 500
                self._found(outsider, door, status, json.dumps(each, ensure_ascii=False))

        doors = self._border.doors
        alone, batches = parted(doors.searches)
        if outsider.name != _DOCTOR:
            # A doctor may search most; what one finds nothing by, nobody does.
            alone, batches = (alone if outsider.name == "colleague" else []), []
        await asyncio.gather(*(compare(each) for each in doors.naming))
        await asyncio.gather(*(search(each) for each in (*alone, *doors.images)))
        await asyncio.gather(*(search_together(each) for each in batches))
        if home != self._target:
            await self._go_on(home, outsider)

    async def _go_on(self, home: Tenant, outsider: Outsider) -> None:
        """Follow the other hospital's page link at home, where it is no page link."""
        door = Door("GET", "/h/{slug}/fhir/DocumentReference", f"_cursor={self._canary.cursor}")
        answer = await self._ask(door, home, self._canary.ids, outsider.visit)
        self._found(outsider, door, answer.status, answer.text)
        if answer.status < 400:
            self.findings.note(outsider.name, f"{door.path}?_cursor (at home)", "not-shut")

    def _found(self, outsider: Outsider, door: Door, status: int, text: str) -> None:
        """What somebody found who searched at home."""
        why = "canary-seen" if self._marks.betrayed_by(text) else "failed" if status >= 500 else None
        self.findings.note(outsider.name, f"{door.name} (at home)", why)

    async def _usual(self, visit: Visit) -> dict[str, Told]:
        """What this visitor is told at a door of each kind behind which there is nothing."""
        found: dict[str, Told] = {}
        for kind, path in _KINDS.items():
            knock = Knock("GET", filled(path, self._target.slug, {}), {"Accept": ACCEPTS[kind]})
            found[kind] = told(await self._border.knocker.ask(knock, visit))
        return found

    async def _ask(self, door: Door, home: Tenant, ids: Mapping[str, str], visit: Visit | None) -> Answer:
        return await self._border.knocker.ask(door.knock(home.slug, ids, self._values), visit)


def _never(value: str) -> str:
    """An id of the same form that was never given."""
    last = _LETTER.search(value[::-1])
    place = len(value) - 1 - (last.start() if last else 0)
    return value[:place] + ("1" if value[place] != "1" else "2") + value[place + 1 :]

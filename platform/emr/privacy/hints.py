"""What makes one look twice at a row of the trail: own name, same address, no visit at the time.

A hint accuses nobody: families work where they are treated, and much is done when nobody is in the house. What it takes
is read once for a page, in three statements, whatever the page is about.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.identity.memberships import Memberships
from emr.kernel.text import words
from emr.privacy.trail import Entry
from emr.records.visits import Visited, practitioners, visited
from emr.web.moments import local
from emr.work.unit import UnitOfWork

_MOST_PATIENTS: Final = 50
"""A page may name more; those beyond get no hint."""
_CLINICAL: Final = frozenset({"doctor", "nurse", "lab", "imaging", "pharmacist", "archivist"})
"""Who has no reason to open a record long before or after a visit; the desk registers before there is one."""
_NEVER: Final = frozenset({"cancelled", "entered-in-error", "noshow"})

Span = tuple[datetime, datetime]
Address = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one patient: words of each name, each address, and when they were, or were to be, here."""

    names: frozenset[Address] = frozenset()
    addresses: frozenset[Address] = frozenset()
    stays: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a page's hints are made of. homes: addresses of those who acted, by subject. grace: how long a visit counts
    before its beginning and after its end.
    """

    patients: Mapping[str, Known] = field(default_factory=dict)
    homes: Mapping[str, frozenset[Address]] = field(default_factory=dict)
    grace: timedelta = timedelta(0)

    def hints(self, text: Mapping[str, Any]) -> list[str]:
        """`same-name`, `same-address` and `no-visit`, for the text of a row that is about one patient, or a few."""
        actor: Mapping[str, Any] = text["actor"] or {}
        known = [self.patients[each] for each in text["patients"] if each in self.patients]
        name = tuple(words(str(actor.get("name") or "")))
        homes = self.homes.get(str(actor.get("subject") or ""), frozenset())
        found = ["same-name"] if any(name in each.names for each in known) else []
        found += ["same-address"] if any(not homes.isdisjoint(each.addresses) for each in known) else []
        alone = len(text["patients"]) == 1 and text["outcome"] == "success" and actor.get("role") in _CLINICAL
        if alone and known and not self._here(known[0], datetime.fromisoformat(text["at"])):
            found.append("no-visit")
        return found

    def _here(self, known: Known, at: datetime) -> bool:
        return any(begin - self.grace <= at <= end + self.grace for begin, end in known.stays)


async def gather(work: UnitOfWork, entries: Sequence[Entry]) -> Facts:
    """What it takes for these entries: at most fifty patients and those who acted, in three statements."""
    whose = list(dict.fromkeys(each for entry in entries for each in entry.text["patients"]))[:_MOST_PATIENTS]
    actors = {str((entry.text["actor"] or {}).get("subject") or "") for entry in entries} - {""}
    if not whose:
        return Facts()
    memberships = Memberships(work.runtime.databases.directory, work.clock)
    resources = await memberships.practitioners(work.tenant.id, sorted(actors))
    people = await practitioners(work, set(resources.values()))
    now, zone = work.clock(), ZoneInfo(work.tenant.time_zone)
    return Facts(
        {key: known_of(each, zone, now) for key, each in (await visited(work, whose)).items()},
        {subject: _addresses(people[key]) for subject, key in resources.items() if key in people},
        timedelta(days=work.tenant.access.grace_days),
    )


def known_of(found: Visited, zone: ZoneInfo, now: datetime) -> Known:
    """What a Patient and their visits tell; one that has not ended goes on until now."""
    names = frozenset(tuple(words(_named(each))) for each in found.patient.get("name", ())) - {()}
    return Known(names, _addresses(found.patient), tuple(_stays(found.visits, zone, now)))


def _named(name: Mapping[str, Any]) -> str:
    return str(name.get("text") or " ".join([name.get("family", ""), *name.get("given", ())]))


def _addresses(resource: Mapping[str, Any]) -> frozenset[Address]:
    """Each address that says more than a town: its lines with the district, and its text where that has a number."""
    found: set[Address] = set()
    for each in resource.get("address", ()):
        lines = " ".join(str(line) for line in each.get("line", ()) if line)
        if lines:
            found.add(tuple(words(f"{lines} {each.get('district', '')} {each.get('city', '')}")))
        if any(letter.isdigit() for letter in str(each.get("text") or "")):
            found.add(tuple(words(str(each["text"]))))
    return frozenset(found)


def _stays(visits: Iterable[Mapping[str, Any]], zone: ZoneInfo, now: datetime) -> Iterable[Span]:
    for each in visits:
        period = each.get("period", each)
        begin = local(period.get("start"), zone)
        if begin is None or each.get("status") in _NEVER:
            continue
        end = local(period.get("end"), zone)
        # A bare day counts until its end; what is over without saying when, ended the day it began.
        last = begin if each.get("status") in ("finished", "fulfilled") else max(begin, now)
        yield begin.astimezone(UTC), (end or last).astimezone(UTC) + timedelta(days=1)

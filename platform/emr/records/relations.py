"""Care relationships as the record states them: who has to do with a patient, on what ground, and until when.

An Encounter names its practitioners and its places, an Appointment those who were booked, a ServiceRequest who asked
and who is asked to do it, a Task its owner, a CareTeam its members. Pure; `sights` writes them down as grants.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.access.care import PRACTITIONER, WARD
from emr.definitions.dates import FAR_FUTURE, range_of
from emr.definitions.values import target_of

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stated:
    """What one resource states. people, places: ids; until: None while it is open."""

    basis: str
    people: frozenset[str]
    places: frozenset[str]
    until: datetime | None

    def grantees(self, places: Iterable[str]) -> list[str]:
        """The names in `grants`, with these places in place of the resource's own."""
        return [*(PRACTITIONER + each for each in sorted(self.people)), *(WARD + each for each in sorted(places))]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a type states relationships: under which statuses, and where those stand whom it names."""

    basis: str
    open: frozenset[str]
    over: frozenset[str]
    people: tuple[tuple[str, ...], ...]
    places: tuple[tuple[str, ...], ...] = ()
    end: tuple[str, ...] = ()


_KINDS: Final[dict[str, _Kind]] = {
    "Encounter": _Kind(
        "encounter",
        frozenset({"planned", "arrived", "triaged", "in-progress", "onleave"}),
        frozenset({"finished"}),
        (("participant", "individual"),),
        (("location", "location"),),
        ("period", "end"),
    ),
    "Appointment": _Kind(
        "appointment",
        frozenset({"proposed", "pending", "booked", "waitlist"}),
        frozenset({"arrived", "checked-in", "fulfilled"}),
        (("participant", "actor"),),
        (("participant", "actor"),),
        ("end",),
    ),
    "ServiceRequest": _Kind(
        "referral",
        frozenset({"active", "on-hold"}),
        frozenset({"completed"}),
        (("requester",), ("performer",)),
        (("locationReference",),),
    ),
    "Task": _Kind(
        "referral",
        frozenset({"requested", "received", "accepted", "ready", "in-progress", "on-hold"}),
        frozenset({"completed"}),
        (("owner",), ("requester",)),
        (("location",),),
    ),
    "CareTeam": _Kind(
        "encounter",
        frozenset({"active"}),
        frozenset({"suspended", "inactive"}),
        (("participant", "member"),),
        (),
        ("period", "end"),
    ),
}
STATING: Final = frozenset(_KINDS)
"""Types whose resources state relationships."""
_PEOPLE: Final = frozenset({"Practitioner", "PractitionerRole"})


def stated(resource: Json, grace: timedelta, written: datetime, zone: ZoneInfo) -> Stated | None:
    """What a resource states, as it was written at a moment; None when it states nothing, such as one cancelled."""
    kind = _KINDS.get(resource["resourceType"])
    status = resource.get("status")
    if kind is None or status not in kind.open | kind.over:
        return None
    end = _end(resource, kind, zone)
    if status in kind.over:
        until: datetime | None = (end or written) + grace
    else:
        until = None if end is None or kind.basis == "encounter" else end + grace
    people = {key for name, key in _named(resource, kind.people) if name in _PEOPLE}
    places = {key for name, key in _named(resource, kind.places) if name == "Location"}
    return Stated(kind.basis, frozenset(people), frozenset(places), until)


def _end(resource: Json, kind: _Kind, zone: ZoneInfo) -> datetime | None:
    value: Any = resource
    for step in kind.end:
        value = value.get(step) if isinstance(value, dict) else None
    if not kind.end or not isinstance(value, str):
        return None
    end = range_of(value, zone).high
    return None if end >= FAR_FUTURE - timedelta(days=400) else end


def _named(resource: Json, routes: tuple[tuple[str, ...], ...]) -> Iterator[tuple[str, str]]:
    """Type and id of every resource here that the routes lead to."""
    for route in routes:
        values: list[Any] = [resource]
        for step in route:
            found = [each.get(step) for each in values if isinstance(each, dict)]
            values = [one for each in found for one in (each if isinstance(each, list) else [each])]
        for each in values:
            target = target_of(each) if isinstance(each, dict) else None
            if target is not None:
                yield target

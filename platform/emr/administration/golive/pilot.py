"""A hospital's pilot as its administrator and the department see it: pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from emr.access.pilot import held_back
from emr.identity.memberships import Membership
from emr.kernel.tenant import Pilot, Tenant
from emr.kernel.text import fold


@dataclass(frozen=True, slots=True)
class Department:
    """One that is in. features: that are on there. members: people of it who may enter, None where nobody asked.
    known: whether the hospital has a Location of this id.
    """

    ward: str
    name: str
    features: Collection[str]
    members: int | None = None
    known: bool = True


@dataclass(frozen=True, slots=True)
class PilotTold:
    """Departments by name. limited: the features that are on in some departments only. outside: how many people lack
    something that their role has elsewhere, None where nobody asked.
    """

    departments: Sequence[Department]
    limited: Collection[str]
    outside: int | None = None


def departments_of(pilot: Pilot) -> PilotTold:
    """What the file says."""
    rows = [
        Department(ward, name, frozenset(feature for feature, wards in pilot.features if ward in wards))
        for ward, name in pilot.departments
    ]
    rows.sort(key=lambda each: (fold(each.name), each.ward))
    return PilotTold(rows, frozenset(feature for feature, _ in pilot.features))


def told(tenant: Tenant, wards: Mapping[str, str], members: Sequence[Membership]) -> PilotTold | None:
    """The same with people. wards: the hospital's Locations, id to name; members: who may enter."""
    if tenant.pilot is None:
        return None
    found = departments_of(tenant.pilot)
    rows = [
        Department(
            ward=each.ward,
            name=each.name,
            features=each.features,
            members=sum(each.ward in member.wards for member in members),
            known=each.ward in wards,
        )
        for each in found.departments
    ]
    outside = sum(bool(held_back(tenant, member.role, member.wards)) for member in members)
    return PilotTold(rows, found.limited, outside)

"""What the pages of apps show of a patient and of a grant. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from emr.identity.app_grants import Allowed
from emr.smart.wording import HOW_LONG, Wish, wishes
from emr.web.moments import Age, age_at, shown
from emr.web.patient import SEXES, address, full_name, identifiers
from emr.work.unit import UnitOfWork


@dataclass(frozen=True)
class Candidate:
    """A patient, told apart from others of the same name."""

    id: str
    name: str
    sex: str
    age: Age
    born: str
    numbers: tuple[str, ...]
    address: str


@dataclass(frozen=True)
class Granted:
    """Something that the reader has allowed."""

    id: str
    app: str
    wishes: tuple[Wish, ...]
    how_long: str
    since: datetime


def candidate(patient: Mapping[str, Any], work: UnitOfWork) -> Candidate:
    """One patient."""
    zone = ZoneInfo(work.tenant.time_zone)
    return Candidate(
        id=str(patient["id"]),
        name=full_name(patient).upper(),
        sex=SEXES.get(patient.get("gender", "unknown"), SEXES["unknown"]),
        age=age_at(patient.get("birthDate"), work.clock().astimezone(zone).date()),
        born=shown(patient.get("birthDate"), zone),
        numbers=tuple(f"{each.label} {each.shown}" for each in identifiers(patient)),
        address=address(patient),
    )


def candidates(patients: Iterable[Mapping[str, Any]], work: UnitOfWork) -> Sequence[Candidate]:
    """Patients in the order of the search."""
    return [candidate(each, work) for each in patients]


def granted(each: Allowed, work: UnitOfWork) -> Granted:
    """One grant, with its moment in the hospital's time."""
    zone = ZoneInfo(work.tenant.time_zone)
    return Granted(each.id, each.app, wishes(each.scopes), HOW_LONG[each.lasting], each.since.astimezone(zone))

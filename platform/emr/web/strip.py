"""Loads what every page of a patient needs: the strip, the age, the encounter that is under way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from emr.records.compartment import compartment
from emr.web.moments import local, months_between
from emr.web.patient import Banner, build_banner
from emr.work.unit import UnitOfWork

_MOST = {"AllergyIntolerance": 60, "Coverage": 6, "Encounter": 3}


@dataclass(frozen=True)
class Strip:
    """encounter: reference of the encounter that is under way, "" if none. months: the age, None if unknown."""

    banner: Banner
    encounter: str
    months: int | None


async def load_strip(work: UnitOfWork, patient_id: str) -> Strip:
    """Read the patient. Raises `ResourceNotFound`, `ResourceGone`."""
    stored, found = await compartment(work, patient_id, _MOST)
    patient = stored.resource()
    lists = {name: [item.resource() for item in items] for name, items in found.items()}
    zone = ZoneInfo(work.tenant.time_zone)
    now = work.clock()
    born = local(patient.get("birthDate"), zone)
    return Strip(
        banner=build_banner(patient, lists["AllergyIntolerance"], lists["Coverage"], now=now, zone=zone),
        encounter=open_encounter(lists["Encounter"]),
        months=months_between(born.date(), now.astimezone(zone).date()) if born else None,
    )


async def load_banner(work: UnitOfWork, patient_id: str) -> Banner:
    """The strip alone. Raises `ResourceNotFound`, `ResourceGone`."""
    return (await load_strip(work, patient_id)).banner


def open_encounter(encounters: Sequence[Mapping[str, Any]]) -> str:
    """The newest encounter that is under way."""
    running = [item for item in encounters if item.get("status") == "in-progress"]
    running.sort(key=lambda item: str(item.get("period", {}).get("start", "")))
    return f"Encounter/{running[-1]['id']}" if running else ""

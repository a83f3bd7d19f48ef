"""View models of finding a patient: the rows under the search field. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from emr.web.moments import Age, age_at, shown
from emr.web.patient import SEXES, address, full_name, half_hidden, kind_of


@dataclass(frozen=True)
class Hit:
    """One patient who fits."""

    id: str
    name: str
    sex: str
    age: Age
    born: str
    number: str
    card: str
    address: str


def hits(patients: Iterable[Mapping[str, Any]], *, today: date, zone: ZoneInfo) -> list[Hit]:
    """Rows in the order of the search."""
    return [_hit(patient, today, zone) for patient in patients]


def _hit(patient: Mapping[str, Any], today: date, zone: ZoneInfo) -> Hit:
    numbers: dict[str, str] = {}
    for item in patient.get("identifier", ()):
        numbers.setdefault(kind_of(item), str(item.get("value", "")))
    card = numbers.get("CCCD", "")
    return Hit(
        id=str(patient["id"]),
        name=full_name(patient).upper(),
        sex=SEXES.get(patient.get("gender", "unknown"), SEXES["unknown"]),
        age=age_at(patient.get("birthDate"), today),
        born=shown(patient.get("birthDate"), zone),
        number=numbers.get("Mã", ""),
        card=half_hidden(card) if card else "",
        address=address(patient),
    )

"""View models of what is wrong and what is taken: problems, medicines, allergies, vaccinations. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from emr.chart.readings import decimal
from emr.web.i18n import Said, mark
from emr.web.moments import local, shown
from emr.web.patient import CERTAINTIES, concept, is_current, says_none

Resource = Mapping[str, Any]

ICD_10 = "http://hl7.org/fhir/sid/icd-10"
RUNS_OUT = 14
"""Days of supply from which on a ward wants to know that it ends."""
_PERIODS = {"d": 1, "h": 24}
_STATES = {
    "recurrence": mark("tái phát"),
    "relapse": mark("tái phát"),
    "remission": mark("lui bệnh"),
    "inactive": mark("không còn"),
    "resolved": mark("đã khỏi"),
}
_CATEGORIES = {
    "medication": mark("thuốc"),
    "food": mark("thức ăn"),
    "environment": mark("môi trường"),
    "biologic": mark("chế phẩm sinh học"),
}


@dataclass(frozen=True)
class ProblemRow:
    """One condition. state: empty while it is simply active."""

    id: str
    name: str
    code: str
    since: str
    state: str
    certain: bool
    active: bool


@dataclass(frozen=True)
class MedicineRow:
    """One prescription that runs. dose: `1 × 2`; how: the words of the label; ended: the supply is over."""

    id: str
    name: str
    dose: str
    how: str
    since: str
    left: Said | None
    ended: bool


@dataclass(frozen=True)
class AllergyRow:
    """One allergy. severe: high criticality or a severe reaction."""

    id: str
    name: str
    category: str
    reaction: str
    since: str
    severe: bool
    certainty: str


@dataclass(frozen=True)
class VaccineRow:
    """One vaccination that was given."""

    name: str
    when: str
    dose: str


def problems(conditions: Iterable[Resource], zone: ZoneInfo) -> list[ProblemRow]:
    """Conditions, one row per code, the running ones first, then the newest; entered in error and refuted left out."""
    kept: dict[str, tuple[tuple[bool, str], ProblemRow]] = {}
    for item in conditions:
        if first_code(item.get("verificationStatus")) in ("entered-in-error", "refuted"):
            continue
        row = _problem(item, zone)
        rank = (row.active, str(item.get("onsetDateTime") or item.get("recordedDate") or ""))
        same = f"{row.code or row.name}|{row.active}"
        if same not in kept or rank < kept[same][0]:
            kept[same] = (rank, row)
    return [row for _, row in sorted(kept.values(), key=lambda pair: pair[0], reverse=True)]


def _problem(item: Resource, zone: ZoneInfo) -> ProblemRow:
    clinical = first_code(item.get("clinicalStatus"))
    active = clinical in ("", "active", "recurrence", "relapse")
    return ProblemRow(
        id=str(item.get("id", "")),
        name=without_tag(concept(item.get("code"))),
        code=_icd(item.get("code")),
        since=shown(item.get("onsetDateTime") or item.get("recordedDate"), zone),
        state=_STATES.get(clinical, ""),
        certain=first_code(item.get("verificationStatus")) in ("", "confirmed"),
        active=active,
    )


def medicines(requests: Iterable[Resource], now: datetime, zone: ZoneInfo) -> list[MedicineRow]:
    """Prescriptions that run, one row per medicine (the newest), those whose supply is over at the end."""
    rows: dict[str, MedicineRow] = {}
    newest = sorted(requests, key=lambda item: str(item.get("authoredOn", "")), reverse=True)
    for item in newest:
        if item.get("status") != "active" or item.get("intent") in ("proposal", "option"):
            continue
        row = _medicine(item, now, zone)
        rows.setdefault(row.name.casefold(), row)
    return sorted(rows.values(), key=lambda row: row.ended)


def _medicine(item: Resource, now: datetime, zone: ZoneInfo) -> MedicineRow:
    instructions = item.get("dosageInstruction", ())
    first: Resource = next(iter(instructions), {})
    end = _supply_end(item, first, zone)
    named = concept(item.get("medicationCodeableConcept")) or (item.get("medicationReference") or {}).get("display", "")
    return MedicineRow(
        id=str(item.get("id", "")),
        name=named,
        dose=_dose(first),
        how=str(first.get("text") or first.get("patientInstruction") or ""),
        since=shown(item.get("authoredOn"), zone),
        left=_left(end, now),
        ended=end is not None and end.date() < now.date(),
    )


def _supply_end(item: Resource, dosage: Resource, zone: ZoneInfo) -> datetime | None:
    supplied = (item.get("dispenseRequest") or {}).get("validityPeriod", {}).get("end")
    bounds = (dosage.get("timing") or {}).get("repeat", {}).get("boundsPeriod", {}).get("end")
    return local(bounds or supplied, zone)


def _left(end: datetime | None, now: datetime) -> Said | None:
    if end is None:
        return None
    days = (end.date() - now.date()).days
    if days < 0:
        return Said(mark("hết đợt {date}"), {"date": end.strftime("%d/%m/%Y")})
    if days == 0:
        return Said(mark("hết hôm nay"))
    return Said(mark("còn {n} ngày"), {"n": days}) if days <= RUNS_OUT else None


def _dose(dosage: Resource) -> str:
    """How much × how often a day, where the prescription says both in figures."""
    repeat = (dosage.get("timing") or {}).get("repeat", {})
    frequency, period = decimal(repeat.get("frequency")), decimal(repeat.get("period"))
    per_day = _PERIODS.get(repeat.get("periodUnit", ""))
    if not frequency or not period or not per_day:
        return ""
    times = frequency * per_day / period
    amount = next(
        (decimal((rate.get("doseQuantity") or {}).get("value")) for rate in dosage.get("doseAndRate", ())), None
    )
    return f"{_plain(amount or Decimal(1))} × {_plain(times)}"


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f").replace(".", ",")


def allergies(items: Iterable[Resource], zone: ZoneInfo) -> list[AllergyRow]:
    """Allergies that count, the severe ones first; a statement that there is none is no allergy."""
    rows = [_allergy(item, zone) for item in items if is_current(item) and not says_none(item)]
    return sorted(rows, key=lambda row: not row.severe)


def _allergy(item: Resource, zone: ZoneInfo) -> AllergyRow:
    reactions = item.get("reaction", ())
    manifestations = [concept(what) for reaction in reactions for what in reaction.get("manifestation", ())]
    severities = {reaction.get("severity") for reaction in reactions}
    return AllergyRow(
        id=str(item.get("id", "")),
        name=without_tag(concept(item.get("code"))),
        category=_CATEGORIES.get(next(iter(item.get("category", ())), ""), ""),
        reaction=", ".join(dict.fromkeys(without_tag(word) for word in manifestations)),
        since=shown(item.get("onsetDateTime") or item.get("recordedDate"), zone),
        severe=item.get("criticality") == "high" or "severe" in severities,
        certainty=CERTAINTIES.get(item.get("criticality", ""), ""),
    )


def vaccines(items: Iterable[Resource], zone: ZoneInfo) -> list[VaccineRow]:
    """Vaccinations that were given, newest first."""
    given = [item for item in items if item.get("status") == "completed"]
    given.sort(key=lambda item: str(item.get("occurrenceDateTime", "")), reverse=True)
    return [
        VaccineRow(
            name=concept(item.get("vaccineCode")),
            when=shown(item.get("occurrenceDateTime"), zone),
            dose=str(next((done.get("doseNumberPositiveInt", "") for done in item.get("protocolApplied", ())), "")),
        )
        for item in given
    ]


def first_code(value: Mapping[str, Any] | None) -> str:
    """The first code of a CodeableConcept."""
    return next((str(item.get("code", "")) for item in (value or {}).get("coding", ())), "")


def without_tag(text: str) -> str:
    """SNOMED CT's fully specified names end in a tag, `Asthma (disorder)`, that says nothing to a clinician."""
    head, bracket, tag = text.rpartition(" (")
    return head if bracket and tag in ("disorder)", "finding)", "situation)", "substance)", "procedure)") else text


def _icd(value: Mapping[str, Any] | None) -> str:
    codings = (value or {}).get("coding", ())
    return next((str(item.get("code", "")) for item in codings if "icd-10" in str(item.get("system", "")).lower()), "")

"""The strip that is on every page of a patient: who this is, how they are insured, what they must not be given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from emr.web.i18n import mark
from emr.web.moments import Age, age_at, local, shown

Resource = Mapping[str, Any]

SEXES = {"male": mark("Nam"), "female": mark("Nữ"), "other": mark("Giới khác"), "unknown": mark("Chưa rõ giới")}
CERTAINTIES = {"high": mark("nguy cơ cao"), "unable-to-assess": mark("chưa rõ mức độ")}
NO_KNOWN_ALLERGY = {"716186003", "409137002", "1003774007", "428607008", "716184000"}
"""SNOMED CT codes that say that somebody asked and there is none."""
_HIDDEN = "••••"


@dataclass(frozen=True)
class Identifier:
    """A number of the patient, half hidden."""

    label: str
    shown: str


@dataclass(frozen=True)
class Insurance:
    """The health insurance card."""

    shown: str
    until: datetime | None
    valid: bool


@dataclass(frozen=True)
class Allergy:
    """What this patient must not be given, in a few words."""

    name: str
    detail: str


@dataclass(frozen=True)
class Place:
    """A tab or an act on the patient's pages."""

    name: str
    label: str
    path: str
    key: str
    permission: str


@dataclass(frozen=True)
class Banner:
    """What the strip says. `allergies_denied`: somebody asked and there is none, which is not the same as not asked."""

    id: str
    name: str
    sex: str
    age: Age
    born: str
    identifiers: tuple[Identifier, ...]
    insurance: Insurance | None
    address: str
    deceased: bool
    allergies: tuple[Allergy, ...]
    allergies_denied: bool
    places: tuple[Place, ...]
    acts: tuple[Place, ...]


PLACES = (
    Place("chart", mark("Tổng quan"), "", "b", "chart:read"),
    Place("results", mark("Kết quả"), "/results", "k", "chart:read"),
    Place("encounters", mark("Lượt khám"), "/encounters", "l", "chart:read"),
    Place("documents", mark("Tài liệu"), "/documents", "t", "document:read"),
    Place("images", mark("Hình ảnh"), "/images", "h", "imaging:read"),
    Place("apps", mark("Ứng dụng"), "/apps", "u", "app:use"),
)
ACTS = (
    Place("vitals", mark("Sinh hiệu"), "/vitals/new", "s", "vitals:write"),
    Place("note", mark("Ghi chú"), "/notes/new", "g", "note:write"),
    Place("problem", mark("Vấn đề"), "/problems/new", "v", "problem:write"),
    Place("allergy", mark("Dị ứng"), "/allergies/new", "d", "allergy:write"),
)


def build_banner(
    patient: Resource, allergies: Sequence[Resource], coverages: Sequence[Resource], *, now: datetime, zone: ZoneInfo
) -> Banner:
    """The strip from a Patient and its AllergyIntolerance and Coverage resources."""
    today = now.astimezone(zone)
    active = [item for item in allergies if is_current(item)]
    return Banner(
        id=patient["id"],
        name=full_name(patient).upper(),
        sex=SEXES.get(patient.get("gender", "unknown"), SEXES["unknown"]),
        age=age_at(patient.get("birthDate"), _last_day(patient, today.date(), zone)),
        born=shown(patient.get("birthDate"), zone),
        identifiers=identifiers(patient),
        insurance=_insurance(patient, coverages, now=today, zone=zone),
        address=address(patient),
        deceased=bool(patient.get("deceasedBoolean") or patient.get("deceasedDateTime")),
        allergies=tuple(_allergy(item) for item in _worst_first(active) if not says_none(item)),
        allergies_denied=any(says_none(item) for item in active),
        places=PLACES,
        acts=ACTS,
    )


def full_name(patient: Resource) -> str:
    """The name as it is said in Vietnamese: family, middle, given; in another order when `text` says so."""
    names = [name for name in patient.get("name", ()) if name.get("use") != "old"]
    names.sort(key=lambda name: name.get("use") != "official")
    if not names:
        return mark("Chưa rõ tên")
    name = names[0]
    return str(name.get("text") or " ".join([name.get("family", ""), *name.get("given", ())]).strip())


def called(patient: Resource) -> str:
    """The name and the year of birth, which is how people tell each other of whom they speak; "" without a name."""
    name, born = full_name(patient) if patient.get("name") else "", str(patient.get("birthDate", ""))[:4]
    return " · ".join(each for each in (name, born) if name and each)


def identifiers(patient: Resource) -> tuple[Identifier, ...]:
    """Record number in full, CCCD half hidden; the insurance number is said with the insurance."""
    found: dict[str, Identifier] = {}
    for item in patient.get("identifier", ()):
        label, value = kind_of(item), str(item.get("value", ""))
        if not value or label in found or label not in ("Mã", "CCCD"):
            continue
        found[label] = Identifier(label, value if label == "Mã" else half_hidden(value))
    return tuple(found[label] for label in ("Mã", "CCCD") if label in found)


def kind_of(identifier: Mapping[str, Any]) -> str:
    """Mã (record number), CCCD, BHYT or nothing, by the identifier's system and type."""
    system = str(identifier.get("system", "")).lower()
    codes = {coding.get("code") for coding in identifier.get("type", {}).get("coding", ())}
    if "cccd" in system or "national_id" in system or "CCCD" in codes or "NI" in codes:
        return "CCCD"
    if "bhyt" in system or "insurance" in system or "BHYT" in codes or "NIIP" in codes:
        return "BHYT"
    if "MR" in codes or system.endswith(("/mrn", "patient-internal-id", ":mrn", "record-number")):
        return "Mã"
    return ""


def half_hidden(value: str) -> str:
    """The first six and the last two characters: enough to compare with a card, not enough to copy from a screen."""
    return value if len(value) < 9 else f"{value[:-6]}{_HIDDEN}{value[-2:]}"


def address(patient: Resource) -> str:
    """The short address: ward and province."""
    for item in patient.get("address", ()):
        if item.get("use") == "old":
            continue
        parts = [item.get("district"), item.get("city"), item.get("state")]
        said = ", ".join(dict.fromkeys(part for part in parts if part)) or str(item.get("text", ""))
        return said.replace("Thành phố ", "TP. ")
    return ""


def is_current(allergy: Resource) -> bool:
    """Whether an AllergyIntolerance still counts: neither resolved nor refuted nor entered in error."""
    clinical = _code(allergy.get("clinicalStatus"))
    verification = _code(allergy.get("verificationStatus"))
    return clinical not in ("inactive", "resolved") and verification not in ("refuted", "entered-in-error")


def says_none(allergy: Resource) -> bool:
    """Whether this entry says that there is no known allergy."""
    return any(coding.get("code") in NO_KNOWN_ALLERGY for coding in allergy.get("code", {}).get("coding", ()))


def concept(value: Mapping[str, Any] | None) -> str:
    """The words of a CodeableConcept: what the clinician wrote, else the first display, else the code."""
    if not value:
        return ""
    codings = value.get("coding", ())
    said = value.get("text") or next((item["display"] for item in codings if item.get("display")), None)
    return str(said or next((item["code"] for item in codings if item.get("code")), ""))


def _code(value: Mapping[str, Any] | None) -> str:
    return next((str(item.get("code", "")) for item in (value or {}).get("coding", ())), "")


def _worst_first(allergies: Sequence[Resource]) -> list[Resource]:
    return sorted(allergies, key=lambda item: item.get("criticality") != "high")


def _allergy(item: Resource) -> Allergy:
    reactions = [concept(what) for reaction in item.get("reaction", ()) for what in reaction.get("manifestation", ())]
    return Allergy(
        concept(item.get("code")), next(iter(reactions), "") or CERTAINTIES.get(item.get("criticality", ""), "")
    )


def _insurance(patient: Resource, coverages: Sequence[Resource], *, now: datetime, zone: ZoneInfo) -> Insurance | None:
    dated = [
        (local(item.get("period", {}).get("end"), zone), item) for item in coverages if item.get("status") == "active"
    ]
    numbers = [str(item.get("value", "")) for item in patient.get("identifier", ()) if kind_of(item) == "BHYT"]
    if dated:
        until, coverage = max(dated, key=lambda pair: pair[0] or datetime.max.replace(tzinfo=zone))
        own = [item.get("value", "") for item in coverage.get("identifier", ())]
        number = str(coverage.get("subscriberId") or next(iter([*own, *numbers]), ""))
        return Insurance(half_hidden(number), until, until is None or until.date() >= now.date()) if number else None
    until = _card_end(patient, zone)
    return Insurance(half_hidden(numbers[0]), until, until is None or until.date() >= now.date()) if numbers else None


def _card_end(patient: Resource, zone: ZoneInfo) -> datetime | None:
    ends = [item.get("period", {}).get("end") for item in patient.get("identifier", ()) if kind_of(item) == "BHYT"]
    return local(next(iter(ends), None), zone)


def _last_day(patient: Resource, today: date, zone: ZoneInfo) -> date:
    died = local(patient.get("deceasedDateTime"), zone)
    return died.date() if died else today

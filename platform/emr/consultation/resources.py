"""This room's FHIR shapes: vital signs, notes, problems, allergies as R4 resources. Pure."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.consultation.policy import KINDS, SIGNS, Allergy, Note, Problem, Sign, Vitals
from emr.kernel.json import Number
from emr.web.moments import local

Resource = dict[str, Any]

LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
UCUM: Final = "http://unitsofmeasure.org"
ICD_10: Final = "http://hl7.org/fhir/sid/icd-10"
TERMS: Final = "http://terminology.hl7.org/CodeSystem"
_PAIR: Final = ("systolic", "diastolic")
_ENGLISH: Final = {
    "8480-6": "Systolic blood pressure",
    "8462-4": "Diastolic blood pressure",
    "8867-4": "Heart rate",
    "8310-5": "Body temperature",
    "59408-5": "Oxygen saturation in Arterial blood by Pulse oximetry",
    "9279-1": "Respiratory rate",
    "29463-7": "Body weight",
    "8302-2": "Body height",
    "72514-3": "Pain severity - 0-10 verbal numeric rating [Score] - Reported",
    "39156-5": "Body mass index (BMI) [Ratio]",
}


@dataclass(frozen=True)
class Entry:
    """Whose form it is, of which patient, in which encounter ("" if none is open)."""

    patient: str
    author: str
    encounter: str


def vital_signs(vitals: Vitals, entry: Entry) -> list[Resource]:
    """Observations of FHIR's vital signs profiles: blood pressure as one panel, BMI from weight and height."""
    figures = vitals.figures
    found = [
        _observation(sign.code, _quantity(value, sign), vitals.when, entry)
        for sign in SIGNS
        if sign.field not in _PAIR and (value := figures.get(sign.field)) is not None
    ]
    if figures.get("systolic") is not None:
        found.insert(0, _pressure(figures, vitals.when, entry))
    weight, height = figures.get("weight"), figures.get("height")
    if weight is not None and height is not None:
        bmi = Sign("", "", "39156-5", "kg/m²", "kg/m2")
        value = (weight / (height / 100) ** 2).quantize(Decimal("0.1"))
        found.append(_observation(bmi.code, _quantity(value, bmi), vitals.when, entry))
    return found


def note(written: Note, entry: Entry) -> Resource:
    """A DocumentReference whose words stand in the record itself (UTF-8, base64). Not signed yet: `preliminary`."""
    words = base64.b64encode(written.text.encode()).decode()
    attachment = {"contentType": "text/plain; charset=utf-8", "data": words, "title": KINDS[written.kind]}
    resource: Resource = {
        "resourceType": "DocumentReference",
        "status": "current",
        "docStatus": "preliminary",
        "type": _concept(LOINC, "11506-3", "Progress note"),
        "category": [
            _concept("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note", "")
        ],
        "subject": _patient(entry),
        "date": written.when.isoformat(timespec="milliseconds"),
        "author": [{"display": entry.author}],
        "description": KINDS[written.kind],
        "content": [{"attachment": attachment}],
    }
    if entry.encounter:
        resource["context"] = {"encounter": [{"reference": entry.encounter}]}
    return resource


def problem(said: Problem, entry: Entry, *, recorded: datetime) -> Resource:
    """A Condition of the problem list, active."""
    code: Resource = {"text": said.text or (said.code.vietnamese if said.code else "")}
    if said.code:
        code["coding"] = [{"system": ICD_10, "code": said.code.code, "display": said.code.vietnamese}]
    resource: Resource = {
        "resourceType": "Condition",
        "clinicalStatus": _concept(f"{TERMS}/condition-clinical", "active", ""),
        "verificationStatus": _concept(f"{TERMS}/condition-ver-status", said.certainty, ""),
        "category": [_concept(f"{TERMS}/condition-category", "problem-list-item", "Problem List Item")],
        "code": code,
        "subject": _patient(entry),
        "recordedDate": recorded.isoformat(timespec="milliseconds"),
        "recorder": {"display": entry.author},
    }
    if said.since:
        resource["onsetDateTime"] = said.since
    return _within(resource, entry)


def allergy(said: Allergy, entry: Entry, *, recorded: datetime) -> Resource:
    """An AllergyIntolerance, active; or the statement that none is known (SNOMED CT 716186003)."""
    resource: Resource = {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": _concept(f"{TERMS}/allergyintolerance-clinical", "active", ""),
        "verificationStatus": _concept(f"{TERMS}/allergyintolerance-verification", "confirmed", ""),
        "code": {"text": said.substance},
        "patient": _patient(entry),
        "recordedDate": recorded.isoformat(timespec="milliseconds"),
        "recorder": {"display": entry.author},
    }
    if not said.substance:
        resource["code"] = _concept(SNOMED, "716186003", "No known allergy")
        return _within(resource, entry)
    resource |= {"type": "allergy", "category": [said.category], "criticality": said.criticality}
    if said.reaction:
        resource["reaction"] = [{"manifestation": [{"text": said.reaction}]}]
    if said.since:
        resource["onsetDateTime"] = said.since
    return _within(resource, entry)


@dataclass(frozen=True)
class Figure:
    """A value of before, and when it was measured."""

    value: Decimal
    when: datetime


def last_figures(observations: Iterable[Mapping[str, Any]], zone: ZoneInfo) -> dict[str, Figure]:
    """The newest value of each vital sign by field name."""
    fields = {sign.code: sign.field for sign in SIGNS} | {"2708-6": "saturation", "8306-3": "height"}
    found: dict[str, Figure] = {}
    for item in observations:
        when = local(item.get("effectiveDateTime"), zone)
        if when is None or item.get("status") == "entered-in-error":
            continue
        for part in (item, *item.get("component", ())):
            field = next((fields[code] for code in _codes(part) if code in fields), None)
            value = part.get("valueQuantity", {}).get("value")
            if field is not None and value is not None and (field not in found or found[field].when < when):
                found[field] = Figure(Decimal(str(value)).quantize(Decimal("0.1")).normalize(), when)
    return found


def _codes(part: Mapping[str, Any]) -> list[str]:
    return [str(coding.get("code")) for coding in part.get("code", {}).get("coding", ())]


def _pressure(figures: Mapping[str, Decimal | None], when: datetime, entry: Entry) -> Resource:
    panel = _observation("85354-9", None, when, entry)
    panel["code"] = _concept(LOINC, "85354-9", "Blood pressure panel with all children optional")
    panel["component"] = [
        {"code": _concept(LOINC, sign.code, _ENGLISH[sign.code]), "valueQuantity": _quantity(value, sign)}
        for sign in SIGNS
        if sign.field in _PAIR and (value := figures.get(sign.field)) is not None
    ]
    return panel


def _observation(code: str, quantity: Resource | None, when: datetime, entry: Entry) -> Resource:
    resource: Resource = {
        "resourceType": "Observation",
        "status": "final",
        "category": [_concept(f"{TERMS}/observation-category", "vital-signs", "Vital Signs")],
        "code": _concept(LOINC, code, _ENGLISH.get(code, "")),
        "subject": _patient(entry),
        "effectiveDateTime": when.isoformat(timespec="milliseconds"),
        "performer": [{"display": entry.author}],
    }
    if quantity is not None:
        resource["valueQuantity"] = quantity
    return _within(resource, entry)


def _quantity(value: Decimal, sign: Sign) -> Resource:
    return {"value": _json_number(value), "unit": sign.unit, "system": UCUM, "code": sign.ucum}


def _json_number(value: Decimal) -> Number | int:
    """The figure as it was typed, in the form that the JSON codec reads it back in."""
    text = f"{value:f}"
    return Number(text) if "." in text else int(text)


def _concept(system: str, code: str, display: str) -> Resource:
    coding = {"system": system, "code": code}
    return {"coding": [coding | {"display": display} if display else coding]}


def _patient(entry: Entry) -> Resource:
    return {"reference": f"Patient/{entry.patient}"}


def _within(resource: Resource, entry: Entry) -> Resource:
    return resource | {"encounter": {"reference": entry.encounter}} if entry.encounter else resource

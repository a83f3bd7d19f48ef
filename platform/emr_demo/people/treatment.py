"""What was done at a visit: the Encounter, its diagnosis, prescriptions, procedures, notes."""

import base64
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from emr_demo.people.care import ZONE, Visit
from emr_demo.people.chart import Chart
from emr_demo.people.diseases import disease
from emr_demo.people.fhir import (
    ATC,
    ICD9_PROCEDURES,
    ICD10,
    LOINC,
    SNOMED,
    Resource,
    coding,
    concept,
    hl7,
    moment,
    refer,
)
from emr_demo.people.medicines import MEDICINES, ROUTES, Medicine, dosage_text

_KINDS = {
    "AMB": ("ambulatory", "Khám ngoại trú"),
    "EMER": ("emergency", "Cấp cứu"),
    "IMP": ("inpatient encounter", "Nội trú"),
}
_FOLLOW_UP_SUPPLY_DAYS = 90
PROGRESS_NOTE = ("11506-3", "Phiếu khám bệnh")
DISCHARGE_SUMMARY = ("18842-5", "Tóm tắt hồ sơ ra viện")


@dataclass(frozen=True)
class Stay:
    """An encounter under way in the record: its address, the visit, who treats, in which department."""

    url: str
    visit: Visit
    doctor: Resource
    department: str


def add_encounter(chart: Chart, visit: Visit, department: str) -> Stay:
    """The Encounter and, for an acute illness, its diagnosis; a follow-up points to the problem list."""
    url, entry = chart.bundle.new_url(), disease(visit.code)
    doctor = chart.house.member(department, chart.rng)
    condition = chart.problems.get(visit.code) if visit.follow_up else None
    stay = Stay(url, visit, doctor, department)
    condition = condition or _add_diagnosis(chart, stay)
    code, display = _KINDS[visit.kind][0], _KINDS[visit.kind][1]
    period = {"start": moment(visit.start)} | ({} if visit.ongoing else {"end": moment(visit.end)})
    resource: Resource = {
        "resourceType": "Encounter",
        "status": "in-progress" if visit.ongoing else "finished",
        "class": coding("v3-ActCode", visit.kind, code),
        "type": [{"text": display}],
        "subject": chart.patient,
        "participant": [
            {"type": [hl7("v3-ParticipationType", "ATND")], "period": period, "individual": doctor},
        ],
        "period": period,
        "reasonCode": [{"text": visit.complaint}],
        "diagnosis": [
            {"condition": refer(condition, entry.title), "use": hl7("diagnosis-role", "DD"), "rank": 1},
        ],
        "location": [{"location": chart.house.department(department)}],
        "serviceProvider": chart.house.organization,
    }
    if visit.kind == "IMP" and not visit.ongoing:
        resource["hospitalization"] = {"dischargeDisposition": hl7("discharge-disposition", "home", "Ra viện")}
    chart.bundle.put(url, resource)
    return stay


def prescribe(chart: Chart, stay: Stay, keys: list[str], *, current: bool) -> None:
    """One MedicationRequest for each medicine; `current` ones are still taken today."""
    for key in dict.fromkeys(keys):
        chart.bundle.add(_medication_request(chart, stay, MEDICINES[key], current=current))


def add_procedure(chart: Chart, stay: Stay, procedure: tuple[str, str], when: datetime) -> None:
    """A procedure by ICD-9-CM volume 3 code and Vietnamese title."""
    chart.bundle.add(
        {
            "resourceType": "Procedure",
            "status": "completed",
            "code": concept(ICD9_PROCEDURES, *procedure),
            "subject": chart.patient,
            "encounter": refer(stay.url),
            "performedPeriod": {"start": moment(when), "end": moment(when + timedelta(minutes=50))},
            "performer": [{"actor": stay.doctor}],
            "location": chart.house.department(stay.department),
        }
    )


def add_note(chart: Chart, stay: Stay, text: str, when: datetime, *, kind: tuple[str, str] = PROGRESS_NOTE) -> None:
    """A written note: plain text inside the DocumentReference."""
    data = text.encode()
    chart.bundle.add(
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "docStatus": "final",
            "type": concept(LOINC, *kind),
            "category": [{"text": "Ghi chú lâm sàng"}],
            "subject": chart.patient,
            "date": moment(when),
            "author": [stay.doctor],
            "custodian": chart.house.organization,
            "description": f"{kind[1]}: {disease(stay.visit.code).title}",
            "content": [
                {
                    "attachment": {
                        "contentType": "text/plain; charset=utf-8",
                        "language": "vi",
                        "data": base64.b64encode(data).decode("ascii"),
                        "size": len(data),
                        "title": kind[1],
                        "creation": moment(when),
                    }
                }
            ],
            "context": {"encounter": [refer(stay.url)]},
        }
    )


def noon(day: date) -> datetime:
    """Twelve o'clock in the hospital."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZONE)


def _add_diagnosis(chart: Chart, stay: Stay) -> str:
    visit, entry = stay.visit, disease(stay.visit.code)
    over = not visit.ongoing and visit.end.date() + timedelta(days=14) < chart.today
    resource: Resource = {
        "resourceType": "Condition",
        "clinicalStatus": hl7("condition-clinical", "resolved" if over else "active"),
        "verificationStatus": hl7("condition-ver-status", "confirmed"),
        "category": [hl7("condition-category", "encounter-diagnosis", "Chẩn đoán lần khám")],
        "code": concept(ICD10, entry.code, entry.title),
        "subject": chart.patient,
        "encounter": refer(stay.url),
        "onsetDateTime": (visit.day - timedelta(days=2)).isoformat(),
        "recordedDate": moment(visit.start),
        "recorder": stay.doctor,
    }
    if over:
        resource["abatementDateTime"] = (visit.end.date() + timedelta(days=10)).isoformat()
    return chart.bundle.add(resource)


def _medication_request(chart: Chart, stay: Stay, medicine: Medicine, *, current: bool) -> Resource:
    regimen, written = medicine.regimen, stay.visit.start + timedelta(minutes=20)
    days = regimen.days or _FOLLOW_UP_SUPPLY_DAYS
    route_code, _ = ROUTES[regimen.route]
    dosage = {
        "text": dosage_text(regimen),
        "timing": {
            "repeat": {
                "boundsPeriod": {
                    "start": written.date().isoformat(),
                    "end": (written.date() + timedelta(days=days)).isoformat(),
                },
                "frequency": regimen.per_day,
                "period": 1,
                "periodUnit": "d",
                "when": list(regimen.when),
            }
        },
        "route": concept(SNOMED, route_code, ROUTES[regimen.route][1]),
        "doseAndRate": [{"doseQuantity": {"value": regimen.amount, "unit": regimen.unit}}],
    }
    return {
        "resourceType": "MedicationRequest",
        "status": "active" if current else "completed",
        "intent": "order",
        "medicationCodeableConcept": concept(ATC, medicine.atc, medicine.name),
        "subject": chart.patient,
        "encounter": refer(stay.url),
        "authoredOn": moment(written),
        "requester": stay.doctor,
        "dosageInstruction": [dosage],
        "dispenseRequest": {
            "quantity": {"value": regimen.amount * regimen.per_day * days, "unit": regimen.unit},
            "expectedSupplyDuration": {
                "value": days, "unit": "ngày", "system": "http://unitsofmeasure.org", "code": "d",
            },
        },
    }  # fmt: skip

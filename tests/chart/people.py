"""An invented patient in full, and a small builder for FHIR resources, for tests of the chart."""

import base64
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from emr.chart.views import Gathered

NOW = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
TERMS = "http://terminology.hl7.org/CodeSystem"


def days_ago(days: float) -> str:
    return (NOW - timedelta(days=days)).isoformat()


def observation(code: str, value: str | None, unit: str, when: str, **more: Any) -> dict[str, Any]:
    low, high = more.pop("range", (None, None))
    item: dict[str, Any] = {
        "resourceType": "Observation",
        "id": f"o-{code}-{when[:10]}",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}], "text": more.pop("name", code)},
        "effectiveDateTime": when,
        **more,
    }
    if value is not None:
        item["valueQuantity"] = {"value": Decimal(value), "unit": unit, "code": unit, "system": UCUM}
    bounds = {name: {"value": Decimal(text)} for name, text in (("low", low), ("high", high)) if text}
    if bounds:
        item["referenceRange"] = [bounds]
    return item


def in_category(code: str, item: dict[str, Any]) -> dict[str, Any]:
    return item | {"category": [{"coding": [{"system": f"{TERMS}/observation-category", "code": code}]}]}


def pressure(systolic: str, diastolic: str, when: str) -> dict[str, Any]:
    part = lambda code, value: {  # noqa: E731
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "valueQuantity": {"value": Decimal(value), "unit": "mmHg", "code": "mm[Hg]", "system": UCUM},
    }
    return {
        "resourceType": "Observation", "id": f"bp-{when[:10]}", "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "85354-9"}]}, "effectiveDateTime": when,
        "component": [part("8480-6", systolic), part("8462-4", diastolic)],
    }  # fmt: skip


def concept(text: str, code: str = "", system: str = "") -> dict[str, Any]:
    coding = {"coding": [{"system": system, "code": code, "display": text}]} if code else {}
    return {**coding, "text": text}


def condition(name: str, code: str, since: str, **more: Any) -> dict[str, Any]:
    state = more.pop("state", "active")
    return {
        "resourceType": "Condition", "id": f"c-{code}",
        "clinicalStatus": {"coding": [{"system": f"{TERMS}/condition-clinical", "code": state}]},
        "verificationStatus": {"coding": [{"system": f"{TERMS}/condition-ver-status", "code": more.pop("certainty", "confirmed")}]},
        "code": concept(name, code, "http://hl7.org/fhir/sid/icd-10"), "onsetDateTime": since, **more,
    }  # fmt: skip


def medicine(name: str, how: str, times: int, days_left: int | None = None) -> dict[str, Any]:
    timing: dict[str, Any] = {"frequency": times, "period": 1, "periodUnit": "d"}
    if days_left is not None:
        timing["boundsPeriod"] = {"end": days_ago(-days_left)[:10]}
    return {
        "resourceType": "MedicationRequest", "id": f"m-{name}", "status": "active", "intent": "order", "authoredOn": days_ago(40),
        "medicationCodeableConcept": {"text": name},
        "dosageInstruction": [{"text": how, "timing": {"repeat": timing}, "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "viên"}}]}],
    }  # fmt: skip


def encounter(kind: str, begin: float, end: float, reason: str, who: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter", "id": f"e-{begin}", "status": more.pop("status", "finished"), "class": {"code": kind},
        "period": {"start": days_ago(begin), "end": days_ago(end)}, "reasonCode": [concept(reason)],
        "participant": [{"individual": {"display": who}}], **more,
    }  # fmt: skip


def text_note(title: str, text: str, when: str, who: str) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference", "id": f"n-{when[:10]}", "status": "current", "date": when, "description": title,
        "type": concept("Ghi chú diễn biến", "11506-3", LOINC), "author": [{"display": who}],
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": base64.b64encode(text.encode()).decode()}}],
    }  # fmt: skip


def paper(title: str, when: str, kind: str) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference", "id": f"d-{when}", "status": "current", "date": f"{when}T03:00:00Z", "description": title,
        "type": concept(title), "content": [{"attachment": {"contentType": "application/octet-stream", "title": kind}}],
    }  # fmt: skip


HOA: dict[str, Any] = {
    "resourceType": "Patient", "id": "019aa000-0000-7000-8000-000000000001", "gender": "female", "birthDate": "1959-03-12",
    "name": [{"use": "official", "family": "Nguyễn", "given": ["Thị", "Hoa"], "text": "Nguyễn Thị Hoa"}],
    "identifier": [
        {"type": {"coding": [{"code": "MR"}]}, "value": "HS-004821"},
        {"system": "http://fhir.hl7.org.vn/core/sid/cccd", "value": "079159004834"},
        {"system": "http://fhir.hl7.org.vn/core/sid/bhyt", "value": "GD4797912800128", "period": {"end": "2026-12-31"}},
    ],
    "address": [{"city": "Phường Bến Thành", "state": "TP. Hồ Chí Minh"}],
}  # fmt: skip

_LAB = (
    ("4548-4", "%", ("4.0", "5.6"), ("7.8", "7.4", "7.1", "7.3", "6.9")),
    ("14682-9", "umol/L", ("45", "84"), ("98", "92", "90", "88", "85")),
    ("62238-1", "mL/min/{1.73_m2}", ("60", None), ("52", "57", "59", "61", "63")),
    ("2823-3", "mmol/L", ("3.5", "5.1"), ("4.3", "4.1", "4.4", "4.2", "4.0")),
    ("2951-2", "mmol/L", ("135", "145"), ("139", "140", "138")),
    ("22748-8", "mmol/L", (None, "3.4"), ("2.9", "3.6", "4.1")),
    ("14771-0", "mmol/L", ("3.9", "6.4"), ("8.2", "7.9", "7.0", "7.5")),
    ("1742-6", "U/L", (None, "40"), ("24", "28")),
    ("718-7", "g/L", ("120", "155"), ("118", "124", "126")),
    ("6690-2", "10*9/L", ("4.0", "10.0"), ("7.2", "6.8")),
)
_PRESSURES = ("168 96", "142 88", "138 84", "136 82", "140 86", "144 88", "139 85", "134 80")


def hoa() -> Gathered:
    """A woman of 67 with high blood pressure, diabetes and an allergy to penicillin."""
    results = [
        observation(code, value, unit, days_ago(0.05 + 92 * at), range=bounds)
        for code, unit, bounds, values in _LAB
        for at, value in enumerate(values)
    ]
    signs = [pressure(*both.split(), days_ago(0.1 + 38 * at)) for at, both in enumerate(_PRESSURES)]
    for code, unit, values in (
        ("8867-4", "/min", ("84", "78", "80", "82", "76")),
        ("8310-5", "Cel", ("36.8", "36.6", "36.7")),
        ("59408-5", "%", ("97", "98", "97", "98")),
        ("9279-1", "/min", ("18", "18", "17")),
        ("29463-7", "kg", ("58.5", "59.0", "59.2", "59.8", "60.1")),
        ("8302-2", "cm", ("155",)),
        ("39156-5", "kg/m2", ("24.3", "24.6", "24.6")),
    ):
        signs += [observation(code, value, unit, days_ago(0.1 + 38 * at)) for at, value in enumerate(values)]
    return Gathered(
        patient=HOA,
        allergies=[
            {
                "resourceType": "AllergyIntolerance", "id": "a1", "criticality": "high", "category": ["medication"],
                "clinicalStatus": {"coding": [{"system": f"{TERMS}/allergyintolerance-clinical", "code": "active"}]}, "code": concept("Penicillin"), "recordedDate": "2019-05-04",
                "reaction": [{"manifestation": [concept("Phản vệ")], "severity": "severe"}],
            },
        ],
        conditions=[
            condition("Tăng huyết áp vô căn", "I10", "2014"),
            condition("Đái tháo đường típ 2, không biến chứng", "E11.9", "2017-06"),
            condition("Bệnh thận mạn giai đoạn 3a", "N18.3", "2025-02-11"),
            condition("Thoái hóa khớp gối", "M17.9", "2020"),
            condition("Viêm phổi thùy", "J18.1", "2025-03-09", state="resolved"),
        ],
        medicines=[
            medicine("Amlodipin 5 mg", "uống buổi sáng", 1, 6),
            medicine("Metformin 850 mg", "uống sau ăn sáng và chiều", 2, 21),
            medicine("Atorvastatin 20 mg", "uống buổi tối", 1, 21),
        ],
        observations=[*(in_category("vital-signs", item) for item in signs), *(in_category("laboratory", item) for item in results)],
        encounters=[
            encounter("AMB", 0.2, 0.1, "Chóng mặt, đau đầu vùng chẩm", "BS. Trần Minh Quân", status="in-progress"),
            encounter("AMB", 45, 45, "Tái khám tăng huyết áp", "BS. Lê Thu Hằng"),
            encounter("EMER", 200, 200, "Cơn tăng huyết áp", "BS. Trần Minh Quân"),
            encounter("AMB", 290, 290, "Tái khám đái tháo đường", "BS. Lê Thu Hằng"),
            encounter("IMP", 623, 618, "Viêm phổi thùy", "BS. Võ Văn Kiên"),
            encounter("AMB", 700, 700, "Đau khớp gối", "BS. Lê Thu Hằng"),
        ],
        documents=[
            text_note("Khám bệnh", "Lý do: chóng mặt, đau đầu vùng chẩm hai ngày nay.\nBệnh sử: quên uống thuốc huyết áp một tuần. Không yếu liệt, không nói khó, không đau ngực. Tiểu đêm 1 lần.\nKhám: tỉnh, tim đều, phổi trong, không phù, không dấu thần kinh khu trú.", days_ago(0.05), "BS. Trần Minh Quân"),
            text_note("Tái khám", "Huyết áp tại nhà 130–140/80–88 mmHg. Không hạ đường huyết. Tiếp tục thuốc cũ.", days_ago(45), "BS. Lê Thu Hằng"),
            paper("Giấy ra viện", "2025-03-14", "image/tiff"),
            paper("Phiếu chuyển cơ sở", "2025-03-14", "application/pdf"),
        ],
        studies=[
            {"resourceType": "ImagingStudy", "id": "i1", "status": "available", "started": "2026-10-08T02:00:00Z", "description": "X-quang ngực thẳng",
             "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3.4"}], "modality": [{"code": "DX"}], "numberOfInstances": 2},
        ],
        immunizations=[
            {"resourceType": "Immunization", "status": "completed", "vaccineCode": concept("Cúm mùa"), "occurrenceDateTime": "2025-10-12"},
            {"resourceType": "Immunization", "status": "completed", "vaccineCode": concept("Phế cầu PCV13"), "occurrenceDateTime": "2024-04-03"},
        ],
    )  # fmt: skip


_SUBJECT = {"AllergyIntolerance": "patient", "Immunization": "patient"}


def bundle(found: Gathered, *, patient_id: str) -> dict[str, Any]:
    """The patient with everything as one transaction, under an id of the test's choice."""
    lists = (
        found.allergies, found.conditions, found.medicines, found.observations, found.encounters, found.documents,
        found.studies, found.immunizations,
    )  # fmt: skip
    entries = [_entry({**found.patient, "id": patient_id}, "PUT", f"Patient/{patient_id}")]
    for number, item in enumerate(item for items in lists for item in items):
        own = {name: value for name, value in item.items() if name != "id"}
        own[_SUBJECT.get(own["resourceType"], "subject")] = {"reference": f"Patient/{patient_id}"}
        name = f"{patient_id[-12:]}-{number}"
        entries.append(_entry(own | {"id": name}, "PUT", f"{own['resourceType']}/{name}"))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _entry(resource: dict[str, Any], method: str, url: str) -> dict[str, Any]:
    return {"resource": resource, "request": {"method": method, "url": url}}

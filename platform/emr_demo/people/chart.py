"""One patient's record in the making: the Patient, the insurance, and what stands on the first page."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from emr_demo.people.diseases import disease
from emr_demo.people.fhir import (
    BHYT,
    CCCD,
    CVX,
    ETHNICITY,
    ETHNICITY_CODES,
    ICD10,
    RECORD_NUMBER,
    SNOMED,
    WARD,
    WARD_CODES,
    Resource,
    TransactionBundle,
    concept,
    hl7,
    refer,
)
from emr_demo.people.person import Allergy, Lasting, Person
from emr_demo.people.places import ETHNIC_GROUPS, PROVINCES, Address
from emr_demo.people.staff import PAYER, House


@dataclass
class Chart:
    """A patient's Bundle, and the addresses that later resources refer to."""

    person: Person
    house: House
    today: date
    rng: Random
    bundle: TransactionBundle
    patient: Resource = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    """ICD-10 code of a lasting disease → address of its Condition."""


def open_chart(rng: Random, person: Person, house: House, today: date) -> Chart:
    """Begin a record: Patient, Coverage, problems, allergies."""
    chart = Chart(person, house, today, rng, TransactionBundle(rng))
    url = chart.bundle.add(patient_resource(person, house))
    chart.patient = refer(url, person.name.text)
    if person.card is not None:
        _add_coverage(chart)
    for lasting in person.lasting:
        chart.problems[lasting.code] = add_problem(chart, lasting)
    for allergy in person.allergies:
        _add_allergy(chart, allergy)
    if person.none_known and not person.allergies:
        _add_no_allergy(chart)
    return chart


def patient_resource(person: Person, house: House) -> Resource:
    """The Patient: up to three identifiers, one official name, one address of two levels."""
    name, ethnicity = person.name, concept(ETHNICITY_CODES, person.ethnicity, ETHNIC_GROUPS[person.ethnicity])
    return {
        "resourceType": "Patient",
        "extension": [{"url": ETHNICITY, "valueCodeableConcept": ethnicity}],
        "identifier": _identifiers(person, house),
        "active": True,
        "name": [
            {
                "use": "official",
                "text": name.text,
                "family": name.family,
                "given": [part for part in (name.middle, name.given) if part],
            }
        ],
        "telecom": [{"system": "phone", "value": person.phone, "use": "mobile"}],
        "gender": "female" if person.female else "male",
        "birthDate": person.born.isoformat(),
        "address": [_address(person.address)],
        "managingOrganization": house.organization,
    }


def _identifiers(person: Person, house: House) -> list[Resource]:
    found = [
        {
            "use": "usual",
            "type": hl7("v2-0203", "MR", "Mã bệnh nhân"),
            "system": RECORD_NUMBER,
            "value": person.record_number,
            "assigner": house.organization,
        },
        {"use": "official", "type": hl7("v2-0203", "NI", "CCCD"), "system": CCCD, "value": person.cccd},
    ]
    if person.card is not None:
        period = {"start": person.card.starts.isoformat(), "end": person.card.ends.isoformat()}
        found.append(
            {"type": hl7("v2-0203", "HC", "Thẻ BHYT"), "system": BHYT, "value": person.card.number, "period": period}
        )
    return found


def _address(address: Address) -> Resource:
    """Province in `state`, ward in `city`: there is no level between them any more."""
    ward = address.ward
    return {
        "extension": [{"url": WARD, "valueCodeableConcept": concept(WARD_CODES, ward.code, ward.name)}],
        "use": "home",
        "text": address.text,
        "line": [address.line],
        "city": ward.name,
        "state": PROVINCES[ward.province],
        "country": "VN",
    }


def add_problem(chart: Chart, lasting: Lasting) -> str:
    """A lasting disease on the problem list."""
    entry = disease(lasting.code)
    resource: Resource = {
        "resourceType": "Condition",
        "clinicalStatus": hl7("condition-clinical", "active"),
        "verificationStatus": hl7("condition-ver-status", "confirmed"),
        "category": [hl7("condition-category", "problem-list-item", "Vấn đề sức khỏe")],
        "code": concept(ICD10, entry.code, entry.title),
        "subject": chart.patient,
        "onsetDateTime": lasting.since.isoformat(),
        "recordedDate": lasting.since.isoformat(),
    }
    if lasting.remark:
        resource["note"] = [{"text": lasting.remark}]
    return chart.bundle.add(resource)


def add_immunization(chart: Chart, vaccine: tuple[str, str], day: date, dose: int) -> str:
    """A vaccination by CVX code and Vietnamese name."""
    code, name = vaccine
    return chart.bundle.add(
        {
            "resourceType": "Immunization",
            "status": "completed",
            "vaccineCode": concept(CVX, code, name),
            "patient": chart.patient,
            "occurrenceDateTime": day.isoformat(),
            "primarySource": True,
            "lotNumber": f"TEST{chart.rng.randint(1000, 9999)}",
            "protocolApplied": [{"doseNumberPositiveInt": dose}],
        }
    )


def _add_coverage(chart: Chart) -> None:
    card = chart.person.card
    if card is None:
        return
    chart.bundle.add(
        {
            "resourceType": "Coverage",
            "identifier": [{"system": BHYT, "value": card.number}],
            "status": "active",
            "type": hl7("v3-ActCode", "PUBLICPOL", "Bảo hiểm y tế"),
            "subscriberId": card.number,
            "beneficiary": chart.patient,
            "period": {"start": card.starts.isoformat(), "end": card.ends.isoformat()},
            "payor": [refer(PAYER, "Bảo hiểm xã hội Việt Nam")],
        }
    )


def _add_no_allergy(chart: Chart) -> None:
    """Somebody asked, and there is none: FHIR R4, allergyintolerance.html#9.1.3.3."""
    chart.bundle.add(
        {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": hl7("allergyintolerance-clinical", "active"),
            "verificationStatus": hl7("allergyintolerance-verification", "confirmed"),
            "code": concept(SNOMED, "716186003", "Chưa ghi nhận dị ứng"),
            "patient": chart.patient,
            "recordedDate": max(chart.person.born, chart.today - timedelta(days=600)).isoformat(),
        }
    )


def _add_allergy(chart: Chart, allergy: Allergy) -> None:
    code, name = allergy.substance
    chart.bundle.add(
        {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": hl7("allergyintolerance-clinical", "active"),
            "verificationStatus": hl7("allergyintolerance-verification", "confirmed"),
            "type": "allergy",
            "category": [allergy.category],
            "criticality": "high" if allergy.dangerous else "low",
            "code": concept(SNOMED, code, name),
            "patient": chart.patient,
            "onsetDateTime": allergy.since.isoformat(),
            "recordedDate": allergy.since.isoformat(),
            "reaction": [
                {
                    "manifestation": [concept(SNOMED, *allergy.reaction)],
                    "severity": "severe" if allergy.dangerous else "mild",
                }
            ],
        }
    )

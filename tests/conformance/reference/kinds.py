"""One function for each type of resource that the generator knows."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.conformance.reference import vocabulary as v
from tests.conformance.reference.amounts import UCUM
from tests.conformance.reference.resources import Json, Maker, drop

_ACTIVE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
_LISTED = {"urn:lis": ("a", "c10"), "http://loinc.example": ("8867-4",), "urn:his": ("HH", "b")}


def patient(m: Maker) -> Json:
    dead: Json = m.pick(
        [{}, {}, {"deceasedBoolean": True}, {"deceasedBoolean": False}, {"deceasedDateTime": m.moment()}]
    )
    birth: Json = m.pick(
        [{"birthDate": m.date()}] * 5 + [{}, {"_birthDate": {"extension": [{"url": "urn:x", "valueString": "?"}]}}]
    )
    return dead | birth | drop(
        identifier=m.several(m.identifier, 3),
        active=m.some(0.6, m.pick([True, False])),
        name=m.several(m.name, 3),
        telecom=m.several(m.telecom, 3),
        gender=m.some(0.8, m.pick(["male", "female", "other", "unknown"])),
        address=m.several(m.address),
        communication=m.some(0.3, [{"language": m.concept()}]),
        generalPractitioner=m.some(0.5, [m.to("Practitioner", "Organization")]),
        managingOrganization=m.some(0.5, m.to("Organization")),
    )  # fmt: skip


def practitioner(m: Maker) -> Json:
    return drop(
        identifier=m.several(m.identifier),
        name=m.several(m.name),
        gender=m.some(0.7, m.pick(["male", "female"])),
        address=m.several(m.address),
        active=m.some(0.5, True),
        communication=m.some(0.3, [m.concept()]),
    )


def organization(m: Maker) -> Json:
    return drop(
        name=f"Khoa {m.phrase()}",
        alias=m.some(0.3, [m.phrase(), m.pick(v.CITIES)]),
        identifier=m.several(m.identifier),
        type=m.several(m.concept),
        address=m.several(m.address),
        partOf=m.some(0.6, m.to("Organization", aside=0)),
    )


def location(m: Maker) -> Json:
    return drop(
        status=m.some(0.7, m.pick(["active", "suspended"])),
        name=m.phrase(),
        partOf=m.some(0.5, m.to("Location", aside=0)),
        managingOrganization=m.some(0.5, m.to("Organization")),
        address=m.some(0.5, m.address()),
    )


def group(m: Maker) -> Json:
    return drop(
        type="person", actual=True, member=[{"entity": m.to("Patient", aside=0)}], code=m.some(0.5, m.concept())
    )


def encounter(m: Maker) -> Json:
    place = {"location": m.to("Location", aside=0), "period": m.period()}
    return drop(
        status=m.pick(["planned", "in-progress", "finished"]),
        class_={"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": m.pick(["AMB", "IMP"])},
        type=m.several(m.concept),
        subject=m.some(0.9, m.to("Patient", "Patient", "Group")),
        participant=m.some(0.5, [{"individual": m.to("Practitioner"), "type": [m.concept()]}]),
        period=m.some(0.8, m.period()),
        length=m.some(0.4, m.age() | {"code": m.pick(["min", "h", "d"])}),
        location=m.some(0.4, [place]),
        serviceProvider=m.some(0.4, m.to("Organization")),
        partOf=m.some(0.3, m.to("Encounter", aside=0)),
        reasonCode=m.several(m.concept),
    )


def condition(m: Maker) -> Json:
    onset: Json = m.pick(
        [
            {},
            {"onsetDateTime": m.moment()},
            {"onsetPeriod": m.period()},
            {"onsetAge": m.age()},
            {"onsetString": m.phrase()},
        ]
    )
    return onset | drop(
        clinicalStatus=_ACTIVE,
        code=m.some(0.9, m.concept()),
        severity=m.some(0.3, m.concept()),
        bodySite=m.several(m.concept),
        subject=m.to("Patient", "Patient", "Group"),
        encounter=m.some(0.5, m.to("Encounter", aside=0)),
        asserter=m.some(0.3, m.to("Practitioner", "Patient")),
        recordedDate=m.some(0.6, m.moment()),
        evidence=m.some(0.3, [{"code": [m.concept()]}]),
    )


def observation(m: Maker) -> Json:
    return _value(m) | m.pick(_effective(m)) | drop(
        status=m.pick(["final", "preliminary", "amended"]),
        identifier=m.several(m.identifier),
        category=m.several(m.concept),
        code=m.concept(),
        subject=m.some(0.95, m.to("Patient", "Patient", "Patient", "Group", "Location")),
        encounter=m.some(0.5, m.to("Encounter")),
        performer=m.several(lambda: m.to("Practitioner", "Organization", "Patient")),
        component=m.some(0.5, [_part(m) for _ in range(m.random.randint(1, 3))]),
        hasMember=m.some(0.2, [m.to("Observation")]),
        method=m.some(0.2, m.concept()),
    )  # fmt: skip


def _value(m: Maker) -> Json:
    kinds: list[tuple[str, Callable[[], Any]]] = [
        ("valueQuantity", m.quantity), ("valueQuantity", m.quantity), ("valueQuantity", m.quantity), ("valueCodeableConcept", m.concept),
        ("valueString", m.phrase), ("valueDateTime", m.moment), ("valuePeriod", m.period), ("valueSampledData", m.sampled), ("valueRange", m.range),
    ]  # fmt: skip
    name, make = m.pick(kinds)
    return {name: make()} if m.random.random() < 0.9 else {"dataAbsentReason": m.concept()}


def _part(m: Maker) -> Json:
    value = m.pick(
        [{"valueQuantity": m.quantity()}, {"valueQuantity": m.quantity()}, {"valueCodeableConcept": m.concept()}, {}]
    )
    return {"code": m.concept()} | value


def _effective(m: Maker) -> list[Json]:
    timing = drop(event=m.several(m.moment), repeat=m.some(0.5, {"boundsPeriod": m.period()})) or {"event": ["1980"]}
    return [
        {"effectiveDateTime": m.moment()}, {"effectiveDateTime": m.moment()}, {"effectivePeriod": m.period()},
        {"effectiveInstant": m.instant()}, {"effectiveTiming": timing}, {},
    ]  # fmt: skip


def medication_request(m: Maker) -> Json:
    dosage = [{"timing": {"event": [m.moment(), m.moment()]}, "text": m.phrase()}]
    return drop(
        status=m.pick(["active", "completed"]),
        intent=m.pick(["order", "plan"]),
        priority=m.some(0.3, m.pick(["routine", "stat"])),
        medicationCodeableConcept=m.concept(),
        subject=m.to("Patient", "Patient", "Group"),
        encounter=m.some(0.5, m.to("Encounter")),
        authoredOn=m.some(0.7, m.moment()),
        requester=m.some(0.6, m.to("Practitioner", "Organization")),
        dosageInstruction=m.some(0.5, dosage),
        identifier=m.several(m.identifier),
    )


def risk_assessment(m: Maker) -> Json:
    def prediction() -> Json:
        low = Decimal(m.pick(v.FRACTIONS))
        ends = [{"value": each, "system": UCUM, "code": "%"} for each in (low, low + Decimal("0.2"))]
        between = {"low": ends[0], "high": ends[1]}
        between = m.pick([between, {"low": between["low"]}, {"high": between["high"]}])
        chance: Json = m.pick(
            [{"probabilityDecimal": low}, {"probabilityDecimal": low}, {"probabilityRange": between}, {}]
        )
        return drop(outcome=m.concept(), qualitativeRisk=m.some(0.5, m.concept())) | chance

    return drop(
        status="final",
        subject=m.to("Patient", "Patient", "Group"),
        prediction=m.several(prediction, 3),
        occurrenceDateTime=m.some(0.7, m.moment()),
        condition=m.some(0.4, m.to("Condition", aside=0)),
        performer=m.some(0.4, m.to("Practitioner")),
        method=m.some(0.3, m.concept()),
    )


def value_set(m: Maker) -> Json:
    def context() -> Json:
        value = m.pick(
            [{"valueCodeableConcept": m.concept()}, {"valueQuantity": m.quantity()}, {"valueRange": m.range()}]
        )
        return {"code": drop(system="urn:lis", code=m.pick(["a", "b"]))} | value

    return drop(
        status=m.pick(["draft", "active"]),
        url=m.some(0.9, m.pick(v.URLS)),
        version=m.some(0.5, m.pick(["1", "2"])),
        name=m.some(0.5, "Bo_ma"),
        title=m.some(0.5, m.phrase()),
        date=m.some(0.5, m.moment()),
        description=m.some(0.5, m.phrase()),
        useContext=m.several(context, 3),
        jurisdiction=m.several(m.concept),
    )


def document_reference(m: Maker) -> Json:
    related = [
        {"code": m.pick(["replaces", "appends"]), "target": m.to("DocumentReference")}
        for _ in range(m.random.randint(1, 2))
    ]
    return drop(
        status=m.pick(["current", "superseded"]),
        identifier=m.several(m.identifier),
        masterIdentifier=m.some(0.3, m.identifier()),
        type=m.some(0.7, m.concept()),
        category=m.several(m.concept),
        subject=m.to("Patient", "Patient", "Group", "Practitioner"),
        date=m.some(0.7, m.instant()),
        author=m.some(0.4, [m.to("Practitioner", "Organization", "Patient")]),
        description=m.some(0.5, m.phrase()),
        content=[{"attachment": drop(contentType="text/plain", url=m.some(0.7, m.pick(v.URLS)), creation=m.moment())}],
        relatesTo=m.some(0.5, related),
        context=m.some(0.5, {"period": m.period(), "event": [m.concept()]}),
    )


def questionnaire_response(m: Maker) -> Json:
    return drop(
        status=m.pick(["completed", "in-progress"]),
        questionnaire=m.some(0.8, m.pick(v.URLS[:5]) + m.pick(["", "", "|1", "|2"])),
        subject=m.some(0.8, m.to("Patient")),
        authored=m.some(0.7, m.moment()),
        author=m.some(0.3, m.to("Practitioner", "Patient")),
    )


def list_(m: Maker) -> Json:
    entries = [
        {"item": m.to("Patient", "Observation", "Condition", "Encounter", aside=0)}
        for _ in range(m.random.randint(1, 5))
    ]
    return drop(
        status="current", mode="working", title=m.phrase(), code=m.some(0.5, m.concept()), entry=entries,
        date=m.some(0.6, m.moment()), note=m.some(0.4, [{"text": m.phrase()}]), subject=m.some(0.5, m.to("Patient")),
    )  # fmt: skip


MAKERS: dict[str, Callable[[Maker], Json]] = {
    "Organization": organization,
    "Practitioner": practitioner,
    "Location": location,
    "Patient": patient,
    "Group": group,
    "Encounter": encounter,
    "Condition": condition,
    "Observation": observation,
    "MedicationRequest": medication_request,
    "RiskAssessment": risk_assessment,
    "ValueSet": value_set,
    "DocumentReference": document_reference,
    "QuestionnaireResponse": questionnaire_response,
    "List": list_,
}


def fixed() -> list[Json]:
    """A value set and a small hierarchy of codes that the searches may name."""
    listed = {"resourceType": "ValueSet", "id": "listed", "url": "urn:reference:listed", "status": "active"}
    tree = {"resourceType": "CodeSystem", "id": "tree", "url": "urn:his", "status": "active", "content": "complete"}
    deep = {"code": "b", "concept": [{"code": "c1"}, {"code": "c10"}]}
    concepts = [{"code": "a", "concept": [deep, {"code": "HH"}]}, {"code": "A"}]
    include = [{"system": system, "concept": [{"code": code} for code in codes]} for system, codes in _LISTED.items()]
    return [listed | {"compose": {"include": include}}, tree | {"concept": concepts}]


LISTED = {(system, code) for system, codes in _LISTED.items() for code in codes}
BELOW = {"a": {"a", "b", "c1", "c10", "HH"}, "b": {"b", "c1", "c10"}, "c1": {"c1"}, "A": {"A"}}
ABOVE = {"c10": {"c10", "b", "a"}, "b": {"b", "a"}, "HH": {"HH", "a"}, "a": {"a"}, "c1": {"c1", "b", "a"}}

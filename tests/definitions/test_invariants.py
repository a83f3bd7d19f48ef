"""Constraints between elements: one resource that keeps each, one that breaks it."""

from typing import Any

import pytest

from emr.definitions import model
from emr.definitions.invariants import INVARIANTS
from emr.definitions.validate import validate
from emr.kernel.json import Number
from tests.definitions.samples import Json, observation, patient

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
ALLERGY_VERIFIED = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
LOINC = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def condition(**more: Any) -> Json:
    return {"resourceType": "Condition", "subject": {"reference": "Patient/p1"}, **more}


def allergy(**more: Any) -> Json:
    return {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p1"}, **more}


def timing(**more: Any) -> Json:
    return observation(effectiveTiming={"repeat": more})


def organization(**more: Any) -> Json:
    return {"resourceType": "Organization", "name": "Bệnh viện Hoa Sen", **more}


def parameters(**more: Any) -> Json:
    return {"resourceType": "Parameters", "parameter": [{"name": "a", **more}]}


def limits(low: Any, high: Any, unit: str = "mmol/L") -> Json:
    system = "http://unitsofmeasure.org"
    ends = {
        "low": {"value": low, "code": "mmol/L", "system": system},
        "high": {"value": high, "code": unit, "system": system},
    }
    return observation(valueRange=ends)


KEPT = [
    observation(dataAbsentReason={"text": "từ chối"}),
    observation(valueInteger=1, component=[{"code": {"text": "khác"}, "valueInteger": 2}]),
    observation(referenceRange=[{"text": "bình thường"}]),
    observation(valueRatio={"numerator": {"value": 1}, "denominator": {"value": 2}}),
    limits(1, Number("1.5")),
    limits(2, 1, "mg/dL"),
    timing(duration=2, durationUnit="h", period=1, periodUnit="d", periodMax=2, durationMax=3),
    timing(when=["ACM"], offset=10),
    timing(timeOfDay=["07:00:00"]),
    condition(clinicalStatus=coded(CLINICAL, "resolved"), abatementDateTime="2026"),
    condition(verificationStatus=coded(VERIFIED, "entered-in-error")),
    condition(evidence=[{"code": [{"text": "sốt"}]}], stage=[{"summary": {"text": "II"}}]),
    allergy(clinicalStatus=coded(ALLERGY, "active"), verificationStatus=coded(ALLERGY_VERIFIED, "confirmed")),
    allergy(verificationStatus=coded(ALLERGY_VERIFIED, "entered-in-error")),
    organization(telecom=[{"system": "phone", "value": "1", "use": "work"}]),
    patient(contact=[{"organization": {"reference": "Organization/o"}}]),
    parameters(valueString="x"),
    parameters(part=[{"name": "b", "valueCode": "c"}]),
    {"resourceType": "Group", "type": "person", "actual": True, "member": [{"entity": {"reference": "Patient/p1"}}]},
]
BROKEN = {
    "obs-6": observation(dataAbsentReason={"text": "x"}, valueInteger=1),
    "obs-7": observation(valueInteger=1, component=[{"code": LOINC, "valueInteger": 2}]),
    "obs-3": observation(referenceRange=[{"appliesTo": [{"text": "nam"}]}]),
    "rat-1": observation(valueRatio={"numerator": {"value": 1}}),
    "rng-2": limits(Number("2.1"), 2),
    "tim-1": timing(duration=2),
    "tim-2": timing(period=2),
    "tim-4": timing(duration=-2, durationUnit="h"),
    "tim-5": timing(period=Number("-0.5"), periodUnit="h"),
    "tim-6": timing(periodMax=2),
    "tim-7": timing(durationMax=2),
    "tim-8": timing(countMax=2),
    "tim-9": timing(offset=2),
    "tim-10": timing(timeOfDay=["07:00:00"], when=["ACM"]),
    "con-1": condition(stage=[{"type": {"text": "x"}}]),
    "con-2": condition(evidence=[{"id": "x"}]),
    "con-4": condition(clinicalStatus=coded(CLINICAL, "active"), abatementDateTime="2026"),
    "con-5": condition(
        clinicalStatus=coded(CLINICAL, "active"), verificationStatus=coded(VERIFIED, "entered-in-error")
    ),
    "ait-1": allergy(),
    "ait-2": allergy(
        clinicalStatus=coded(ALLERGY, "active"), verificationStatus=coded(ALLERGY_VERIFIED, "entered-in-error")
    ),
    "org-1": {"resourceType": "Organization", "active": True},
    "org-2": organization(address=[{"use": "home", "text": "x"}]),
    "org-3": organization(telecom=[{"use": "home", "system": "phone", "value": "1"}]),
    "pat-1": patient(contact=[{"gender": "male"}]),
    "inv-1": parameters(),
    "grp-1": {
        "resourceType": "Group",
        "type": "person",
        "actual": False,
        "member": [{"entity": {"reference": "Patient/p1"}}],
    },
}


class TestInvariants:
    @pytest.mark.parametrize("resource", KEPT)
    def test_kept(self, resource: Json) -> None:
        assert validate(resource) == []

    @pytest.mark.parametrize(("key", "resource"), BROKEN.items())
    def test_broken_and_named(self, key: str, resource: Json) -> None:
        issues = validate(resource)
        assert [issue.code for issue in issues] == ["invariant"]
        assert key in issues[0].message

    def test_each_is_about_a_type_that_exists(self) -> None:
        assert set(INVARIANTS) <= set(model.types())

    @pytest.mark.parametrize("name", sorted(INVARIANTS))
    @pytest.mark.parametrize("rubbish", [None, 3, "x", [], {}, [None], [{}], [3], {"coding": 3}, {"coding": [3, None]}])
    def test_rubbish_in_any_element_is_no_error(self, name: str, rubbish: Any) -> None:
        root = name.partition(".")[0]
        resource: Json = {key: rubbish for each in model.type_of(name).elements.values() for key in each.members()}
        for part in reversed(name.split(".")[1:]):
            resource = {part: [resource]}
        kind = root if root in model.resource_types() else "Basic"
        assert validate({**resource, "resourceType": kind})

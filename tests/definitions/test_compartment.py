"""Whose record a resource is in, and what it points to."""

import pytest

from emr.definitions.compartment import in_patient_compartment, patients_of, references
from tests.definitions.samples import Json, observation, patient

PLACEHOLDER = "urn:uuid:00000000-0000-4000-8000-000000000001"


class TestPatientsOf:
    @pytest.mark.parametrize(
        ("resource", "patients"),
        [
            (observation(), ["p1"]),
            (observation(performer=[{"reference": "Patient/p2"}, {"reference": "Practitioner/d"}]), ["p1", "p2"]),
            (observation(subject={"reference": "Device/d"}), []),
            (observation(subject={"reference": "https://other.example/Patient/p9"}), []),
            (patient(id="p1"), ["p1"]),
            (patient(id="p1", link=[{"other": {"reference": "Patient/p2"}, "type": "seealso"}]), ["p1", "p2"]),
            ({"resourceType": "Practitioner", "id": "d"}, []),
            ({"resourceType": "Appointment", "status": "booked", "participant": [
                {"actor": {"reference": "Patient/p1"}}, {"actor": {"reference": "Location/l"}}]}, ["p1"]),
            ({"resourceType": "AuditEvent", "agent": [{"who": {"reference": "Patient/p1"}}],
              "entity": [{"what": {"reference": "Patient/p2"}}]}, ["p1", "p2"]),
            ({"resourceType": "Group", "type": "person", "actual": True, "member": [{"entity": {"reference": "Patient/p3"}}]}, ["p3"]),
        ],
    )  # fmt: skip
    def test_by_the_parameters_of_the_definition(self, resource: Json, patients: list[str]) -> None:
        assert patients_of(resource["resourceType"], resource) == patients

    @pytest.mark.parametrize(("type_", "inside"), [("Patient", True), ("Observation", True), ("Encounter", True), ("ImagingStudy", True),
                                                   ("Organization", False), ("Practitioner", False), ("Medication", False)])  # fmt: skip
    def test_which_types_can_be_in_a_record(self, type_: str, *, inside: bool) -> None:
        assert in_patient_compartment(type_) is inside


class TestReferences:
    def test_every_one_with_its_place(self) -> None:
        resource = observation(
            contained=[{"resourceType": "Specimen", "id": "s", "subject": {"reference": "Patient/p1"}}],
            extension=[{"url": "http://a", "valueReference": {"reference": "Device/d"}}],
            performer=[{"reference": "Practitioner/1"}, {"display": "x"}, {"reference": "#s"}],
        )
        assert set(references(resource)) == {
            ("Observation.subject.reference", "Patient/p1"),
            ("Observation.contained[0].subject.reference", "Patient/p1"),
            ("Observation.extension[0].valueReference.reference", "Device/d"),
            ("Observation.performer[0].reference", "Practitioner/1"),
            ("Observation.performer[2].reference", "#s"),
        }

    def test_texts_that_only_have_the_name(self) -> None:
        issue = {"resourceType": "DetectedIssue", "status": "final", "reference": "http://a"}
        education = {"resourceType": "Immunization", "education": [{"reference": "http://a"}]}
        assert list(references(issue)) == []
        assert list(references(education)) == []

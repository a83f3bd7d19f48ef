"""Structural validation: what R4 allows passes, what it does not is named with its place."""

from typing import Any

import pytest

from emr.definitions import model
from emr.definitions.validate import demand_envelope, demand_valid, validate
from emr.kernel.errors import Invalid, Malformed, TooLarge
from tests.definitions.samples import Json, observation, patient

ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}


def faults(resource: Any, **more: Any) -> list[tuple[str, str | None]]:
    return [(issue.code, issue.location) for issue in validate(resource, **more)]


class TestResourceTypes:
    def test_all_of_r4_are_there(self) -> None:
        assert len(model.resource_types()) == 146

    @pytest.mark.parametrize("name", sorted(model.resource_types()))
    def test_each_type_takes_an_id_and_refuses_what_it_does_not_know(self, name: str) -> None:
        found = faults({"resourceType": name, "id": "a", "isAdmin": True})
        assert ("unknown-element", f"{name}.isAdmin") in found
        assert all(code in {"required", "unknown-element", "invariant"} for code, _ in found)

    @pytest.mark.parametrize("resource", [None, [], "x", 3, {}, {"resourceType": 3}, {"resourceType": ["Patient"]}])
    def test_what_is_no_resource_is_said_to_be_none(self, resource: Any) -> None:
        assert [code for code, _ in faults(resource)] == ["resource-type"]

    @pytest.mark.parametrize(
        "name", ["Pateint", "Resource", "DomainResource", "HumanName", "Patient.contact", "string"]
    )
    def test_only_types_that_can_be_stored_are_resources(self, name: str) -> None:
        assert faults({"resourceType": name}) == [("resource-type", "resourceType")]

    def test_another_type_than_expected(self) -> None:
        assert faults(observation(), expected_type="Patient") == [("resource-type", "Observation.resourceType")]


class TestElements:
    @pytest.mark.parametrize(
        ("more", "code", "location"),
        [
            ({"foo": 1}, "unknown-element", "Patient.foo"),
            ({"_foo": {"id": "a"}}, "unknown-element", "Patient._foo"),
            ({"bad key": 1}, "unknown-element", "Patient.?"),
            ({"name": [{"family": "A", "nick": "B"}]}, "unknown-element", "Patient.name[0].nick"),
            ({"_name": [{"id": "a"}]}, "unknown-element", "Patient._name"),
            ({"name": {"family": "Lê"}}, "cardinality", "Patient.name"),
            ({"gender": ["male"]}, "cardinality", "Patient.gender"),
            ({"maritalStatus": [{}]}, "cardinality", "Patient.maritalStatus"),
            ({"name": []}, "empty", "Patient.name"),
            ({"name": [{}]}, "empty", "Patient.name[0]"),
            ({"name": [{"family": ""}]}, "empty", "Patient.name[0].family"),
            ({"name": [{"family": None}]}, "format", "Patient.name[0].family"),
            ({"name": [None]}, "wrong-type", "Patient.name[0]"),
            ({"name": ["An"]}, "wrong-type", "Patient.name[0]"),
            ({"name": [{"given": []}]}, "empty", "Patient.name[0].given"),
            ({"name": [{"given": [None]}]}, "empty", "Patient.name[0].given[0]"),
            ({"name": [{"given": [["An"]]}]}, "cardinality", "Patient.name[0].given[0]"),
            ({"name": [{"family": 3}]}, "format", "Patient.name[0].family"),
            ({"name": [{"family": {"a": 1}}]}, "format", "Patient.name[0].family"),
            ({"active": "true"}, "format", "Patient.active"),
            ({"active": 1}, "format", "Patient.active"),
            ({"birthDate": 19850315}, "format", "Patient.birthDate"),
            ({"gender": "nam"}, "code", "Patient.gender"),
            ({"gender": {"a": 1}}, "code", "Patient.gender"),
            ({"id": "a" * 65}, "format", "Patient.id"),
            ({"id": "../x"}, "format", "Patient.id"),
            ({"communication": [{"preferred": True}]}, "required", "Patient.communication[0].language"),
            ({"contact": [{"gender": "male"}]}, "invariant", "Patient.contact[0]"),
            ({"telecom": [{"value": "0900"}]}, "invariant", "Patient.telecom[0]"),
            ({"name": [{"family": "x" * (1024 * 1024 + 1)}]}, "too-long", "Patient.name[0].family"),
            ({"name": [{"family": "a\u0007b"}]}, "format", "Patient.name[0].family"),
            ({"deceasedBoolean": True, "deceasedDateTime": "2020"}, "choice", "Patient.deceased"),
            ({"deceasedString": "yes"}, "choice", "Patient.deceasedString"),
            ({"deceased": True}, "unknown-element", "Patient.deceased"),
        ],
    )
    def test_a_fault_is_named_with_its_place(self, more: Json, code: str, location: str) -> None:
        assert faults(patient(**more)) == [(code, location)]

    def test_required_elements_of_the_root(self) -> None:
        assert faults({"resourceType": "Observation"}) == [
            ("required", "Observation.status"),
            ("required", "Observation.code"),
        ]

    def test_a_required_choice(self) -> None:
        found = faults(
            {"resourceType": "MedicationStatement", "status": "active", "subject": {"reference": "Patient/1"}}
        )
        assert found == [("required", "MedicationStatement.medication")]

    def test_at_most_a_hundred_issues(self) -> None:
        assert len(validate(patient(name=[{}] * 500))) == 100

    def test_messages_hold_no_values(self) -> None:
        issues = validate(patient(birthDate="Nguyen", gender="Nguyen", id="Nguyen!", link=["Nguyen"]))
        assert len(issues) == 4
        assert not any("Nguyen" in issue.message for issue in issues)

    def test_depth_that_the_codec_lets_through_is_no_problem(self) -> None:
        extension: Json = {"url": "http://a", "valueString": "x"}
        for _ in range(30):
            extension = {"url": "http://a", "extension": [extension]}
        assert faults(patient(extension=[extension])) == []


class TestCompanions:
    def test_an_extension_on_a_primitive(self) -> None:
        assert faults(patient(birthDate="1980", _birthDate={"id": "a", **ABSENT})) == []

    def test_an_extension_instead_of_a_required_primitive(self) -> None:
        resource = observation(_status=ABSENT)
        del resource["status"]
        assert faults(resource) == []

    def test_lists_with_gaps_on_either_side(self) -> None:
        assert faults(patient(name=[{"given": ["An", None], "_given": [None, ABSENT]}])) == []

    @pytest.mark.parametrize(
        ("name", "code", "location"),
        [
            ({"given": ["An", None], "_given": [ABSENT, None]}, "empty", "Patient.name[0].given[1]"),
            ({"given": ["An"], "_given": [None, ABSENT]}, "cardinality", "Patient.name[0].given"),
            ({"given": ["An"], "_given": ABSENT}, "cardinality", "Patient.name[0]._given"),
            ({"_given": [None]}, "empty", "Patient.name[0].given[0]"),
            ({"family": "A", "_family": {}}, "empty", "Patient.name[0].family"),
            ({"family": "A", "_family": {"value": "x"}}, "unknown-element", "Patient.name[0].family.value"),
            ({"family": "A", "_family": [ABSENT]}, "cardinality", "Patient.name[0].family"),
        ],
    )
    def test_companions_that_do_not_fit(self, name: Json, code: str, location: str) -> None:
        assert faults(patient(name=[name])) == [(code, location)]


class TestChoices:
    @pytest.mark.parametrize(
        "value",
        [
            {"valueQuantity": {"value": 1, "comparator": "<"}},
            {"valueString": "x"},
            {"valueBoolean": False},
            {"valueInteger": -3},
            {"valueTime": "07:30:00"},
            {"valuePeriod": {"start": "2020"}},
            {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}},
        ],
    )
    def test_each_allowed_type(self, value: Json) -> None:
        assert faults(observation(**value)) == []

    @pytest.mark.parametrize("value", [{"valueCode": "x"}, {"valueAddress": {"text": "x"}}, {"valueDecimal": 1}])
    def test_a_type_that_is_not_allowed_here(self, value: Json) -> None:
        assert [code for code, _ in faults(observation(**value))] == ["choice"]

    def test_two_values(self) -> None:
        assert faults(observation(valueString="x", valueInteger=1)) == [("choice", "Observation.value")]

    def test_a_value_and_a_reason_for_its_absence(self) -> None:
        reason = {"text": "không đo được"}
        assert faults(observation(valueString="x", dataAbsentReason=reason)) == [("invariant", "Observation")]

    def test_a_simple_quantity_has_the_name_of_a_quantity_and_no_comparator(self) -> None:
        dose = {"value": 1, "comparator": "<"}
        medication = {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": "Paracetamol"},
            "subject": {"reference": "Patient/1"},
            "dosageInstruction": [{"doseAndRate": [{"doseQuantity": dose}]}],
        }
        assert [code for code, _ in faults(medication)] == ["invariant"]
        del dose["comparator"]
        assert faults(medication) == []


class TestExtensions:
    @pytest.mark.parametrize(
        "extension",
        [
            {"url": "http://a", "valueString": "x"},
            {"url": "http://a", "extension": [{"url": "b", "valueCode": "c"}]},
            {"url": "http://a", "_valueString": ABSENT},
            {"url": "http://a", "valueReference": {"reference": "Patient/1"}},
        ],
    )
    def test_a_value_or_extensions(self, extension: Json) -> None:
        assert faults(patient(extension=[extension])) == []

    @pytest.mark.parametrize(
        ("extension", "code"),
        [
            ({"url": "http://a"}, "extension"),
            ({"url": "http://a", "valueString": "x", "extension": [{"url": "b", "valueCode": "c"}]}, "extension"),
            ({"valueString": "x"}, "required"),
            ({"url": "a b", "valueString": "x"}, "format"),
            ({"url": "http://a", "valueString": "x", "valueCode": "y"}, "choice"),
            ({"url": "http://a", "valueNarrative": {}}, "choice"),
        ],
    )
    def test_what_is_refused(self, extension: Json, code: str) -> None:
        assert code in [found for found, _ in faults(patient(extension=[extension]))]


class TestCodes:
    def test_a_concept_with_one_coding_of_the_required_set(self) -> None:
        status = {"coding": [{"system": "http://x", "code": "y"}, _clinical("active")]}
        assert faults(_condition(clinicalStatus=status)) == []

    @pytest.mark.parametrize(
        "status",
        [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "ongoing"}]},
            {"coding": [{"code": "active"}]},
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
                ]
            },
            {"text": "đang mắc"},
        ],
    )
    def test_a_concept_outside_the_required_set(self, status: Json) -> None:
        assert faults(_condition(clinicalStatus=status)) == [("code", "Condition.clinicalStatus")]

    def test_any_language_and_any_media_type_since_those_sets_are_open(self) -> None:
        attachment = {"contentType": "application/pdf", "language": "vi", "title": "Giấy ra viện"}
        assert faults(patient(photo=[attachment])) == []


def _clinical(code: str) -> Json:
    return {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": code}


def _condition(**more: Any) -> Json:
    return {"resourceType": "Condition", "subject": {"reference": "Patient/p1"}, **more}


class TestReferences:
    @pytest.mark.parametrize(
        "reference",
        [
            "Patient/p1",
            "Patient/p1/_history/3",
            "https://other.example/fhir/Patient/p1",
            "urn:uuid:00000000-0000-4000-8000-000000000001",
            "urn:oid:1.2.3",
            "Patient?identifier=a|b",
        ],
    )
    def test_forms_that_exist(self, reference: str) -> None:
        assert faults(observation(subject={"reference": reference})) == []

    @pytest.mark.parametrize(
        "reference",
        ["../../hospital-b/fhir/Patient/p1", "/Patient/p1", "Patient", "Patient/", "Pateint/p1", "p1", "Patient/p1/x",
         "Patient/p 1", "javascript:alert(1)", "file:///etc/passwd", "Patient/" + "a" * 65, "//x/Patient/1", "\\\\x\\y"],
    )  # fmt: skip
    def test_forms_that_do_not(self, reference: str) -> None:
        assert ("reference", "Observation.subject.reference") in faults(observation(subject={"reference": reference}))

    def test_a_type_that_the_element_does_not_take(self) -> None:
        assert faults(observation(subject={"reference": "Practitioner/d1"})) == [("reference", "Observation.subject")]
        assert faults(observation(subject={"type": "Medication", "display": "x"})) == [
            ("reference", "Observation.subject")
        ]

    def test_a_type_that_contradicts_the_reference(self) -> None:
        subject = {"reference": "Patient/p1", "type": "Group"}
        assert faults(observation(subject=subject)) == [("reference", "Observation.subject.type")]

    def test_a_logical_reference(self) -> None:
        assert faults(observation(subject={"type": "Patient", "identifier": {"value": "1"}})) == []

    def test_any_type_where_the_element_takes_any(self) -> None:
        assert faults(observation(focus=[{"reference": "Medication/m1"}])) == []


class TestContained:
    def test_a_contained_resource_and_its_reference(self) -> None:
        inner = {"resourceType": "Practitioner", "id": "d", "name": [{"family": "Trần"}]}
        assert faults(observation(contained=[inner], performer=[{"reference": "#d"}])) == []

    @pytest.mark.parametrize(
        ("inner", "code"),
        [
            ({"resourceType": "Practitioner"}, "contained"),
            (
                {"resourceType": "Practitioner", "id": "d", "contained": [{"resourceType": "Patient", "id": "p"}]},
                "contained",
            ),
            ({"resourceType": "Practitioner", "id": "d", "meta": {"versionId": "1"}}, "contained"),
            ({"resourceType": "Practitioner", "id": "d", "foo": 1}, "unknown-element"),
            ({"id": "d"}, "resource-type"),
            ("x", "resource-type"),
        ],
    )
    def test_what_is_refused(self, inner: Any, code: str) -> None:
        found = validate(observation(contained=[inner]))
        assert (code, True) in [(each.code, "contained[0]" in (each.location or "")) for each in found]

    def test_a_local_reference_without_its_resource(self) -> None:
        assert faults(observation(performer=[{"reference": "#d"}])) == [
            ("reference", "Observation.performer[0].reference")
        ]

    def test_a_contained_resource_may_refer_to_the_one_around_it(self) -> None:
        inner = {"resourceType": "Provenance", "id": "v", "target": [{"reference": "#"}], "recorded": "2026-01-01T00:00:00Z",
                 "agent": [{"who": {"reference": "Practitioner/d1"}}]}  # fmt: skip
        assert faults(observation(contained=[inner])) == []


class TestAttachments:
    def test_data_with_its_size_and_hash(self) -> None:
        good = {"contentType": "text/plain", "data": "aGVsbG8=", "size": 5, "hash": "qvTGHdzF6KLavt4PO0gs2a6pQ00="}
        assert faults(patient(photo=[good])) == []

    def test_data_over_several_lines(self) -> None:
        assert faults(patient(photo=[{"contentType": "text/plain", "data": "aGVs\r\n bG8="}])) == []

    @pytest.mark.parametrize(
        ("attachment", "location"),
        [
            ({"contentType": "text/plain", "data": "@@@not-base64@@@"}, "Patient.photo[0].data"),
            ({"contentType": "text/plain", "data": "aGVsbG8"}, "Patient.photo[0].data"),
            ({"contentType": "text/plain", "data": "aGVsbG8=", "size": 10}, "Patient.photo[0].size"),
            ({"contentType": "text/plain", "data": "aGVsbG8=", "hash": "AAAA"}, "Patient.photo[0].hash"),
            ({"data": "aGVsbG8="}, "Patient.photo[0]"),
        ],
    )
    def test_data_that_does_not_fit(self, attachment: Json, location: str) -> None:
        assert [place for _, place in faults(patient(photo=[attachment]))] == [location]

    def test_an_address_is_only_text(self) -> None:
        assert faults(patient(photo=[{"url": "http://169.254.169.254/latest/meta-data/"}])) == []


class TestPeriods:
    @pytest.mark.parametrize(
        "period",
        [
            {"start": "2026-01-01", "end": "2026-01-01"},
            {"start": "2026-01", "end": "2026-01-31"},
            {"start": "2026-01-31", "end": "2026-01"},
            {"start": "2026-01-02T01:00:00+07:00", "end": "2026-01-01T19:00:00Z"},
            {"start": "2026-01-01T08:00:60+07:00", "end": "2026-01-01T08:01:00+07:00"},
        ],
    )
    def test_a_start_before_its_end(self, period: Json) -> None:
        assert faults(observation(effectivePeriod=period)) == []

    @pytest.mark.parametrize(
        "period",
        [
            {"start": "2026-01-02", "end": "2026-01-01"},
            {"start": "2026-02", "end": "2026-01-31"},
            {"start": "2026-01-01T08:00:00.001+07:00", "end": "2026-01-01T08:00:00+07:00"},
            {"start": "2024-12-31T23:59:59-12:00", "end": "2025-01-01T00:00:00+14:00"},
        ],
    )
    def test_an_end_before_its_start(self, period: Json) -> None:
        assert faults(observation(effectivePeriod=period)) == [
            ("invariant", "Observation.effectivePeriod".removesuffix("Period"))
        ]


class TestDemandEnvelope:
    def test_resources_are_left_to_their_entries(self) -> None:
        entry = {"resource": patient(foo=1), "request": {"method": "POST", "url": "Patient"}}
        demand_envelope({"resourceType": "Bundle", "type": "batch", "entry": [entry]})

    @pytest.mark.parametrize("entry", [None, 3, {}, {"resource": 3}, {"resource": patient()}, {"foo": 1}])
    def test_the_entries_themselves_are_checked(self, entry: Any) -> None:
        with pytest.raises(Invalid):
            demand_envelope({"resourceType": "Bundle", "type": "batch", "entry": [entry]})


class TestDemandValid:
    def test_a_good_resource_passes(self) -> None:
        demand_valid(patient(), expected_type="Patient")

    @pytest.mark.parametrize(
        ("resource", "kind"),
        [
            (observation(), Malformed),
            ({"resourceType": "Pateint"}, Malformed),
            (patient(foo=1), Invalid),
            (patient(name=[{"family": "x" * (1024 * 1024 + 1)}]), TooLarge),
        ],
    )
    def test_a_bad_one_is_refused_by_kind(self, resource: Json, kind: type[Exception]) -> None:
        with pytest.raises(kind) as caught:
            demand_valid(resource, expected_type="Patient")
        assert type(caught.value) is kind

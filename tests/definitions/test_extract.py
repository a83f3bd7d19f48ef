"""Index values: one of each data type, by the rules of https://hl7.org/fhir/R4/search.html."""

from datetime import UTC, datetime
from typing import Any

import pytest

from emr.definitions.dates import FAR_FUTURE, FAR_PAST
from emr.definitions.extract import extract, identifiers
from emr.definitions.search import number_of, parameter
from emr.definitions.values import Date, Identifier, Named, OfType, Token, Words
from tests.definitions.samples import Json, observation, patient

OTHERS = (Named, OfType, Words)


def of(resource: Json, name: str, *kinds: type) -> list[Any]:
    """What the index holds where a parameter looks, without paths; of some kinds, or of all but those of modifiers."""
    known = parameter(resource["resourceType"], name)
    assert known is not None
    values = [each for each in extract(resource["resourceType"], resource).values if each.path in known.paths]
    return [tuple(each)[1:] for each in values if (isinstance(each, kinds) if kinds else not isinstance(each, OTHERS))]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


class TestTokens:
    def test_each_coding_of_a_concept(self) -> None:
        codings = [{"system": "http://loinc.org", "code": "8867-4"}, {"code": "HR"}, {"display": "nhịp tim"}]
        resource = observation(code={"coding": codings, "text": "Mạch"})
        assert of(resource, "code") == [("http://loinc.org", "8867-4"), (None, "HR")]

    def test_a_code_has_the_system_of_its_value_set(self) -> None:
        assert of(patient(), "gender") == [("http://hl7.org/fhir/administrative-gender", "male")]

    def test_an_identifier(self) -> None:
        resource = patient(identifier=[{"system": "urn:s", "value": "7"}, {"value": "8"}, {"system": "urn:s"}])
        assert of(resource, "identifier") == [("urn:s", "7"), (None, "8")]
        assert identifiers(resource) == [Identifier("urn:s", "7"), Identifier(None, "8")]

    def test_an_identifier_that_stands_once(self) -> None:
        bundle = {"resourceType": "Bundle", "type": "collection", "identifier": {"value": "b"}}
        assert identifiers(bundle) == [Identifier(None, "b")]

    def test_a_contact_by_its_system(self) -> None:
        resource = patient(telecom=[{"system": "phone", "value": "0900"}, {"system": "email", "value": "a@b"}])
        assert of(resource, "phone") == [(None, "0900")]
        assert of(resource, "email") == [(None, "a@b")]
        assert len(of(resource, "telecom")) == 2

    def test_a_boolean(self) -> None:
        assert of(patient(active=False), "active") == [(None, "false")]

    @pytest.mark.parametrize(
        ("more", "dead"),
        [
            ({}, "false"),
            ({"deceasedBoolean": False}, "false"),
            ({"deceasedBoolean": True}, "true"),
            ({"deceasedDateTime": "2020"}, "true"),
        ],
    )
    def test_whether_a_patient_has_died(self, more: Json, dead: str) -> None:
        assert of(patient(**more), "deceased", Token) == [(None, dead)]

    def test_tags_and_security_labels(self) -> None:
        resource = patient(
            meta={"tag": [{"system": "a", "code": "b"}], "security": [{"code": "R"}], "profile": ["http://p"]}
        )
        assert of(resource, "_tag") == [("a", "b")]
        assert of(resource, "_security") == [(None, "R")]
        assert of(resource, "_profile") == [("http://p",)]

    def test_codes_of_components(self) -> None:
        part = {"code": {"coding": [{"code": "8480-6"}]}}
        resource = observation(component=[part, part])
        assert of(resource, "component-code") == [(None, "8480-6")]
        assert (None, "8480-6") in of(resource, "combo-code")


class TestStrings:
    def test_every_part_of_a_name_folded_and_as_sent(self) -> None:
        assert set(of(patient(), "name")) == {
            ("nguyen", "Nguyễn"),
            ("van", "Văn"),
            ("an", "An"),
        }
        assert of(patient(), "family") == [("nguyen", "Nguyễn")]

    def test_gaps_in_a_list_are_passed_over(self) -> None:
        resource = patient(name=[{"given": ["An", None], "_given": [None, {"id": "x"}]}])
        assert of(resource, "given") == [("an", "An")]

    def test_an_address(self) -> None:
        resource = patient(address=[{"line": ["12 Lê Lợi"], "city": "Huế"}])
        assert of(resource, "address-city") == [("hue", "Huế")]
        assert ("12 le loi", "12 Lê Lợi") in of(resource, "address")


class TestDates:
    def test_a_day_in_the_zone_of_the_hospital(self) -> None:
        resource = patient(birthDate="1985-03-15")
        assert of(resource, "birthdate") == [(utc(1985, 3, 14, 17), utc(1985, 3, 15, 17))]
        expected = Date("Patient.birthDate", utc(1985, 3, 15), utc(1985, 3, 16))
        assert extract("Patient", resource, UTC).values.count(expected) == 1

    @pytest.mark.parametrize(
        ("period", "low", "high"),
        [
            (
                {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"},
                utc(2026, 1, 1),
                utc(2026, 1, 2, 0, 0, 1),
            ),
            ({"start": "2026-01-01T00:00:00Z"}, utc(2026, 1, 1), FAR_FUTURE),
            ({"end": "2026-01-01T00:00:00Z"}, FAR_PAST, utc(2026, 1, 1, 0, 0, 1)),
        ],
    )
    def test_a_period_with_open_ends(self, period: Json, low: datetime, high: datetime) -> None:
        assert of(observation(effectivePeriod=period), "date") == [(low, high)]

    def test_the_outer_bounds_of_a_timing(self) -> None:
        timing = {
            "event": ["2026-01-03T00:00:00Z", "2026-01-01T00:00:00Z"],
            "repeat": {"boundsPeriod": {"end": "2026-02-01T00:00:00Z"}},
        }
        assert of(observation(effectiveTiming=timing), "date") == [(FAR_PAST, utc(2026, 2, 1, 0, 0, 1))]

    def test_a_timing_without_dates(self) -> None:
        assert of(observation(effectiveTiming={"code": {"text": "sáng"}}), "date") == []


class TestLinks:
    def test_a_relative_reference(self) -> None:
        assert of(observation(), "patient") == [("Patient", "p1", None)]
        assert of(observation(), "subject") == [("Patient", "p1", None)]

    def test_a_version_is_not_part_of_the_target(self) -> None:
        resource = observation(subject={"reference": "Patient/p1/_history/2"})
        assert of(resource, "subject") == [("Patient", "p1", None)]

    def test_a_reference_to_another_type_is_no_patient(self) -> None:
        """Both parameters share the row; who asks for patients looks for targets of that type."""
        resource = observation(subject={"reference": "Device/d1"})
        assert of(resource, "subject") == [("Device", "d1", None)]
        present = extract("Observation", resource).present
        assert number_of("subject") in present
        assert number_of("patient") not in present

    def test_what_is_meant_by_an_identifier(self) -> None:
        resource = observation(subject={"identifier": {"system": "urn:s", "value": "7"}})
        assert of(resource, "subject", Named) == [("urn:s", "7")]

    def test_an_address_elsewhere_with_a_stated_type(self) -> None:
        subject = {"reference": "https://other.example/Patient/1", "type": "Patient"}
        assert of(observation(subject=subject), "patient") == [(None, None, "https://other.example/Patient/1")]

    @pytest.mark.parametrize("subject", [{"display": "An"}, {"reference": "#a"}, {"identifier": {"value": "1"}}])
    def test_what_points_nowhere(self, subject: Json) -> None:
        assert of(observation(subject=subject), "subject") == []

    def test_a_canonical_is_found_with_and_without_its_version(self) -> None:
        resource = {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "http://q|2"}
        assert [url for _, _, url in of(resource, "questionnaire")] == ["http://q|2", "http://q"]


class TestWalk:
    def test_each_value_once(self) -> None:
        coding = {"system": "a", "code": "b"}
        found = extract(
            "Observation", observation(category=[{"coding": [coding, coding]}, {"coding": [coding]}])
        ).values
        assert len(found) == len(set(found))

    def test_identity_is_left_to_the_store(self) -> None:
        resource = patient(id="p1", meta={"versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z"})
        assert of(resource, "_id") == []
        assert of(resource, "_lastUpdated") == []

    def test_parameters_of_one_element_share_its_rows(self) -> None:
        paths = [each.path for each in extract("Observation", observation()).values]
        assert paths.count("Observation.subject") == 1
        assert paths.count("Observation.code") == 1

    def test_an_element_is_present_whatever_it_holds(self) -> None:
        resource = observation(code={"text": "Mạch"}, subject={"display": "An"})
        present = extract("Observation", resource).present
        assert {number_of("code"), number_of("subject")} <= present
        assert number_of("patient") not in present
        assert number_of("date") not in present

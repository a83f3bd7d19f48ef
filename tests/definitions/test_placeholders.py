"""Placeholders of a transaction, wherever they may stand (FHIR R4, http.html#trules)."""

import copy
from typing import Any

import pytest

from emr.definitions.placeholders import replace_placeholders
from tests.definitions.samples import observation

NAME = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
KNOWN = {NAME: "Patient/9", "urn:oid:1.2.3": "Organization/3", "http://other.example/fhir/Patient/7": "Patient/77"}

Json = dict[str, Any]


def replaced(resource: Json, full_url: str | None = None) -> Json:
    done = copy.deepcopy(resource)
    replace_placeholders(done, KNOWN, full_url)
    return done


class TestWhere:
    @pytest.mark.parametrize(
        "part",
        [
            {"subject": {"reference": NAME}},
            {"performer": [{"display": "x"}, {"reference": NAME}]},
            {"component": [{"extension": [{"url": "urn:x", "valueReference": {"reference": NAME}}]}]},
            {"extension": [{"url": "urn:x", "valueUri": NAME}]},
            {"extension": [{"url": "urn:x", "valueUrl": NAME}]},
            {"extension": [{"url": "urn:x", "valueCanonical": NAME}]},
            {"extension": [{"url": "urn:x", "valueUuid": NAME}]},
            {"_status": {"extension": [{"url": "urn:x", "valueUri": NAME}]}},
            {"contained": [{"resourceType": "Library", "id": "a", "relatedArtifact": [{"resource": NAME}]}]},
            {"meta": {"profile": ["urn:y", NAME]}},
        ],
        ids=str,
    )
    def test_in_references_and_elements_that_hold_addresses(self, part: Json) -> None:
        assert str(replaced(observation(**part))) == str(observation(**part)).replace(NAME, "Patient/9")

    @pytest.mark.parametrize(
        "part",
        [
            {"identifier": [{"system": "urn:ietf:rfc:3986", "value": NAME}]},
            {"identifier": [{"system": NAME, "value": "x"}]},
            {"valueString": NAME},
            {"note": [{"text": NAME}]},
            {"extension": [{"url": "urn:x", "valueString": NAME}]},
            {"subject": {"display": NAME}},
            {"subject": {"reference": "urn:uuid:11111111-bfdc-4613-8bf2-c5e300945f0a"}},
        ],
        ids=str,
    )
    def test_not_in_texts_and_identifiers(self, part: Json) -> None:
        assert replaced(observation(**part)) == observation(**part)

    def test_in_the_links_of_a_narrative_and_not_in_its_text(self) -> None:
        div = "<div><a href=\"{0}\">{1}</a><img src='{0}'/></div>"
        text = {"status": "generated", "div": div.format(NAME, NAME)}
        assert replaced(observation(text=text))["text"]["div"] == div.format("Patient/9", NAME)


class TestNames:
    @pytest.mark.parametrize(
        ("text", "new"),
        [
            ("urn:oid:1.2.3", "Organization/3"),
            ("http://other.example/fhir/Patient/7", "Patient/77"),
            ("http://other.example/fhir/Patient/7/_history/2", "Patient/77/_history/2"),
            (f"{NAME}#part", "Patient/9#part"),
            ("http://other.example/fhir/Patient/8", "http://other.example/fhir/Patient/8"),
            ("Patient/7", "Patient/7"),
            ("#part", "#part"),
        ],
    )
    def test_whole_with_what_stands_behind_them(self, text: str, new: str) -> None:
        assert replaced(observation(subject={"reference": text}))["subject"] == {"reference": new}

    def test_relative_to_the_entrys_own_address(self) -> None:
        sent = observation(subject={"reference": "Patient/7"})
        here = replaced(sent, "http://other.example/fhir/Observation/1")
        assert here["subject"]["reference"] == "Patient/77"
        assert replaced(sent, "http://third.example/fhir/Observation/1") == sent
        assert replaced(sent, NAME) == sent

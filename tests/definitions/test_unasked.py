"""References that no search parameter asks for are links all the same."""

import pytest

from emr.definitions.extract import extract
from emr.definitions.model import resource_types
from emr.definitions.unasked import reference_steps, unasked_path
from emr.definitions.values import Link

ENCOUNTER = {
    "resourceType": "Encounter",
    "id": "e",
    "meta": {"versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z"},
    "status": "finished",
    "class": {"code": "IMP"},
    "subject": {"reference": "Patient/p"},
    "identifier": [{"value": "1", "assigner": {"reference": "Organization/a"}}],
    "hospitalization": {
        "origin": {"reference": "Location/o"},
        "destination": {"reference": "https://elsewhere.example/Location/d"},
    },
}


def links(path: str) -> set[tuple[str | None, str | None]]:
    found = extract("Encounter", ENCOUNTER).values
    return {(each.target_type, each.target_id) for each in found if isinstance(each, Link) and each.path == path}


class TestReferenceSteps:
    def test_nested_elements_and_data_types_are_followed(self) -> None:
        found = set(reference_steps("Encounter"))
        assert {("subject",), ("hospitalization", "origin"), ("identifier", "assigner")} <= found

    def test_an_element_that_holds_itself_is_followed_once(self) -> None:
        assert len(list(reference_steps("Questionnaire"))) < 50

    @pytest.mark.parametrize("kind", sorted(resource_types()))
    def test_every_type_has_an_end(self, kind: str) -> None:
        assert len(set(reference_steps(kind))) == len(list(reference_steps(kind)))


class TestExtract:
    def test_what_is_here_is_linked_and_what_lies_elsewhere_is_not(self) -> None:
        assert links(unasked_path("Encounter")) == {("Organization", "a"), ("Location", "o")}

    def test_what_a_parameter_asks_for_is_linked_under_its_own_path(self) -> None:
        assert links("Encounter.subject") == {("Patient", "p")}

"""Inputs of operations: from an address, a form, Parameters or a resource itself (operations.html#executing)."""

import json
from typing import Any

import pytest
from starlette.requests import Request

from emr.fhir.parameters import Input, Inputs, inputs_of, parameters, text_pairs
from emr.kernel.errors import Malformed, UnsupportedMedia

ACCEPTED = (
    Input("start", "date"),
    Input("_type", "code", most=None),
    Input("_count", "positiveInt"),
    Input("exact", "boolean"),
    Input("coding", "Coding"),
    Input("resource", "Resource"),
    Input("dependency", "", most=None, parts=(Input("element", "uri", least=1), Input("concept", "CodeableConcept"))),
)


def asked(query: str = "", body: object = None, kind: str = "application/fhir+json") -> Request:
    text = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    scope = {
        "type": "http",
        "method": "GET" if body is None else "POST",
        "path": "/",
        "query_string": query.encode(),
        "headers": [(b"content-type", kind.encode())],
        "server": ("test", 80),
        "scheme": "http",
        "state": {"body": text},
    }
    return Request(scope)


def sent(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": list(parts)}


def refused(query: str = "", body: object = None, accepted: tuple[Input, ...] = ACCEPTED) -> tuple[str, str | None]:
    with pytest.raises(Malformed) as caught:
        inputs_of(asked(query, body), accepted)
    return caught.value.code, caught.value.location


class TestTheAddress:
    def test_each_value_is_read_as_its_type(self) -> None:
        given = inputs_of(asked("start=2026-01-01&_count=3&exact=true&_type=Condition&_type=Observation"), ACCEPTED)
        assert (given.one("start"), given.one("_count"), given.one("exact")) == ("2026-01-01", 3, True)
        assert given.all("_type") == ("Condition", "Observation")

    def test_what_was_not_given_is_none(self) -> None:
        given = inputs_of(asked("_format=json&_pretty=true"), ACCEPTED)
        assert given.one("start") is None
        assert given.all("_type") == ()
        assert "start" not in given

    def test_an_unknown_name_is_refused_by_name(self) -> None:
        assert refused("begin=2026") == ("parameter-unknown", "begin")

    def test_a_complex_input_has_no_place_in_an_address(self) -> None:
        assert refused("coding=x") == ("parameter-complex", "coding")

    @pytest.mark.parametrize(
        "query", ["start=yesterday", "_count=0", "_count=-1", "_count=1.5", "_count=1,%22x%22:2", "exact=yes", "_type="]
    )
    def test_a_value_of_another_type_is_refused(self, query: str) -> None:
        assert refused(query) == ("parameter-value", query.split("=", maxsplit=1)[0])

    def test_one_that_may_stand_once_stands_once(self) -> None:
        assert refused("start=2026&start=2025") == ("parameter-repeated", "start")

    def test_a_required_one_is_named(self) -> None:
        assert refused("", None, (Input("url", "uri", least=1),)) == ("parameter-required", "url")

    def test_a_decimal_keeps_its_digits(self) -> None:
        value = inputs_of(asked("at=1.10"), (Input("at", "decimal"),)).one("at")
        assert value.text == "1.10"


class TestTheBody:
    def test_values_of_every_kind(self) -> None:
        coding = {"system": "urn:s", "code": "a"}
        patient = {"resourceType": "Patient", "active": True}
        given = inputs_of(
            asked(
                "",
                sent(
                    {"name": "start", "valueDate": "2026-01-01"},
                    {"name": "coding", "valueCoding": coding},
                    {"name": "resource", "resource": patient},
                    {"name": "dependency", "part": [{"name": "element", "valueUri": "urn:e"}]},
                ),
            ),
            ACCEPTED,
        )
        assert given.one("coding") == coding
        assert given.one("resource") == patient
        part = given.one("dependency")
        assert isinstance(part, Inputs)
        assert part.one("element") == "urn:e"

    def test_a_text_may_come_as_any_kind_of_text(self) -> None:
        given = inputs_of(asked("", sent({"name": "_type", "valueString": "Condition"})), ACCEPTED)
        assert given.all("_type") == ("Condition",)

    def test_address_and_body_add_up(self) -> None:
        given = inputs_of(asked("_type=Condition", sent({"name": "_type", "valueCode": "Observation"})), ACCEPTED)
        assert given.all("_type") == ("Condition", "Observation")

    def test_another_type_is_refused(self) -> None:
        body = sent({"name": "start", "valueBoolean": True})
        assert refused("", body) == ("parameter-type", "start")

    def test_a_name_inside_parts_is_refused_with_its_place(self) -> None:
        body = sent({"name": "dependency", "part": [{"name": "other", "valueUri": "urn:e"}]})
        assert refused("", body) == ("parameter-unknown", "dependency.other")

    def test_a_required_part_is_named_with_its_place(self) -> None:
        body = sent({"name": "dependency", "part": [{"name": "concept", "valueCodeableConcept": {"text": "x"}}]})
        assert refused("", body) == ("parameter-required", "dependency.element")

    def test_a_single_resource_may_be_the_body_itself(self) -> None:
        patient = {"resourceType": "Patient", "active": True}
        assert inputs_of(asked("exact=true", patient), ACCEPTED).one("resource") == patient

    def test_a_resource_of_another_type_is_refused(self) -> None:
        body = sent({"name": "list", "resource": {"resourceType": "Patient", "active": True}})
        assert refused("", body, (Input("list", "List"),)) == ("parameter-type", "list")

    def test_an_empty_body_gives_nothing(self) -> None:
        assert inputs_of(asked("", b"", "text/plain"), ACCEPTED).values == {}

    def test_a_form_is_read_as_an_address(self) -> None:
        given = inputs_of(asked("", b"_type=Condition&_count=2", "application/x-www-form-urlencoded"), ACCEPTED)
        assert (given.all("_type"), given.one("_count")) == (("Condition",), 2)

    def test_another_media_type_is_refused(self) -> None:
        with pytest.raises(UnsupportedMedia):
            inputs_of(asked("", b"<a/>", "application/xml"), ACCEPTED)

    def test_a_body_that_is_no_parameters_is_refused(self) -> None:
        assert refused("", {"resourceType": "Patient"}, (Input("a", "code"),)) == ("wrong-type", "resourceType")


class TestTextPairs:
    def test_search_parameters_from_everywhere(self) -> None:
        body = sent({"name": "patient", "valueString": "Patient/1"}, {"name": "max", "valuePositiveInt": 3})
        pairs = text_pairs(asked("category=vital-signs", body))
        assert pairs == [("category", "vital-signs"), ("patient", "Patient/1"), ("max", "3")]

    def test_what_is_no_primitive_is_refused(self) -> None:
        with pytest.raises(Malformed):
            text_pairs(asked("", sent({"name": "code", "valueCoding": {"code": "a"}})))


class TestParameters:
    def test_every_kind_of_output(self) -> None:
        outputs = [
            ("result", "boolean", True),
            ("message", "string", None),
            ("match", "", [("concept", "Coding", {"code": "a"}), ("source", "uri", None)]),
            ("return", "Patient", {"resourceType": "Patient"}),
        ]
        assert parameters(outputs)["parameter"] == [
            {"name": "result", "valueBoolean": True},
            {"name": "match", "part": [{"name": "concept", "valueCoding": {"code": "a"}}]},
            {"name": "return", "resource": {"resourceType": "Patient"}},
        ]

    def test_nothing_to_say(self) -> None:
        assert parameters([]) == {"resourceType": "Parameters"}

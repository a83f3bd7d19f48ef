"""Parameters made from a hospital's own SearchParameters: what they may be, and where their values lie."""

from typing import Any

import pytest

from emr.definitions.extract import extract
from emr.definitions.own import NONE, Own, OwnUnread, Unread, compiled, faults
from emr.definitions.search import number_of
from emr.definitions.values import IndexValue, String, Token
from emr.kernel.errors import Unavailable

URL = "https://hoasen.example/fhir/dan-toc"
HERE = f"Patient.extension[url={URL}]"


def own(**values: Any) -> dict[str, Any]:
    expression = f"Patient.extension('{URL}').value"
    return {"code": "ethnicity", "base": ["Patient"], "type": "token", "expression": expression} | values


def found(resource: dict[str, Any], **values: Any) -> set[IndexValue]:
    """What the parameter adds to the index of a Patient."""
    patient = {"resourceType": "Patient"} | resource
    (parameter,) = compiled(own(**values)).values()
    hospital = Own("1", {"Patient": {parameter.name: parameter}})
    mine, theirs = extract("Patient", patient, own=hospital), extract("Patient", patient)
    added = set(mine.values) - set(theirs.values)
    assert (mine.present - theirs.present == {number_of(parameter.name)}) is bool(added)
    return added


class TestExpressions:
    @pytest.mark.parametrize(
        "expression",
        [
            f"Patient.extension('{URL}').value.ofType(Coding)",
            f"Patient.extension('{URL}').value.as(Coding)",
            f"(Patient.extension('{URL}').value as Coding)",
            f"(Patient.extension.where(url='{URL}').value as Coding)",
            f"Patient.extension.where(url = '{URL}').value.ofType(Coding)",
            f"Patient.extension('{URL}').value",
        ],
    )
    def test_an_extension_in_every_way_to_write_it(self, expression: str) -> None:
        extensions = [{"url": "urn:other", "valueCoding": {"code": "x"}}, {"url": URL, "valueCoding": {"code": "tay"}}]
        expected = {Token(f"{HERE}.valueCoding", None, "tay")}
        assert found({"extension": extensions}, expression=expression) == expected

    def test_extensions_of_extensions(self) -> None:
        inner = {"url": URL, "extension": [{"url": "nhom", "valueCode": "a"}, {"url": "khac", "valueCode": "b"}]}
        expression = f"Patient.extension('{URL}').extension('nhom').value"
        expected = {Token(f"{HERE}.extension[url=nhom].valueCode", None, "a")}
        assert found({"extension": [inner]}, expression=expression) == expected

    def test_extensions_of_primitive_elements(self) -> None:
        name = {"given": ["A", "B"], "_given": [None, {"extension": [{"url": URL, "valueString": "Đệm"}]}]}
        expected = {String(f"Patient.name._given.extension[url={URL}].valueString", "dem", "Đệm")}
        expression = f"Patient.name.given.extension('{URL}').value"
        assert found({"name": [name]}, code="middle", type="string", expression=expression) == expected

    def test_two_types_of_a_choice_have_paths_of_their_own(self) -> None:
        paths = {compiled(own(expression=f"Patient.deceased.ofType({kind})", type=type_))["Patient"].paths
                 for kind, type_ in (("boolean", "token"), ("dateTime", "date"))}  # fmt: skip
        assert paths == {("Patient.deceasedBoolean",), ("Patient.deceasedDateTime",)}

    def test_each_base_has_its_part_of_a_union(self) -> None:
        made = compiled(own(base=["Patient", "Person"], expression="Patient.active | Person.active"))
        assert {base: each.paths for base, each in made.items()} == {
            "Patient": ("Patient.active",),
            "Person": ("Person.active",),
        }

    def test_what_references_lead_to(self) -> None:
        lead = own(type="reference", expression=f"Patient.extension('{URL}').value.where(resolve() is Location)")
        assert compiled(lead)["Patient"].targets == {"Location"}
        stated = own(type="reference", target=["Location", "Organization"])
        assert compiled(stated)["Patient"].targets == {"Location", "Organization"}
        reference = {"reference": "Location/a"}
        (link,) = found({"extension": [{"url": URL, "valueReference": reference}]}, **lead)
        assert link[:3] == (f"{HERE}.valueReference", "Location", "a")
        assert found({"extension": [{"url": URL, "valueUri": "urn:a"}]}, **lead) == set()

    def test_choices_within_choices_are_bounded(self) -> None:
        deep = "Patient" + f".extension('{URL}').value" * 8
        ((code, message, where),) = faults(own(expression=deep))
        assert (code, where, "500" in message) == ("parameter-expression", "SearchParameter.expression", True)


class TestOwn:
    def test_hospitals_do_not_share(self) -> None:
        person = {"resourceType": "Patient", "extension": [{"url": URL, "valueCode": "tay"}]}
        without = extract("Patient", person)
        hospital = Own("2", {"Patient": {"ethnicity": compiled(own())["Patient"]}})
        assert len(extract("Patient", person, own=hospital).values) == len(without.values) + 1
        assert extract("Patient", person).values == without.values

    def test_r4_comes_first_and_what_is_built_is_not_asked(self) -> None:
        made = compiled(own())["Patient"]
        hospital = Own("1", {"Patient": {"ethnicity": made}}, frozenset({("Patient", "ethnicity")}))
        assert hospital.parameter("Patient", "name") is not None
        assert hospital.parameter("Person", "ethnicity") is None
        assert hospital.usable("Patient") == []
        with pytest.raises(Unavailable):
            hospital.parameter("Patient", "ethnicity")
        assert Own("2", hospital.by_type).parameter("Patient", "ethnicity") is made
        assert NONE.parameter("Patient", "ethnicity") is None

    def test_unread_answers_what_r4_says_and_no_more(self) -> None:
        assert Unread().parameter("Patient", "name") is NONE.parameter("Patient", "name")
        with pytest.raises(OwnUnread):
            Unread().parameter("Patient", "ethnicity")
        with pytest.raises(OwnUnread):
            Unread().references("Patient")

"""The registry of search parameters, and the FHIRPath behind them."""

import pytest

from emr.definitions import model
from emr.definitions.routes import Equal, First, Route, Target, UnknownPath, routes
from emr.definitions.search import COMPUTED, INDEXED, parameter, parameters, unsupported


class TestParameter:
    @pytest.mark.parametrize(
        ("type_", "name", "kind"),
        [
            ("Patient", "identifier", "token"),
            ("Patient", "name", "string"),
            ("Patient", "birthdate", "date"),
            ("Patient", "deceased", "token"),
            ("Observation", "patient", "reference"),
            ("Observation", "code", "token"),
            ("Observation", "category", "token"),
            ("Observation", "status", "token"),
            ("Observation", "date", "date"),
            ("Condition", "clinical-status", "token"),
            ("ValueSet", "url", "uri"),
            ("Binary", "_tag", "token"),
        ],
    )
    def test_known_and_indexed(self, type_: str, name: str, kind: str) -> None:
        found = parameter(type_, name)
        assert found is not None
        assert (found.kind, found.supported) == (kind, True)

    @pytest.mark.parametrize(("type_", "name"), [("Patient", "unknownparam"), ("Patient", "code"), ("Pateint", "name"),
                                                 ("Binary", "_text"), ("Patient", "")])  # fmt: skip
    def test_unknown(self, type_: str, name: str) -> None:
        assert parameter(type_, name) is None

    def test_targets_are_those_of_the_type(self) -> None:
        patient, subject = parameter("Observation", "patient"), parameter("Observation", "subject")
        assert patient is not None
        assert subject is not None
        assert patient.targets == {"Patient"}
        assert subject.targets == {"Patient", "Group", "Device", "Location"}

    def test_every_parameter_is_indexed_or_says_why_not(self) -> None:
        every = [each for name in model.resource_types() for each in parameters(name).values()]
        assert all(each.routes or each.unsupported or (each.type, each.name) in COMPUTED for each in every)
        assert len(every) > 2_000

    def test_what_is_not_indexed_is_listed_with_its_reason(self) -> None:
        known = unsupported()
        assert ("Observation", "code-value-quantity") in known
        assert ("Patient", "_text") in known
        assert ("Patient", "name") not in known
        indexed_kinds = [
            key for key in known if (found := parameter(*key)) and found.kind in INDEXED and found.expression
        ]
        indexed_kinds = [key for key in indexed_kinds if key[1] != "phonetic"]
        assert sorted(indexed_kinds) == [("Bundle", "composition"), ("Bundle", "message")]


class TestRoutes:
    def test_a_plain_path(self) -> None:
        assert [each.steps for each in routes("Patient", "Patient.name.family")] == [("name", "family")]

    def test_a_choice_is_every_type_of_it(self) -> None:
        found = {each.steps: each.type for each in routes("Observation", "Observation.effective")}
        assert found[("effectiveDateTime",)] == "dateTime"
        assert len(found) == 4

    @pytest.mark.parametrize(
        "expression", ["(Observation.value as CodeableConcept)", "Observation.value.as(CodeableConcept)",
                       "Observation.value.ofType(CodeableConcept)"],
    )  # fmt: skip
    def test_a_choice_narrowed_to_one_type(self, expression: str) -> None:
        assert routes("Observation", expression) == (Route(("valueCodeableConcept",), "CodeableConcept"),)

    def test_conditions(self) -> None:
        email = routes("Patient", "Patient.telecom.where(system='email')")[0]
        assert email.steps == ("telecom", Equal("system", "email"))
        subject = routes("Observation", "Observation.subject.where(resolve() is Patient)")[0]
        assert subject.steps == ("subject", Target("Patient"))
        assert subject.targets == {"Patient"}

    def test_an_index(self) -> None:
        assert routes("Bundle", "Bundle.entry[0].resource")[0].steps == ("entry", First(), "resource")

    def test_an_extension(self) -> None:
        found = routes("Patient", "Patient.extension('http://a.b/c').value.as(code)")[0]
        assert found.steps == ("extension", Equal("url", "http://a.b/c"), "valueCode")

    def test_a_nested_element_by_content_reference(self) -> None:
        found = routes("Questionnaire", "Questionnaire.item.item.item.code")[0]
        assert found.type == "Coding"

    @pytest.mark.parametrize(
        "expression", ["Patient.foo", "Observation.code", "Patient.name.first()", "Patient.name.where(a > 1)"]
    )
    def test_outside_of_the_subset(self, expression: str) -> None:
        with pytest.raises(UnknownPath):
            routes("Patient", expression)

"""The registry of search parameters, and the FHIRPath behind them."""

import pytest

from emr.definitions import model
from emr.definitions.routes import Equal, First, Route, Target, UnknownPath, routes
from emr.definitions.search import WORDS, parameter, parameters, unsupported


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
        without = {each.name for each in every if not (each.paths or each.composites or each.unsupported)}
        assert without == WORDS
        assert len(every) > 2_000

    def test_what_is_not_indexed_is_listed_with_its_reason(self) -> None:
        others = {key: reason for key, reason in unsupported().items() if key[1] != "_query"}
        assert sorted(others) == [("Bundle", "composition"), ("Bundle", "message"), ("Location", "near")]
        assert all(others.values())

    def test_parameters_that_share_a_path_take_the_same_types_from_it(self) -> None:
        for name in model.resource_types():
            types: dict[tuple[str, str], set[frozenset[str]]] = {}
            for each in parameters(name).values():
                for path in each.paths:
                    taken = frozenset(route.type for route in each.routes if route.path == path)
                    types.setdefault((each.kind, path), set()).add(taken)
            assert {key: found for key, found in types.items() if len(found) > 1} == {}

    def test_who_asks_for_one_type_of_target_says_which(self) -> None:
        """Since the rows are those of the element, the parameter's targets are all that tells its links apart."""
        narrowed = [
            each
            for name in model.resource_types()
            for each in parameters(name).values()
            if any(isinstance(step, Target) for route in each.routes for step in route.steps)
        ]
        assert len(narrowed) > 40
        assert all(each.targets for each in narrowed)
        assert all(isinstance(step, Target) is False for each in narrowed for r in each.routes for step in r.steps[:-1])

    def test_numbers_of_parameters_differ_within_a_type(self) -> None:
        for name in model.resource_types():
            assert len({each.number for each in parameters(name).values()}) == len(parameters(name))


class TestComposites:
    def test_on_the_resource_itself_it_is_its_components(self) -> None:
        found = parameter("Observation", "code-value-quantity")
        assert found is not None
        assert [(each.stored, [part.paths for part in each.components]) for each in found.composites] == [
            (False, [("Observation.code",), ("Observation.value",)])
        ]

    def test_on_an_element_that_repeats_it_has_rows(self) -> None:
        shared = parameter("Observation", "combo-code-value-quantity")
        own = parameter("Observation", "component-code-value-quantity")
        assert shared is not None
        assert own is not None
        assert [each.stored for each in shared.composites] == [False, True]
        assert shared.composites[1].path == own.composites[0].path

    def test_a_component_may_lie_outside(self) -> None:
        found = parameter("MolecularSequence", "chromosome-variant-coordinate")
        assert found is not None
        assert found.composites[0].outside == {0}
        assert found.composites[0].components[0].routes[0].steps == ("referenceSeq", "chromosome")
        assert found.composites[0].components[1].routes[0].steps == ("start",)

    def test_each_component_has_values(self) -> None:
        every = [each for name in model.resource_types() for each in parameters(name).values()]
        parts = [part for each in every for one in each.composites for part in one.components]
        assert len(parts) > 100
        assert all(part.routes and part.supported for part in parts)


class TestRoutes:
    def test_a_plain_path(self) -> None:
        assert [each.steps for each in routes("Patient", "Patient.name.family")] == [("name", "family")]

    def test_a_choice_is_every_type_of_it(self) -> None:
        found = {each.steps: each.type for each in routes("Observation", "Observation.effective")}
        assert found[("effectiveDateTime",)] == "dateTime"
        assert len(found) == 4
        assert {each.path for each in routes("Observation", "Observation.effective")} == {"Observation.effective"}

    @pytest.mark.parametrize(
        "expression", ["(Observation.value as CodeableConcept)", "Observation.value.as(CodeableConcept)",
                       "Observation.value.ofType(CodeableConcept)"],
    )  # fmt: skip
    def test_a_choice_narrowed_to_one_type(self, expression: str) -> None:
        expected = Route(("valueCodeableConcept",), "CodeableConcept", "Observation.value")
        assert routes("Observation", expression) == (expected,)

    def test_conditions(self) -> None:
        email = routes("Patient", "Patient.telecom.where(system='email')")[0]
        assert (email.steps, email.path) == (("telecom", Equal("system", "email")), "Patient.telecom[system=email]")
        subject = routes("Observation", "Observation.subject.where(resolve() is Patient)")[0]
        assert subject.steps == ("subject", Target("Patient"))
        assert (subject.targets, subject.path) == ({"Patient"}, "Observation.subject")

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

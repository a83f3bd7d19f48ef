"""The compiled tables: where they come from and that they say what the specification says."""

import json
from importlib import resources

import pytest

from emr.definitions import model


class TestData:
    @pytest.mark.parametrize("name", ["types", "codes", "parameters", "compartments"])
    def test_each_file_states_its_source_version_and_licence(self, name: str) -> None:
        about = json.loads(resources.files("emr.definitions").joinpath("data", f"{name}.json").read_bytes())["about"]
        assert about["fhirVersion"] == model.FHIR_VERSION
        assert "CC0" in about["licence"]
        assert about["source"]
        assert about["package"]

    def test_all_files_together_are_small(self) -> None:
        folder = resources.files("emr.definitions").joinpath("data")
        sizes = {each.name: len(each.read_bytes()) for each in folder.iterdir()}
        assert sizes.pop("terminology.zip") < 1_000_000
        assert sum(sizes.values()) < 1_000_000

    def test_no_type_of_another_release(self) -> None:
        assert "SubscriptionStatus" not in model.types()


class TestTypeOf:
    def test_inherited_elements_come_first(self) -> None:
        elements = list(model.type_of("Patient").elements)
        assert elements[:8] == [
            "id", "meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension",
        ]  # fmt: skip
        assert "birthDate" in elements

    def test_cardinality_types_targets_and_binding(self) -> None:
        subject = model.type_of("Condition").elements["subject"]
        assert (subject.least, subject.most, subject.targets) == (1, 1, {"Patient", "Group"})
        assert model.type_of("Patient").elements["name"].many
        assert (
            model.type_of("Patient").elements["gender"].binding == "http://hl7.org/fhir/ValueSet/administrative-gender"
        )

    def test_nested_elements_and_content_references(self) -> None:
        assert model.type_of("Patient.contact").base == "BackboneElement"
        assert model.type_of("Questionnaire.item").elements["item"].types == ("Questionnaire.item",)

    def test_the_id_of_a_resource_is_an_id(self) -> None:
        assert model.type_of("Binary").elements["id"].types == ("id",)

    def test_every_type_that_is_named_exists(self) -> None:
        named = {
            type_ for name in model.types() for each in model.type_of(name).elements.values() for type_ in each.types
        }
        assert named <= set(model.types())

    def test_an_unknown_type(self) -> None:
        with pytest.raises(KeyError):
            model.type_of("Pateint")


class TestCodes:
    @pytest.mark.parametrize(
        ("name", "size"),
        [
            ("administrative-gender", 4),
            ("observation-status", 8),
            ("bundle-type", 9),
            ("days-of-week", 7),
            ("event-timing", 26),
        ],
    )
    def test_a_required_set_in_full(self, name: str, size: int) -> None:
        found = model.codes(f"http://hl7.org/fhir/ValueSet/{name}")
        assert sum(len(codes) for codes in found.values()) == size

    def test_every_binding_that_is_kept_is_known(self) -> None:
        bound = {
            each.binding for name in model.types() for each in model.type_of(name).elements.values() if each.binding
        }
        assert bound == set(model.content("codes"))

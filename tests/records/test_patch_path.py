"""FHIRPath Patch, operation by operation (FHIR R4, fhirpatch.html)."""

import copy
from typing import Any

import pytest

from emr.kernel.errors import Invalid, Malformed, Refusal
from emr.records.element_path import spots
from emr.records.patch_path import apply_path_patch, operations_of
from tests.fhir.test_patch import operation

Json = dict[str, Any]

PERSON: Json = {
    "resourceType": "Patient",
    "id": "p",
    "gender": "male",
    "birthDate": "1990-05-01",
    "_birthDate": {"extension": [{"url": "urn:time", "valueDateTime": "1990-05-01T07:00:00+07:00"}]},
    "deceasedBoolean": False,
    "name": [
        {"use": "official", "family": "Nguyễn", "given": ["Văn", "An"], "_given": [None, {"id": "second"}]},
        {"use": "nickname", "text": "Tí"},
    ],
    "identifier": [{"system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "it's"}],
    "contact": [{"name": {"family": "Lê"}, "telecom": [{"system": "phone", "value": "1", "rank": 1}]}],
    "extension": [{"url": "urn:x", "valueQuantity": {"value": 1}}, {"url": "urn:y", "valueString": "y"}],
    "contained": [{"resourceType": "Organization", "id": "o", "name": "O"}],
}


def patched(*operations: Json, resource: Json = PERSON) -> Json:
    parameters = {"resourceType": "Parameters", "parameter": [operation(**each) for each in operations]}
    return apply_path_patch(copy.deepcopy(resource), operations_of(parameters))


def at(path: str) -> list[Any]:
    return [spot.value for spot in spots(PERSON, path)]


class TestPaths:
    @pytest.mark.parametrize(
        ("path", "values"),
        [
            ("Patient.gender", ["male"]),
            ("Patient.name.given", ["Văn", "An"]),
            ("Patient.name[0].given[1]", ["An"]),
            ("Patient.name.first().family", ["Nguyễn"]),
            ("Patient.name.last().text", ["Tí"]),
            ("Patient.name.where(use = 'nickname').text", ["Tí"]),
            ("Patient.name.where(use='official' and family='Nguyễn').given.first()", ["Văn"]),
            ("Patient.identifier.where(value = 'it\\'s').system", ["urn:b"]),
            ("Patient.contact.where(name.family = 'Lê').telecom.where(rank = 1).value", ["1"]),
            ("Patient.deceased", [False]),
            ("Patient.deceased.ofType(boolean)", [False]),
            ("Patient.deceased.as(dateTime)", []),
            ("Patient.extension('urn:x').value.ofType(Quantity).value", [1]),
            ("Patient.birthDate.extension('urn:time').value", ["1990-05-01T07:00:00+07:00"]),
            ("Patient.contained.name", ["O"]),
            ("Patient.name.single()", Invalid),
            ("Patient.gender.single()", ["male"]),
            ("Patient.maritalStatus.coding.code", []),
            ("DomainResource.gender", ["male"]),
            ("Patient.name[7]", []),
        ],
    )
    def test_lead_to_places(self, path: str, values: Any) -> None:
        if isinstance(values, list):
            assert at(path) == values
        else:
            with pytest.raises(values):
                at(path)

    @pytest.mark.parametrize(
        "path",
        [
            "", "name", "Observation.status", "Patient.name.exists()", "Patient.name | Patient.contact", "Patient.name[x]",
            "Patient.name.where(use != 'x')", "Patient.name.where(given.count() = 1)", "Patient.name.where(use = 'x' or 1 = 1)",
            "Patient..name", "Patient.name.", "Patient.name[0", "Patient.managingOrganization.resolve().name",
            "Patient.name.where(use = 'a')b", "Patient name", "%resource.name", "Patient.descendants()",
        ],
    )  # fmt: skip
    def test_that_are_not_understood_are_refused(self, path: str) -> None:
        with pytest.raises(Malformed, match=r".") as refused:
            at(path)
        assert refused.value.location == path

    def test_an_element_that_a_type_does_not_have_is_refused(self) -> None:
        for path in ("Patient.foo", "Patient.name.foo", "Patient.valueString", "Patient.deceasedBoolean"):
            with pytest.raises(Invalid):
                at(path)


class TestAdd:
    def test_to_a_list_at_its_end(self) -> None:
        done = patched({"type": "add", "path": "Patient", "name": "name", "value": {"valueHumanName": {"text": "x"}}})
        assert done["name"][2] == {"text": "x"}
        done = patched({"type": "add", "path": "Patient.name[0]", "name": "given", "value": {"valueString": "x"}})
        assert (done["name"][0]["given"], done["name"][0]["_given"]) == (
            ["Văn", "An", "x"],
            [None, {"id": "second"}, None],
        )

    def test_what_is_not_there_yet(self) -> None:
        done = patched({"type": "add", "path": "Patient", "name": "active", "value": {"valueBoolean": True}})
        assert done["active"] is True
        with pytest.raises(Invalid, match="already"):
            patched({"type": "add", "path": "Patient", "name": "gender", "value": {"valueCode": "female"}})
        with pytest.raises(Invalid, match="already"):
            patched({"type": "add", "path": "Patient", "name": "deceased", "value": {"valueDateTime": "2020"}})

    def test_a_choice_under_the_name_of_its_type(self) -> None:
        extension = {"type": "add", "path": "Patient", "name": "multipleBirth", "value": {"valueInteger": 2}}
        assert patched(extension)["multipleBirthInteger"] == 2
        with pytest.raises(Invalid, match="cannot be a Quantity"):
            patched({**extension, "value": {"valueQuantity": {"value": 2}}})

    def test_a_structure_in_parts(self) -> None:
        parts = [
            {"name": "relationship", "valueCodeableConcept": {"text": "mother"}},
            {"name": "relationship", "valueCodeableConcept": {"text": "guardian"}},
            {"name": "name", "valueHumanName": {"text": "x"}},
        ]
        done = patched({"type": "add", "path": "Patient", "name": "contact", "value": {"part": parts}})
        added = {"relationship": [{"text": "mother"}, {"text": "guardian"}], "name": {"text": "x"}}
        assert done["contact"][1] == added

    def test_an_extension_to_a_primitive(self) -> None:
        extension = {"valueExtension": {"url": "urn:z", "valueString": "z"}}
        done = patched({"type": "add", "path": "Patient.gender", "name": "extension", "value": extension})
        assert (done["gender"], done["_gender"]) == ("male", {"extension": [extension["valueExtension"]]})
        done = patched({"type": "add", "path": "Patient.name.given.first()", "name": "extension", "value": extension})
        assert done["name"][0]["_given"] == [{"extension": [extension["valueExtension"]]}, {"id": "second"}]

    def test_to_no_place_or_several_is_refused(self) -> None:
        for path in ("Patient.photo", "Patient.name"):
            with pytest.raises(Invalid, match="must lead to one"):
                patched({"type": "add", "path": path, "name": "id", "value": {"valueString": "x"}})


class TestInsert:
    @pytest.mark.parametrize(
        ("index", "given"), [(0, ["x", "Văn", "An"]), (1, ["Văn", "x", "An"]), (2, ["Văn", "An", "x"])]
    )
    def test_at_an_index(self, index: int, given: list[str]) -> None:
        done = patched(
            {"type": "insert", "path": "Patient.name[0].given", "index": index, "value": {"valueString": "x"}}
        )
        assert done["name"][0]["given"] == given
        assert done["name"][0]["_given"].index({"id": "second"}) == given.index("An")

    def test_into_a_list_that_is_not_there(self) -> None:
        done = patched(
            {"type": "insert", "path": "Patient.photo", "index": 0, "value": {"valueAttachment": {"title": "x"}}}
        )
        assert done["photo"] == [{"title": "x"}]

    def test_beyond_the_end_or_into_no_list_is_refused(self) -> None:
        for path, index in (("Patient.name[0].given", 3), ("Patient.gender", 0)):
            with pytest.raises(Invalid):
                patched({"type": "insert", "path": path, "index": index, "value": {"valueString": "x"}})


class TestDelete:
    def test_one_element_with_what_stands_beside_it(self) -> None:
        done = patched({"type": "delete", "path": "Patient.birthDate"}, {"type": "delete", "path": "Patient.contact"})
        assert not {"birthDate", "_birthDate", "contact"} & done.keys()
        done = patched({"type": "delete", "path": "Patient.name[0].given[1]"})
        assert (done["name"][0]["given"], "_given" in done["name"][0]) == (["Văn"], False)

    def test_what_is_not_there_is_no_error(self) -> None:
        assert patched({"type": "delete", "path": "Patient.maritalStatus"}) == PERSON

    def test_several_or_the_whole_are_refused(self) -> None:
        for path in ("Patient.name", "Patient"):
            with pytest.raises(Invalid):
                patched({"type": "delete", "path": path})


class TestReplace:
    def test_one_element(self) -> None:
        done = patched(
            {"type": "replace", "path": "Patient.gender", "value": {"valueCode": "female"}},
            {"type": "replace", "path": "Patient.name.where(use='nickname').text", "value": {"valueString": "Sửu"}},
            {"type": "replace", "path": "Patient.identifier.first()", "value": {"valueIdentifier": {"value": "2"}}},
        )
        assert (done["gender"], done["name"][1]["text"], done["identifier"][0]) == ("female", "Sửu", {"value": "2"})

    def test_a_choice_by_another_type(self) -> None:
        done = patched({"type": "replace", "path": "Patient.deceased", "value": {"valueDateTime": "2020"}})
        assert (done["deceasedDateTime"], "deceasedBoolean" in done) == ("2020", False)

    def test_what_is_not_there_or_the_whole_is_refused(self) -> None:
        for path in ("Patient.maritalStatus", "Patient", "Patient.name"):
            with pytest.raises(Invalid):
                patched({"type": "replace", "path": path, "value": {"valueString": "x"}})


class TestMove:
    def test_within_a_list(self) -> None:
        done = patched({"type": "move", "path": "Patient.name[0].given", "source": 1, "destination": 0})
        assert (done["name"][0]["given"], done["name"][0]["_given"]) == (["An", "Văn"], [{"id": "second"}, None])

    def test_beyond_the_list_is_refused(self) -> None:
        for source, destination in ((2, 0), (0, 2)):
            with pytest.raises(Invalid):
                patched({"type": "move", "path": "Patient.name", "source": source, "destination": destination})


class TestForm:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"type": "upsert", "path": "Patient.name"},
            {"type": "delete"},
            {"type": "delete", "path": "Patient.name", "index": 1},
            {"type": "add", "path": "Patient", "name": "name"},
            {"type": "insert", "path": "Patient.name", "index": -1, "value": {"valueString": "x"}},
            {"type": "add", "path": "Patient", "name": "name", "value": {"id": "x"}},
        ],
    )
    def test_an_operation_that_lacks_or_has_too_much_is_refused(self, wrong: Json) -> None:
        with pytest.raises(Malformed) as refused:
            patched(wrong)
        assert refused.value.location == "Parameters.parameter[0]"

    def test_parameters_without_operations_are_refused(self) -> None:
        for parameters in ({}, {"parameter": [{"name": "other", "valueString": "x"}]}):
            with pytest.raises(Refusal):
                operations_of({"resourceType": "Parameters", **parameters})

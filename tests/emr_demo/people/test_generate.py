"""What comes out of the generator: valid R4, whole, always the same, marked as made up."""

import base64
import json
import re
from collections import Counter
from datetime import date
from typing import Any

import pytest

from emr.definitions.validate import validate
from emr_demo.people import PROFILES, canary, generate
from emr_demo.people.fhir import BHYT, CCCD, MADE_UP, RECORD_NUMBER, as_bytes

TODAY = date(2026, 11, 22)
Bundles = list[dict[str, Any]]


@pytest.fixture(scope="module")
def hospitals() -> dict[str, Bundles]:
    return {slug: list(generate(profile, seed=1, today=TODAY)) for slug, profile in PROFILES.items()}


@pytest.fixture(scope="module", params=list(PROFILES))
def bundles(request: pytest.FixtureRequest, hospitals: dict[str, Bundles]) -> Bundles:
    return hospitals[request.param]


def resources(bundles: Bundles, kind: str = "") -> list[dict[str, Any]]:
    found = [entry["resource"] for bundle in bundles for entry in bundle["entry"]]
    return [one for one in found if kind in ("", one["resourceType"])]


def identifiers(bundles: Bundles, system: str) -> list[str]:
    patients = resources(bundles, "Patient")
    return [one["value"] for patient in patients for one in patient["identifier"] if one["system"] == system]


def patient_named(bundles: Bundles, name: str) -> dict[str, Any]:
    return next(bundle for bundle in bundles[1:] if bundle["entry"][0]["resource"]["name"][0]["text"] == name)


def references(value: Any) -> set[str]:
    return set(re.findall(r'"reference": "([^"]+)"', json.dumps(value)))


class TestGenerate:
    def test_every_bundle_is_valid_r4(self, bundles: Bundles) -> None:
        issues = [issue for bundle in bundles for issue in validate(bundle, expected_type="Bundle")]
        assert issues == []

    def test_the_same_seed_gives_the_same_bytes(self, hospitals: dict[str, Bundles]) -> None:
        again = b"".join(as_bytes(one) for one in generate(PROFILES["cau-vong"], seed=1, today=TODAY))
        assert again == b"".join(as_bytes(one) for one in hospitals["cau-vong"])

    def test_another_seed_gives_other_people(self, hospitals: dict[str, Bundles]) -> None:
        other = list(generate(PROFILES["cau-vong"], seed=2, today=TODAY))
        assert as_bytes(other[-1]) != as_bytes(hospitals["cau-vong"][-1])

    def test_there_are_at_least_sixty_patients_over_two_years(self, bundles: Bundles) -> None:
        starts = sorted(encounter["period"]["start"] for encounter in resources(bundles, "Encounter"))
        assert len(resources(bundles, "Patient")) >= 60
        assert starts[0] < "2024-12-31"
        assert starts[-1] > "2026-11-01"

    def test_every_resource_is_marked_as_made_up(self, bundles: Bundles) -> None:
        assert all(MADE_UP in one["meta"]["tag"] for one in resources(bundles))

    def test_links_lead_into_the_bundle_or_to_the_house(self, bundles: Bundles) -> None:
        house = {entry["request"]["url"] for entry in bundles[0]["entry"]}
        for bundle in bundles:
            inside = {entry.get("fullUrl") for entry in bundle["entry"]}
            assert references(bundle) <= inside | house

    def test_the_house_comes_by_put_and_makes_no_copies(self, bundles: Bundles) -> None:
        assert {entry["request"]["method"] for entry in bundles[0]["entry"]} == {"PUT"}

    def test_full_urls_are_unique(self, bundles: Bundles) -> None:
        urls = [entry["fullUrl"] for bundle in bundles[1:] for entry in bundle["entry"]]
        assert len(urls) == len(set(urls))

    def test_nobody_is_in_two_encounters_at_once(self, bundles: Bundles) -> None:
        for bundle in bundles[1:]:
            periods = sorted(one["period"]["start"] for one in resources([bundle], "Encounter"))
            ends = sorted(one["period"].get("end", "9999") for one in resources([bundle], "Encounter"))
            assert all(end <= start for end, start in zip(ends[:-1], periods[1:], strict=True))

    def test_the_kinds_of_a_chart_are_all_there(self, bundles: Bundles) -> None:
        wanted = {
            "AllergyIntolerance", "Condition", "Coverage", "DiagnosticReport", "DocumentReference", "Encounter",
            "Immunization", "MedicationRequest", "Observation", "Patient", "Practitioner", "Procedure",
        }  # fmt: skip
        assert wanted <= set(Counter(one["resourceType"] for one in resources(bundles)))

    def test_notes_are_vietnamese_text(self, bundles: Bundles) -> None:
        note = resources(bundles, "DocumentReference")[0]["content"][0]["attachment"]
        assert "Chẩn đoán: " in base64.b64decode(note["data"]).decode()


class TestNumbers:
    def test_identity_numbers_are_formally_valid_and_reserved(self, bundles: Bundles) -> None:
        assert all(re.fullmatch(r"0\d\d[0-3]\d\d99\d{4}", number) for number in identifiers(bundles, CCCD))

    def test_identity_numbers_tell_sex_century_and_year(self, bundles: Bundles) -> None:
        for patient in resources(bundles, "Patient"):
            number = next(one["value"] for one in patient["identifier"] if one["system"] == CCCD)
            born, female = patient["birthDate"], patient["gender"] == "female"
            assert number[3] == str((0 if born < "2000" else 2) + female)
            assert number[4:6] == born[2:4]

    def test_insurance_numbers_are_formally_valid_and_reserved(self, bundles: Bundles) -> None:
        numbers = identifiers(bundles, BHYT)
        assert all(re.fullmatch(r"(TE1|HS4|SV4|DN4|GD4|HT3|HN2)(\d\d)(\d\d)99\d{6}", number) for number in numbers)

    @pytest.mark.parametrize("system", [CCCD, BHYT, RECORD_NUMBER])
    def test_numbers_are_not_shared_inside_a_hospital(self, bundles: Bundles, system: str) -> None:
        numbers = identifiers(bundles, system)
        assert len(numbers) == len(set(numbers))

    def test_five_people_are_patients_of_both(self, hospitals: dict[str, Bundles]) -> None:
        both = set(identifiers(hospitals["hoa-sen"], CCCD)) & set(identifiers(hospitals["cau-vong"], CCCD))
        assert len(both) == 5


class TestStories:
    def test_mrs_hoa_is_as_in_the_sketch(self, hospitals: dict[str, Bundles]) -> None:
        bundle = patient_named(hospitals["hoa-sen"], "Nguyễn Thị Hoa")
        problems = resources([bundle], "Condition")
        assert [one["code"]["coding"][0]["code"] for one in problems] == ["I10", "E11.9", "N18.3", "M17.9"]
        allergy = resources([bundle], "AllergyIntolerance")[0]
        assert (allergy["criticality"], allergy["code"]["text"]) == ("high", "Penicillin")

    def test_mrs_hoas_last_results_are_as_told(self, hospitals: dict[str, Bundles]) -> None:
        bundle = patient_named(hospitals["hoa-sen"], "Nguyễn Thị Hoa")
        sugar = [one for one in resources([bundle], "Observation") if one["code"]["text"] == "HbA1c"][-1]
        assert sugar["valueQuantity"]["value"] == 7.8
        assert sugar["interpretation"][0]["coding"][0]["code"] == "H"

    def test_nobody_allergic_to_penicillin_gets_one(self, bundles: Bundles) -> None:
        for bundle in bundles[1:]:
            allergic = any(one["code"]["text"] == "Penicillin" for one in resources([bundle], "AllergyIntolerance"))
            codes = {
                one["medicationCodeableConcept"]["coding"][0]["code"]
                for one in resources([bundle], "MedicationRequest")
            }
            assert not (allergic and codes & {"J01CA04", "J01CR02"})

    @pytest.mark.parametrize("name", ["Lê Gia Hân"])
    @pytest.mark.parametrize("measure", ["Chiều cao", "Vòng đầu", "Cân nặng"])
    def test_the_child_grows(self, hospitals: dict[str, Bundles], name: str, measure: str) -> None:
        bundle = patient_named(hospitals["hoa-sen"], name)
        series = [
            one["valueQuantity"]["value"]
            for one in resources([bundle], "Observation")
            if one["code"]["text"] == measure
        ]
        assert len(series) == 10
        assert series == sorted(series)

    def test_somebody_lies_in_bed_with_dengue(self, bundles: Bundles) -> None:
        current = [one for one in resources(bundles, "Encounter") if one["status"] == "in-progress"]
        assert [one["class"]["code"] for one in current] == ["IMP"]
        assert "end" not in current[0]["period"]

    def test_the_canary_sings_in_its_own_hospital_alone(self, hospitals: dict[str, Bundles]) -> None:
        for slug, other in (("hoa-sen", "cau-vong"), ("cau-vong", "hoa-sen")):
            assert canary(slug) in json.dumps(hospitals[slug])
            assert canary(slug) not in json.dumps(hospitals[other])

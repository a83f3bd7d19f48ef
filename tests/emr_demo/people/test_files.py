"""Papers and images belong to somebody, open in other people's readers, and stay small."""

import io
from datetime import date

import numpy as np
import pydicom
import pypdfium2
import pytest
from PIL import Image

from emr_demo.people import PROFILES, generate
from emr_demo.people.fhir import RECORD_NUMBER
from emr_demo.people.files import MadeFile, files

TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def made() -> dict[str, list[MadeFile]]:
    return {slug: list(files(profile, seed=1, today=TODAY)) for slug, profile in PROFILES.items()}


def patients(slug: str) -> dict[str, tuple[str, str]]:
    """Record number → name and birth date as in the record."""
    bundles = list(generate(PROFILES[slug], seed=1, today=TODAY))[1:]
    found = {}
    for bundle in bundles:
        patient = bundle["entry"][0]["resource"]
        number = next(one["value"] for one in patient["identifier"] if one["system"] == RECORD_NUMBER)
        found[number] = (patient["name"][0]["text"], patient["birthDate"].replace("-", ""))
    return found


def instances(made: list[MadeFile]) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(io.BytesIO(one.content)) for one in made if one.kind == "image"]


class TestFiles:
    def test_they_are_the_same_for_the_same_seed(self, made: dict[str, list[MadeFile]]) -> None:
        assert list(files(PROFILES["cau-vong"], seed=1, today=TODAY)) == made["cau-vong"]

    @pytest.mark.parametrize("slug", list(PROFILES))
    def test_a_hospitals_files_stay_below_eight_megabytes(self, made: dict[str, list[MadeFile]], slug: str) -> None:
        assert sum(len(one.content) for one in made[slug]) < 8_000_000

    @pytest.mark.parametrize("slug", list(PROFILES))
    def test_each_belongs_to_a_patient_and_no_day_lies_ahead(self, made: dict[str, list[MadeFile]], slug: str) -> None:
        assert {one.record_number for one in made[slug]} <= set(patients(slug))
        assert all(one.day < TODAY for one in made[slug])

    def test_mrs_hoa_brings_three_pages_from_elsewhere(self, made: dict[str, list[MadeFile]]) -> None:
        paper = made["hoa-sen"][0]
        assert paper.record_number == "HS-004821"
        assert len(pypdfium2.PdfDocument(paper.content)) == 3

    def test_photos_are_jpeg(self, made: dict[str, list[MadeFile]]) -> None:
        photos = [one for one in made["hoa-sen"] if one.media_type == "image/jpeg"]
        assert photos
        assert all(Image.open(io.BytesIO(one.content)).format == "JPEG" for one in photos)


class TestImages:
    @pytest.mark.parametrize("slug", list(PROFILES))
    def test_identity_is_that_of_the_record(self, made: dict[str, list[MadeFile]], slug: str) -> None:
        known = patients(slug)
        for instance in instances(made[slug]):
            name, born = known[instance.PatientID]
            assert str(instance.PatientName).replace("^", " ") == name
            assert instance.PatientBirthDate == born

    def test_the_phantom_has_its_slices_in_order(self, made: dict[str, list[MadeFile]]) -> None:
        slices = [one for one in instances(made["hoa-sen"]) if one.Modality == "CT"]
        assert len({one.StudyInstanceUID for one in slices}) == 1
        assert len({one.SeriesInstanceUID for one in slices}) == 1
        assert [one.InstanceNumber for one in slices] == list(range(1, 25))
        assert all(one.pixel_array.shape == (256, 256) for one in slices)

    def test_lungs_are_darker_than_the_heart(self, made: dict[str, list[MadeFile]]) -> None:
        chest = next(one for one in instances(made["hoa-sen"]) if one.Modality == "CR")
        pixels = chest.pixel_array.astype(np.int32)
        assert pixels[220:240, 100:120].mean() < pixels[280:300, 220:240].mean()

    def test_no_two_instances_share_a_uid(self, made: dict[str, list[MadeFile]]) -> None:
        uids = [one.SOPInstanceUID for slug in PROFILES for one in instances(made[slug])]
        assert len(uids) == len(set(uids))

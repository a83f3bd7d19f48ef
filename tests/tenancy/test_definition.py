"""What a hospital's file may say about profiles."""

from typing import Any

import pytest
from pydantic import ValidationError

from emr.tenancy.definition import HospitalFile


def definition(**more: Any) -> HospitalFile:
    said = {
        "slug": "x",
        "name": "Bệnh viện X",
        "facility_code": "79999",
        "province": "79",
        "identity": {"organization": "x"},
    }
    return HospitalFile.model_validate(said | more)


class TestProfiles:
    def test_none_unless_said(self) -> None:
        assert definition().as_json()["profiles"] == {}

    def test_by_type(self) -> None:
        said = {"Patient": ["https://example.vn/p", "https://example.vn/q|1.0"]}
        assert definition(profiles=said).as_json()["profiles"] == said

    @pytest.mark.parametrize(
        "said",
        [
            ["https://x.vn/p"],
            {"patient": ["https://x.vn/p"]},
            {"Patient": "https://x.vn/p"},
            {"Patient": ["p"]},
            {"Patient": ["https://x.vn/a b"]},
        ],
    )
    def test_other_forms_are_refused(self, said: object) -> None:
        with pytest.raises(ValidationError):
            definition(profiles=said)

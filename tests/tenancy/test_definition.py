"""What a hospital's file may say about profiles, and about the departments of a pilot."""

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


class TestPilot:
    def test_none_unless_said(self) -> None:
        assert definition().as_json()["pilot"] is None

    def test_names_departments_and_what_is_on_there(self) -> None:
        said = {"departments": {"khoa-noi": " Khoa Nội "}, "chart": ["khoa-noi"], "imaging": []}
        found = definition(pilot=said).pilot
        assert found is not None
        assert (found.departments, found.chart) == ({"khoa-noi": "Khoa Nội"}, ("khoa-noi",))
        assert (found.documents, found.imaging) == (None, ())

    @pytest.mark.parametrize(
        ("said", "rule"),
        [
            ({"departments": {}, "chart": []}, "departments"),
            ({"departments": {"a": "Khoa A"}}, "has a among its departments, where no feature is on"),
            ({"departments": {"a": "Khoa A"}, "chart": ["a", "b"]}, "names b, which is not among its departments"),
            ({"departments": {"a b": "Khoa A"}, "chart": ["a b"]}, "departments"),
            ({"departments": {"a": ""}, "chart": ["a"]}, "departments"),
            ({"departments": {"a": "Khoa A"}, "chart": "a"}, "chart"),
            ({"departments": {"a": "Khoa A"}, "chart": ["a"], "surgery": ["a"]}, "surgery"),
            ({"chart": ["a"]}, "departments"),
        ],
        ids=["no-department", "idle", "unknown", "no-id", "no-name", "no-list", "no-feature", "no-departments"],
    )
    def test_what_does_not_agree_is_refused(self, said: object, rule: str) -> None:
        with pytest.raises(ValidationError) as refused:
            definition(pilot=said)
        assert rule in str(refused.value)

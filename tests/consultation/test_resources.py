import base64
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from emr.consultation import resources
from emr.consultation.codes import code_of
from emr.consultation.policy import Allergy, Note, Problem, Vitals
from emr.consultation.resources import Entry
from emr.definitions.validate import validate

NOW = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
ENTRY = Entry("p1", "ĐD. Lan", "Encounter/e1")
FIGURES = {
    "systolic": Decimal(128), "diastolic": Decimal(82), "pulse": Decimal(76), "temperature": Decimal("36.8"),
    "weight": Decimal("58.5"), "height": Decimal(155), "saturation": None,
}  # fmt: skip


def made() -> list[dict[str, Any]]:
    problem = Problem(code_of("I10"), "", "2014", "confirmed")
    return [
        *resources.vital_signs(Vitals(NOW, FIGURES), ENTRY),
        resources.note(Note("exam", "Đau bụng", NOW), ENTRY),
        resources.problem(problem, ENTRY, recorded=NOW),
        resources.problem(Problem(None, "Hội chứng hiếm", "", "provisional"), ENTRY, recorded=NOW),
        resources.allergy(Allergy("Penicillin", "medication", "high", "phản vệ", "2019"), ENTRY, recorded=NOW),
        resources.allergy(Allergy("", "", "", "", ""), ENTRY, recorded=NOW),
    ]


class TestShapes:
    @pytest.mark.parametrize("resource", made(), ids=lambda item: item["resourceType"])
    def test_every_shape_is_valid_r4(self, resource: dict[str, Any]) -> None:
        assert list(validate(resource, expected_type=resource["resourceType"])) == []

    @pytest.mark.parametrize("resource", made(), ids=lambda item: item["resourceType"])
    def test_every_shape_says_whose_it_is(self, resource: dict[str, Any]) -> None:
        assert (resource.get("subject") or resource.get("patient")) == {"reference": "Patient/p1"}


class TestVitalSigns:
    def test_pressure_is_one_panel(self) -> None:
        panel = resources.vital_signs(Vitals(NOW, FIGURES), ENTRY)[0]
        assert [part["valueQuantity"]["value"] for part in panel["component"]] == [128, 82]

    def test_what_was_not_measured_is_not_recorded(self) -> None:
        codes = [item["code"]["coding"][0]["code"] for item in resources.vital_signs(Vitals(NOW, FIGURES), ENTRY)]
        assert "59408-5" not in codes

    def test_bmi_follows_from_weight_and_height(self) -> None:
        bmi = resources.vital_signs(Vitals(NOW, FIGURES), ENTRY)[-1]
        assert bmi["valueQuantity"]["value"] == Decimal("24.3")

    def test_the_last_figures_are_read_back(self) -> None:
        found = resources.last_figures(resources.vital_signs(Vitals(NOW, FIGURES), ENTRY), ZoneInfo("UTC"))
        assert found["systolic"].value == 128
        assert found["temperature"].value == Decimal("36.8")


class TestNote:
    def test_the_words_stand_in_the_record_itself(self) -> None:
        note = resources.note(Note("exam", "Đau bụng", NOW), ENTRY)
        assert base64.b64decode(note["content"][0]["attachment"]["data"]).decode() == "Đau bụng"

    def test_nobody_has_signed_it(self) -> None:
        assert resources.note(Note("exam", "x", NOW), ENTRY)["docStatus"] == "preliminary"

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from emr.web.moments import Age, age_at, local, shown
from emr.web.patient import build_banner, full_name, half_hidden
from tests.chart.people import HOA, NOW

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def banner(
    patient: dict[str, object] = HOA, allergies: list[dict[str, object]] | None = None, **more: object
) -> object:
    return build_banner(patient, allergies or [], more.get("coverages", []), now=NOW, zone=ZONE)  # type: ignore[arg-type]


class TestBanner:
    def test_the_name_stands_in_capitals(self) -> None:
        assert banner().name == "NGUYỄN THỊ HOA"

    def test_the_record_number_is_shown_in_full_and_the_card_half(self) -> None:
        assert [(item.label, item.shown) for item in banner().identifiers] == [
            ("Mã", "HS-004821"),
            ("CCCD", "079159••••34"),
        ]

    def test_the_insurance_is_valid_until_its_last_day(self) -> None:
        assert banner().insurance.valid
        assert banner().insurance.until.date() == date(2026, 12, 31)

    def test_an_insurance_that_ended_is_not_valid(self) -> None:
        ended = {
            "resourceType": "Coverage",
            "status": "active",
            "subscriberId": "GD4797912800128",
            "period": {"end": "2026-11-21"},
        }
        assert not banner(coverages=[ended]).insurance.valid

    def test_nobody_asked_is_not_the_same_as_none(self) -> None:
        none = {"code": {"coding": [{"code": "716186003"}]}, "clinicalStatus": {"coding": [{"code": "active"}]}}
        assert (banner().allergies_denied, banner(allergies=[none]).allergies_denied) == (False, True)

    @pytest.mark.parametrize(
        "state",
        [
            {"clinicalStatus": {"coding": [{"code": "resolved"}]}},
            {"verificationStatus": {"coding": [{"code": "refuted"}]}},
        ],
    )
    def test_an_allergy_that_no_longer_counts_is_left_out(self, state: dict[str, object]) -> None:
        assert banner(allergies=[{"code": {"text": "Aspirin"}} | state]).allergies == ()

    def test_the_dangerous_allergy_stands_first(self) -> None:
        mild, grave = {"code": {"text": "Bụi nhà"}}, {"code": {"text": "Penicillin"}, "criticality": "high"}
        assert [item.name for item in banner(allergies=[mild, grave]).allergies] == ["Penicillin", "Bụi nhà"]

    def test_a_patient_without_anything_still_has_a_strip(self) -> None:
        empty = banner({"resourceType": "Patient", "id": "x"})
        assert (empty.name, empty.sex, empty.insurance) == ("CHƯA RÕ TÊN", "Chưa rõ giới", None)


class TestName:
    def test_family_comes_first(self) -> None:
        assert full_name({"name": [{"family": "Trần", "given": ["Văn", "Đức"]}]}) == "Trần Văn Đức"

    def test_the_official_name_wins_over_an_old_one(self) -> None:
        names = [
            {"use": "old", "text": "Con bà Lan"},
            {"use": "usual", "text": "Bi"},
            {"use": "official", "text": "Trần Gia Bảo"},
        ]
        assert full_name({"name": names}) == "Trần Gia Bảo"

    def test_a_name_without_family_is_said_as_it_is(self) -> None:
        assert full_name({"name": [{"given": ["A", "Páo"]}]}) == "A Páo"


class TestAge:
    @pytest.mark.parametrize(
        ("birth", "age"),
        [
            ("2026-11-20", Age("{n} ngày tuổi", 2)),
            ("2026-09-23", Age("{n} tháng tuổi", 1)),
            ("2025-09-22", Age("{n} tháng tuổi", 14)),
            ("2023-11-22", Age("{n} tuổi", 3)),
            ("1959-11-23", Age("{n} tuổi", 66)),
            ("1959", Age("khoảng {n} tuổi", 67)),
            (None, Age("chưa rõ tuổi")),
            ("rubbish-in", Age("chưa rõ tuổi")),
        ],
    )
    def test_age_is_said_in_the_unit_of_the_ward(self, birth: str | None, age: Age) -> None:
        assert age_at(birth, date(2026, 11, 22)) == age


class TestMoments:
    def test_an_instant_is_said_in_the_hospitals_zone(self) -> None:
        assert local("2026-11-21T20:30:00Z", ZONE) == datetime(2026, 11, 22, 3, 30, tzinfo=ZONE)

    @pytest.mark.parametrize(
        ("value", "text"),
        [("1959-03-12", "12/03/1959"), ("1959-03", "03/1959"), ("1959", "1959"), (None, ""), ("x", "")],
    )
    def test_no_more_precision_than_was_recorded(self, value: str | None, text: str) -> None:
        assert shown(value, ZONE) == text

    def test_an_aware_moment_is_kept(self) -> None:
        assert local(datetime(2026, 1, 1, tzinfo=UTC), ZONE).hour == 7  # type: ignore[union-attr]


class TestHalfHidden:
    def test_a_short_number_is_shown(self) -> None:
        assert half_hidden("12345678") == "12345678"

    def test_the_middle_of_a_long_one_is_hidden(self) -> None:
        assert half_hidden("079159004834") == "079159••••34"

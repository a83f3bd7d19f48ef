from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from emr.consultation import policy
from emr.consultation.codes import code_of, codes, find_codes
from emr.web.forms import Form

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = datetime(2026, 11, 22, 2, 30, tzinfo=UTC).astimezone(ZONE)
GROWN, CHILD, INFANT = 800, 30, 4


def vitals(months: int | None = GROWN, **fields: str) -> tuple[Form, policy.Vitals]:
    form = Form.of(fields)
    return form, policy.vitals_of(form, months=months, now=NOW, zone=ZONE)


class TestVitals:
    def test_plausible_figures_are_taken(self) -> None:
        form, found = vitals(systolic="128", diastolic="82", pulse="76", temperature="36,8", saturation="98")
        assert form.ok
        assert found.figures["temperature"] == Decimal("36.8")

    def test_an_empty_form_is_refused(self) -> None:
        assert "systolic" in vitals()[0].refusals

    def test_one_figure_of_the_pressure_alone_is_refused(self) -> None:
        assert "diastolic" in vitals(systolic="120")[0].refusals

    def test_diastolic_above_systolic_is_refused(self) -> None:
        assert "diastolic" in vitals(systolic="80", diastolic="120")[0].refusals

    @pytest.mark.parametrize(
        ("field", "typed"),
        [("pulse", "400"), ("temperature", "52"), ("saturation", "101"), ("weight", "500"), ("pain", "11")],
    )
    def test_the_impossible_is_refused(self, field: str, typed: str) -> None:
        assert field in vitals(**{field: typed})[0].refusals

    @pytest.mark.parametrize(("field", "typed"), [("pulse", "170"), ("temperature", "41"), ("saturation", "80")])
    def test_the_unusual_is_asked_again(self, field: str, typed: str) -> None:
        form, _ = vitals(**{field: typed})
        assert (list(form.doubts), form.ok) == ([field], False)

    def test_the_unusual_that_was_confirmed_is_taken(self) -> None:
        assert vitals(pulse="170", confirmed="yes")[0].ok

    def test_an_infants_pulse_is_usual_for_an_infant(self) -> None:
        assert vitals(INFANT, pulse="165")[0].ok

    def test_a_childs_weight_is_not_unusual_for_a_child(self) -> None:
        assert vitals(CHILD, weight="12,4")[0].ok

    def test_an_unknown_age_counts_as_grown_up(self) -> None:
        assert not vitals(None, pulse="165")[0].ok


class TestNote:
    def test_a_note_needs_words(self) -> None:
        form = Form.of({"kind": "exam", "text": "   "})
        policy.note_of(form, now=NOW, zone=ZONE)
        assert "text" in form.refusals

    def test_a_kind_of_our_list_only(self) -> None:
        form = Form.of({"kind": "other", "text": "x"})
        policy.note_of(form, now=NOW, zone=ZONE)
        assert "kind" in form.refusals


class TestProblem:
    def test_a_code_of_the_list_is_taken(self) -> None:
        form = Form.of({"code": "I10", "since": "2014", "certainty": "confirmed"})
        assert policy.problem_of(form, now=NOW).code.vietnamese == "Tăng huyết áp vô căn"
        assert form.ok

    def test_own_words_are_enough(self) -> None:
        form = Form.of({"text": "Hội chứng hiếm"})
        policy.problem_of(form, now=NOW)
        assert form.ok

    @pytest.mark.parametrize("fields", [{}, {"code": "XX"}, {"code": "I10", "since": "1/1/2030"}])
    def test_what_says_nothing_or_cannot_be_is_refused(self, fields: dict[str, str]) -> None:
        form = Form.of(fields)
        policy.problem_of(form, now=NOW)
        assert not form.ok


class TestAllergy:
    def test_a_substance_and_its_kind_are_needed(self) -> None:
        form = Form.of({})
        policy.allergy_of(form, now=NOW)
        assert set(form.refusals) == {"substance", "category"}

    def test_nothing_known_is_an_answer(self) -> None:
        form = Form.of({"none": "yes"})
        assert policy.allergy_of(form, now=NOW).substance == ""
        assert form.ok

    def test_nothing_known_and_a_substance_contradict_each_other(self) -> None:
        form = Form.of({"none": "yes", "substance": "Penicillin"})
        policy.allergy_of(form, now=NOW)
        assert not form.ok


class TestCodes:
    def test_there_are_enough_and_each_once(self) -> None:
        assert len(codes()) >= 150
        assert len({item.code for item in codes()}) == len(codes())

    @pytest.mark.parametrize(
        ("typed", "code"),
        [
            ("dai thao duong tip 2", "E11.9"),
            ("E11.9", "E11.9"),
            ("i10", "I10"),
            ("tip duong 2 thao", "E11.9"),
            ("pneumonia", "J18.9"),
            ("sốt xuất huyết", "A90"),
        ],
    )
    def test_codes_are_found_without_accents_in_any_order_in_both_languages(self, typed: str, code: str) -> None:
        assert code in [item.code for item in find_codes(typed)]

    @pytest.mark.parametrize("typed", ["", "  ", "zzz", "'; DROP"])
    def test_nothing_fits_nothing(self, typed: str) -> None:
        assert list(find_codes(typed)) == []

    def test_an_unknown_code_is_none(self) -> None:
        assert code_of("Z99.999") is None

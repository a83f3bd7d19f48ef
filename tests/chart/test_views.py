from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.chart.readings import readings
from emr.chart.results import grouped, result_rows
from emr.chart.views import Fit, Gathered, chart_view, fit
from tests.chart.people import (
    HOA,
    NOW,
    concept,
    condition,
    days_ago,
    encounter,
    hoa,
    in_category,
    medicine,
    observation,
    pressure,
    text_note,
)

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def view(**lists: object) -> object:
    return chart_view(Gathered(patient=HOA, **lists), now=NOW, zone=ZONE)  # type: ignore[arg-type]


class TestChart:
    def test_a_patient_without_anything_has_a_chart(self) -> None:
        empty = view()
        assert (empty.problems, empty.medicines, empty.results, empty.visits, empty.vitals.rows) == ((), (), (), (), ())

    def test_the_whole_of_a_patient_is_there(self) -> None:
        chart = chart_view(hoa(), now=NOW, zone=ZONE)
        assert len(chart.problems) == 4
        assert len(chart.past_problems) == 1
        assert len(chart.medicines) == 3
        assert chart.fresh == 10
        assert [row.title for row in chart.notes] == ["Khám bệnh", "Tái khám"]
        assert [row.title for row in chart.papers] == ["Giấy ra viện", "Phiếu chuyển cơ sở"]


class TestFit:
    @pytest.mark.parametrize(
        ("wanted", "shown"),
        [
            ((1, 4, 5), (1, 4, 5)),
            ((3, 5, 3), (3, 3, 3)),
            ((0, 9, 9), (0, 4, 4)),
            ((9, 9, 9), (3, 2, 3)),
            ((0, 0, 0), (0, 0, 0)),
        ],
    )
    def test_the_left_column_fits_a_ward_pc(self, wanted: tuple[int, int, int], shown: tuple[int, int, int]) -> None:
        assert fit(*wanted) == Fit(*shown)

    @given(st.tuples(*[st.integers(0, 30)] * 4))
    def test_nothing_is_shown_that_is_not_there_and_two_always_are(self, wanted: tuple[int, int, int, int]) -> None:
        shown = fit(*wanted[:3], past=wanted[3])
        assert min(2, wanted[1]) <= shown.problems <= wanted[1]
        assert min(2, wanted[2]) <= shown.medicines <= wanted[2]
        assert shown.allergies == min(3, wanted[0])


class TestProblems:
    def test_what_was_refuted_or_an_error_is_left_out(self) -> None:
        assert view(conditions=[condition("Gút", "M10.9", "2020", certainty="refuted")]).problems == ()

    def test_one_code_stands_once(self) -> None:
        twice = [condition("Tăng huyết áp", "I10", "2014"), condition("Tăng huyết áp", "I10", "2020")]
        assert len(view(conditions=twice).problems) == 1

    def test_what_is_only_suspected_says_so(self) -> None:
        assert not view(conditions=[condition("Lao", "A16.2", "2026", certainty="provisional")]).problems[0].certain

    def test_a_snomed_tag_is_taken_off(self) -> None:
        said = {
            **condition("x", "1", "2020"),
            "code": {"coding": [{"code": "195967001", "display": "Asthma (disorder)"}]},
        }
        assert view(conditions=[said]).problems[0].name == "Asthma"


class TestMedicines:
    def test_the_dose_is_amount_times_a_day(self) -> None:
        assert view(medicines=[medicine("Metformin 850 mg", "sau ăn", 2)]).medicines[0].dose == "1 × 2"

    def test_a_supply_that_ends_soon_is_said(self) -> None:
        assert view(medicines=[medicine("A", "", 1, 6)]).medicines[0].left.values == {"n": 6}

    def test_a_supply_that_lasts_is_not(self) -> None:
        assert view(medicines=[medicine("A", "", 1, 30)]).medicines[0].left is None

    def test_a_supply_that_is_over_stands_last(self) -> None:
        rows = view(medicines=[medicine("A", "", 1, -3), medicine("B", "", 1, 20)]).medicines
        assert [(row.name, row.ended) for row in rows] == [("B", False), ("A", True)]

    def test_a_stopped_medicine_is_not_current(self) -> None:
        assert view(medicines=[medicine("A", "", 1) | {"status": "stopped"}]).medicines == ()


class TestVitals:
    def test_pressure_is_one_row_with_both_figures(self) -> None:
        rows = view(observations=[in_category("vital-signs", pressure("168", "96", days_ago(0.1)))]).vitals.rows
        assert (rows[0].name, rows[0].cells[0].text, rows[0].cells[0].sign) == ("Huyết áp", "168/96", "▲")

    def test_measurements_close_together_are_one_occasion(self) -> None:
        signs = [
            pressure("120", "80", "2026-11-21T08:00:00+07:00"),
            observation("8867-4", "80", "/min", "2026-11-21T08:20:00+07:00"),
        ]
        table = view(observations=[in_category("vital-signs", item) for item in signs]).vitals
        assert len(table.occasions) == 1
        assert [row.cells[0].text for row in table.rows] == ["120/80", "80"]

    def test_what_was_not_measured_is_a_gap(self) -> None:
        signs = [observation("8867-4", "80", "/min", days_ago(0)), observation("8310-5", "36.8", "Cel", days_ago(9))]
        table = view(observations=[in_category("vital-signs", item) for item in signs]).vitals
        assert table.rows[0].cells[1] is None

    def test_a_child_is_not_measured_by_the_ranges_of_grown_ups(self) -> None:
        child = {**HOA, "birthDate": "2024-01-01"}
        signs = [in_category("vital-signs", observation("8867-4", "130", "/min", days_ago(0)))]
        found = Gathered(patient=child, observations=signs)
        assert chart_view(found, now=NOW, zone=ZONE).vitals.rows[0].cells[0].sign == ""

    def test_two_points_make_a_line(self) -> None:
        signs = [in_category("vital-signs", observation("8867-4", "80", "/min", days_ago(at))) for at in (0, 9)]
        line = view(observations=signs).vitals.rows[0].line
        assert len(line.lines[0].split()) == 2
        assert line.band is not None


class TestResults:
    def test_above_the_reference_is_high(self) -> None:
        found = readings([observation("2823-3", "5.4", "mmol/L", days_ago(0), range=("3.5", "5.1"))], ZONE)
        assert (found[0].flag, found[0].sign, found[0].name) == ("high", "▲", "Kali")

    def test_the_laboratory_may_say_it_is_critical(self) -> None:
        said = {"interpretation": [{"coding": [{"code": "HH"}]}]}
        found = readings([observation("2823-3", "7.1", "mmol/L", days_ago(0)) | said], ZONE)
        assert found[0].critical

    def test_a_value_is_kept_as_recorded(self) -> None:
        assert str(readings([observation("4548-4", "7.80", "%", days_ago(0))], ZONE)[0].shown) == "7.80"

    def test_machine_made_digits_are_cut(self) -> None:
        assert str(readings([observation("4548-4", "7.834567891", "%", days_ago(0))], ZONE)[0].shown) == "7.83"

    def test_a_word_is_said_and_flagged(self) -> None:
        item = observation("75377-2", None, "", days_ago(0)) | {
            "valueCodeableConcept": {"coding": [{"code": "10828004"}]},
            "interpretation": [{"coding": [{"code": "POS"}]}],
        }
        found = readings([item], ZONE)
        assert (found[0].text, found[0].sign) == ("dương tính", "◆")

    def test_an_error_is_left_out(self) -> None:
        assert (
            readings([observation("2823-3", "5", "mmol/L", days_ago(0)) | {"status": "entered-in-error"}], ZONE) == []
        )

    def test_the_abnormal_of_a_day_stand_first(self) -> None:
        items = [
            observation("2951-2", "140", "mmol/L", days_ago(0), range=("135", "145")),
            observation("2823-3", "6.0", "mmol/L", days_ago(0), range=("3.5", "5.1")),
        ]
        assert [row.name for row in result_rows(readings(items, ZONE), NOW.astimezone(ZONE))] == ["Kali", "Natri"]

    def test_what_came_within_three_days_is_new(self) -> None:
        items = [observation("2951-2", "140", "mmol/L", days_ago(2)), observation("2823-3", "4", "mmol/L", days_ago(4))]
        assert [row.is_new for row in result_rows(readings(items, ZONE), NOW.astimezone(ZONE))] == [True, False]

    def test_the_laboratorys_headings_stand_in_its_order(self) -> None:
        items = [observation(code, "4", "x", days_ago(0)) for code in ("no-such", "718-7", "2823-3", "2951-2")]
        groups = grouped(result_rows(readings(items, ZONE), NOW.astimezone(ZONE)))
        names = [(group, [row.name for row in rows]) for group, rows in groups]
        assert names == [("Sinh hóa", ["Natri", "Kali"]), ("Huyết học", ["Hemoglobin"]), ("Khác", ["no-such"])]

    def test_units_are_written_as_on_a_ward(self) -> None:
        assert readings([observation("14682-9", "98", "umol/L", days_ago(0))], ZONE)[0].unit == "µmol/L"

    def test_a_float_never_comes_in_between(self) -> None:
        assert readings([observation("2823-3", "0.1", "mmol/L", days_ago(0))], ZONE)[0].value == Decimal("0.1")


class TestVisits:
    def test_the_year_is_said_where_it_changes(self) -> None:
        rows = view(encounters=[encounter("AMB", 10, 10, "Ho", "BS"), encounter("AMB", 500, 500, "Sốt", "BS")]).visits
        assert [row.begins_year for row in rows] == [True, True]

    def test_a_stay_says_its_days(self) -> None:
        assert view(encounters=[encounter("IMP", 20, 15, "Viêm phổi", "BS")]).visits[0].days == 6

    def test_a_visit_under_way_says_so(self) -> None:
        assert (
            view(encounters=[encounter("AMB", 0.1, 0, "Ho", "BS", status="in-progress")]).visits[0].state == "đang khám"
        )


class TestNotes:
    def test_the_words_of_a_note_are_read(self) -> None:
        assert view(documents=[text_note("Khám", "Đau bụng", days_ago(1), "BS. An")]).notes[0].text == "Đau bụng"

    def test_a_damaged_note_is_empty_and_breaks_nothing(self) -> None:
        broken = text_note("Khám", "x", days_ago(1), "BS")
        broken["content"][0]["attachment"]["data"] = "@@@"
        assert view(documents=[broken]).notes[0].text == ""

    def test_a_long_note_is_cut_at_a_word(self) -> None:
        excerpt = view(documents=[text_note("Khám", "từ " * 200, days_ago(1), "BS")]).notes[0].excerpt
        assert excerpt.endswith("từ …")


class TestForeignData:
    def test_resources_with_next_to_nothing_do_not_break_the_page(self) -> None:
        bare = Gathered(
            patient={"resourceType": "Patient", "id": "x"},
            allergies=[{"resourceType": "AllergyIntolerance"}],
            conditions=[{"resourceType": "Condition"}],
            medicines=[{"resourceType": "MedicationRequest", "status": "active"}],
            observations=[
                {"resourceType": "Observation"},
                {"effectiveDateTime": "2020", "category": [{"coding": [{"code": "laboratory"}]}]},
            ],
            encounters=[{"resourceType": "Encounter"}],
            documents=[{"resourceType": "DocumentReference", "status": "current"}],
            studies=[{"resourceType": "ImagingStudy"}],
            immunizations=[{"resourceType": "Immunization", "status": "completed"}],
        )
        assert chart_view(bare, now=NOW, zone=ZONE).banner.name == "CHƯA RÕ TÊN"

    def test_the_views_are_values(self) -> None:
        chart = chart_view(replace(hoa(), coverages=[]), now=NOW, zone=ZONE)
        assert concept("x") == {"text": "x"}
        assert hash(chart.problems[0]) == hash(chart.problems[0])

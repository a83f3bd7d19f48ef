from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from emr.chart.lines import plot, spark
from emr.chart.readings import readings
from emr.chart.trend import trend_view
from tests.chart.people import days_ago, observation, pressure

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


class TestTrend:
    def test_pressure_is_drawn_with_both_lines(self) -> None:
        found = readings([pressure("150", "90", days_ago(at)) for at in (1, 30, 60)], ZONE)
        view = trend_view(found, "8480-6", 800)
        assert (view.name, len(view.plot.lines), len(view.rows)) == ("Huyết áp", 2, 3)
        assert view.rows[0].second.value == 90

    def test_the_page_of_the_diastolic_is_the_same_page(self) -> None:
        found = readings([pressure("150", "90", days_ago(at)) for at in (1, 30)], ZONE)
        assert trend_view(found, "8462-4", 800) == trend_view(found, "8480-6", 800)

    def test_nothing_known_is_nothing(self) -> None:
        assert trend_view([], "no-such-code", 800) is None

    def test_a_known_code_without_values_has_an_empty_page(self) -> None:
        assert trend_view([], "4548-4", 800).name == "HbA1c"

    def test_the_reference_band_is_drawn_though_the_values_lie_above_it(self) -> None:
        items = [
            observation("4548-4", value, "%", days_ago(at), range=("4.0", "5.6"))
            for value, at in (("7.2", 1), ("7.5", 90))
        ]
        assert trend_view(readings(items, ZONE), "4548-4", 800).plot.band is not None


class TestLines:
    @given(st.lists(st.tuples(st.decimals(-1000, 1000, places=2), st.integers(0, 4000)), min_size=2, max_size=40))
    def test_every_point_lies_on_the_paper(self, points: list[tuple[object, int]]) -> None:
        series = readings([observation("x", str(value), "u", days_ago(at)) for value, at in points], ZONE)
        drawn = plot([series], (None, None))
        assert all(drawn.left <= mark.x <= drawn.right and drawn.top <= mark.y <= drawn.bottom for mark in drawn.points)
        small = spark([series], (None, None))
        assert all(0 <= mark.x <= small.width and 0 <= mark.y <= small.height for mark in small.marks)

    def test_one_point_is_no_line(self) -> None:
        assert spark([readings([observation("x", "1", "u", days_ago(0))], ZONE)], (None, None)) is None

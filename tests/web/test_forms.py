from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.web.forms import Form, Range, fhir_date

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = datetime(2026, 11, 22, 2, 30, tzinfo=UTC).astimezone(ZONE)
PULSE = Range((Decimal(10), Decimal(300)), (Decimal(40), Decimal(150)))
WARMTH = Range((Decimal(25), Decimal(45)), (Decimal(35), Decimal(40)), 1)


class TestFigure:
    @pytest.mark.parametrize(("typed", "value"), [("36,8", "36.8"), ("36.8", "36.8"), (" 37 ", "37")])
    def test_comma_and_point_are_both_understood(self, typed: str, value: str) -> None:
        assert Form.of({"t": typed}).figure("t", "Nhiệt độ", WARMTH) == Decimal(value)

    def test_an_empty_field_is_no_figure_and_no_mistake(self) -> None:
        form = Form.of({"t": "  "})
        assert (form.figure("t", "Nhiệt độ", WARMTH), form.ok) == (None, True)

    @pytest.mark.parametrize("typed", ["abc", "1e3", "-5", "12,5,1", "٣٧", "0x10", "99999999"])
    def test_what_is_no_figure_is_refused(self, typed: str) -> None:
        form = Form.of({"p": typed})
        assert form.figure("p", "Mạch", PULSE) is None
        assert "p" in form.refusals

    def test_the_impossible_is_refused(self) -> None:
        form = Form.of({"p": "301"})
        form.figure("p", "Mạch", PULSE)
        assert form.refusals["p"].values["high"] == Decimal(300)

    def test_decimals_where_none_belong_are_refused(self) -> None:
        form = Form.of({"p": "80,5"})
        form.figure("p", "Mạch", PULSE)
        assert "p" in form.refusals

    def test_the_unusual_is_asked_again(self) -> None:
        form = Form.of({"p": "180"})
        assert form.figure("p", "Mạch", PULSE) == Decimal(180)
        assert not form.ok

    def test_the_unusual_is_kept_when_confirmed(self) -> None:
        form = Form.of({"p": "180", "confirmed": "yes"})
        form.figure("p", "Mạch", PULSE)
        assert form.ok

    def test_confirming_does_not_help_the_impossible(self) -> None:
        form = Form.of({"p": "500", "confirmed": "yes"})
        form.figure("p", "Mạch", PULSE)
        assert not form.ok

    @given(st.text(max_size=30))
    def test_anything_typed_is_understood_or_refused(self, typed: str) -> None:
        form = Form.of({"p": typed})
        value = form.figure("p", "Mạch", PULSE)
        assert value is None or Decimal(10) <= value <= Decimal(300)


class TestText:
    def test_text_is_kept_in_nfc(self) -> None:
        assert Form.of({"n": "Nguyê\u0303n"}).text("n") == "Nguyễn"

    def test_control_characters_are_dropped(self) -> None:
        assert Form.of({"n": "a\x00b\x07c\nd"}).text("n") == "abc\nd"

    def test_what_is_required_and_empty_is_refused(self) -> None:
        form = Form.of({"n": "  "})
        form.text("n", required="Hãy viết")
        assert form.refusals["n"].text == "Hãy viết"

    def test_too_long_is_refused(self) -> None:
        form = Form.of({"n": "x" * 201})
        form.text("n")
        assert form.refusals["n"].values == {"limit": 200}

    def test_a_choice_outside_the_list_is_refused(self) -> None:
        form = Form.of({"c": "9"})
        assert (form.choice("c", {"1": ""}), "c" in form.refusals) == ("", True)


class TestMoment:
    def test_a_moment_is_of_the_hospitals_zone(self) -> None:
        moment = Form.of({"w": "22/11/2026 09:15"}).moment("w", zone=ZONE, now=NOW)
        assert moment.isoformat() == "2026-11-22T09:15:00+07:00"

    def test_the_time_alone_is_today(self) -> None:
        assert Form.of({"w": "08:05"}).moment("w", zone=ZONE, now=NOW).isoformat() == "2026-11-22T08:05:00+07:00"

    def test_nothing_is_now(self) -> None:
        assert Form.of({}).moment("w", zone=ZONE, now=NOW) == NOW

    @pytest.mark.parametrize("typed", ["31/02/2026 09:00", "2026-11-22", "22/11/2026", "09:61", "sáng nay"])
    def test_what_is_no_moment_is_refused(self, typed: str) -> None:
        form = Form.of({"w": typed})
        form.moment("w", zone=ZONE, now=NOW)
        assert "w" in form.refusals

    def test_the_future_is_refused(self) -> None:
        form = Form.of({"w": "22/11/2026 09:45"})
        form.moment("w", zone=ZONE, now=NOW)
        assert "w" in form.refusals


class TestDay:
    @pytest.mark.parametrize(
        ("typed", "value"),
        [("5/3/2024", "2024-03-05"), ("05-03-2024", "2024-03-05"), ("3/2024", "2024-03"), ("2019", "2019"), ("", "")],
    )
    def test_days_months_and_years_are_understood(self, typed: str, value: str) -> None:
        form = Form.of({"d": typed})
        assert (form.day("d", today=date(2026, 11, 22)), form.ok) == (value, True)

    @pytest.mark.parametrize("typed", ["32/1/2024", "13/2024", "1/1/24", "hôm qua", "23/11/2026", "12/2026", "2027"])
    def test_what_is_no_day_or_lies_ahead_is_refused(self, typed: str) -> None:
        form = Form.of({"d": typed})
        form.day("d", today=date(2026, 11, 22))
        assert not form.ok

    @given(st.dates(min_value=date(1900, 1, 1), max_value=date(2099, 12, 31)))
    def test_a_day_as_it_is_written_here_is_itself(self, day: date) -> None:
        assert fhir_date(day.strftime("%d/%m/%Y")) == day.isoformat()


class TestKey:
    def test_a_key_of_another_form_is_dropped(self) -> None:
        assert Form.of({"_key": "../../etc"}).key == ""

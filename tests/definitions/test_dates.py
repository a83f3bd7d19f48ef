"""Dates as ranges, with the examples of https://hl7.org/fhir/R4/search.html#date."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.definitions.dates import FAR_FUTURE, FAR_PAST, range_of

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


class TestRangeOf:
    @pytest.mark.parametrize(
        ("text", "low", "high"),
        [
            ("2013", utc(2012, 12, 31, 17), utc(2013, 12, 31, 17)),
            ("2013-12", utc(2013, 11, 30, 17), utc(2013, 12, 31, 17)),
            ("2024-02", utc(2024, 1, 31, 17), utc(2024, 2, 29, 17)),
            ("2013-01-14", utc(2013, 1, 13, 17), utc(2013, 1, 14, 17)),
            ("2013-01-14T10:00", utc(2013, 1, 14, 3), utc(2013, 1, 14, 3, 1)),
            ("2013-01-14T10:00:30", utc(2013, 1, 14, 3, 0, 30), utc(2013, 1, 14, 3, 0, 31)),
            ("2013-01-14T10:00Z", utc(2013, 1, 14, 10), utc(2013, 1, 14, 10, 1)),
            ("2013-01-14T10:00:00-05:30", utc(2013, 1, 14, 15, 30), utc(2013, 1, 14, 15, 30, 1)),
            ("2013-01-14T10:00:00.5Z", utc(2013, 1, 14, 10, 0, 0, 500_000), utc(2013, 1, 14, 10, 0, 0, 600_000)),
            ("2013-01-14T10:00:00.123Z", utc(2013, 1, 14, 10, 0, 0, 123_000), utc(2013, 1, 14, 10, 0, 0, 124_000)),
            (
                "2013-01-14T10:00:00.123456789Z",
                utc(2013, 1, 14, 10, 0, 0, 123_456),
                utc(2013, 1, 14, 10, 0, 0, 123_457),
            ),
            ("2016-12-31T23:59:60Z", utc(2017, 1, 1), utc(2017, 1, 1, 0, 0, 1)),
        ],
    )
    def test_a_range_at_the_precision_given(self, text: str, low: datetime, high: datetime) -> None:
        assert range_of(text, HANOI) == (low, high)

    @pytest.mark.parametrize(
        ("text", "low", "high"),
        [
            ("0001", FAR_PAST, utc(1, 12, 31, 16, 53, 30)),
            ("9999", utc(9998, 12, 31, 17), FAR_FUTURE),
            ("9999-12", utc(9999, 11, 30, 17), FAR_FUTURE),
            ("9999-12-31T23:59:59Z", utc(9999, 12, 31, 23, 59, 59), FAR_FUTURE),
            ("0001-01-01T00:00:00+14:00", FAR_PAST, FAR_PAST + timedelta(seconds=1)),
            ("9999-12-31T23:59:59-14:00", FAR_FUTURE, FAR_FUTURE),
        ],
    )
    def test_the_ends_of_the_calendar(self, text: str, low: datetime, high: datetime) -> None:
        assert range_of(text, HANOI) == (low, high)

    def test_old_days_are_in_the_offset_of_their_time(self) -> None:
        assert range_of("1970-01-01", HANOI).low == utc(1969, 12, 31, 16)

    @pytest.mark.parametrize(
        "text",
        ["", "x", "201", "2026-13", "2026-02-30", "2026-00", "0000", "2026-01-01T24:00", "2026-01-01T10", "2026-01-01T10:60",
         "2026-1-1", "٢٠٢٦", "2026-01-01Z", "99999", "2026-01-01T10:00:61Z", " 2026", "9999-99-99"],
    )  # fmt: skip
    def test_what_is_no_date(self, text: str) -> None:
        with pytest.raises(ValueError):
            range_of(text, HANOI)

    @given(MOMENTS, st.integers(-14 * 60, 14 * 60))
    def test_a_moment_lies_in_the_range_of_each_of_its_precisions(self, moment: datetime, offset: int) -> None:
        zone = timezone(timedelta(minutes=offset))
        local = moment.replace(tzinfo=zone)
        for text in (f"{local:%Y}", f"{local:%Y-%m}", f"{local:%Y-%m-%d}", local.isoformat(timespec="seconds")):
            low, high = range_of(text, zone)
            assert low <= local < high

    @given(MOMENTS)
    def test_days_of_a_month_fill_it_without_a_gap(self, moment: datetime) -> None:
        month = range_of(f"{moment:%Y-%m}", HANOI)
        day, end = range_of(f"{moment:%Y-%m}-01", HANOI)
        assert day == month.low
        while end < month.high:
            following = range_of(f"{end.astimezone(HANOI):%Y-%m-%d}", HANOI)
            assert following.low == end
            end = following.high
        assert end == month.high

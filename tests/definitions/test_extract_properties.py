"""Extraction against slow, obvious references: dates of every precision and zone, and codes of every form."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from emr.definitions.extract import extract
from emr.definitions.search import number_of
from emr.definitions.values import Date, Token
from tests.definitions.samples import observation

ZONES = st.sampled_from(["Asia/Ho_Chi_Minh", "UTC", "America/New_York", "Pacific/Apia"])
MOMENTS = st.datetimes(min_value=datetime(1901, 1, 1), max_value=datetime(2199, 12, 31))  # noqa: DTZ001 - local times
OFFSETS = st.integers(min_value=-14 * 4, max_value=14 * 4).map(lambda quarter: quarter * 15)
CODES = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() == text)
SYSTEMS = st.none() | st.sampled_from(["http://loinc.org", "urn:a|b", "urn:á"])


def dated(text: str, zone: str) -> tuple[datetime, datetime]:
    resource = observation(effectiveDateTime=text)
    ((_, low, high),) = [v for v in extract("Observation", resource, ZoneInfo(zone)).values if isinstance(v, Date)]
    return low, high


def start_of(moment: datetime, zone: str) -> datetime:
    return moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


class TestDates:
    @given(MOMENTS, ZONES)
    def test_a_day_is_from_midnight_to_midnight_of_the_hospital(self, moment: datetime, zone: str) -> None:
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        expected = start_of(day, zone), start_of(day + timedelta(days=1), zone)
        assert dated(f"{day:%Y-%m-%d}", zone) == expected

    @given(MOMENTS, ZONES)
    def test_a_month_ends_where_the_next_begins(self, moment: datetime, zone: str) -> None:
        first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = (first + timedelta(days=32)).replace(day=1)
        assert dated(f"{first:%Y-%m}", zone) == (start_of(first, zone), start_of(following, zone))

    @given(MOMENTS, ZONES)
    def test_a_year_is_twelve_months(self, moment: datetime, zone: str) -> None:
        first = moment.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
        assert dated(f"{first:%Y}", zone) == (start_of(first, zone), start_of(first.replace(year=first.year + 1), zone))

    @given(MOMENTS, OFFSETS, ZONES)
    def test_a_second_with_its_offset_is_the_same_everywhere(self, moment: datetime, offset: int, zone: str) -> None:
        there = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=offset)))
        low = there.astimezone(UTC)
        assert dated(there.isoformat(), zone) == (low, low + timedelta(seconds=1))

    @given(MOMENTS, st.integers(min_value=1, max_value=6), ZONES)
    def test_a_fraction_is_as_wide_as_its_last_digit(self, moment: datetime, digits: int, zone: str) -> None:
        width = 10 ** (6 - digits)
        moment = moment.replace(microsecond=moment.microsecond // width * width, tzinfo=UTC)
        text = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}"[: 20 + digits] + "Z"
        assert dated(text, zone) == (moment, moment + timedelta(microseconds=width))

    @given(MOMENTS, MOMENTS, ZONES)
    def test_a_period_is_from_the_start_of_one_day_to_the_end_of_another(
        self, one: datetime, other: datetime, zone: str
    ) -> None:
        first, last = sorted((one, other))
        period = {"start": f"{first:%Y-%m-%d}", "end": f"{last:%Y-%m-%d}"}
        resource = observation(effectivePeriod=period)
        ((_, low, high),) = [v for v in extract("Observation", resource, ZoneInfo(zone)).values if isinstance(v, Date)]
        assert (low, high) == (dated(period["start"], zone)[0], dated(period["end"], zone)[1])


class TestTokens:
    @given(st.lists(st.tuples(SYSTEMS, CODES), min_size=1, max_size=5))
    def test_each_coding_once_with_its_own_system(self, codings: list[tuple[str | None, str]]) -> None:
        written = [{"code": code} | ({"system": system} if system else {}) for system, code in codings]
        found = extract("Observation", observation(code={"coding": written}))
        tokens = [(v.system, v.code) for v in found.values if isinstance(v, Token) and v.path == "Observation.code"]
        assert sorted(tokens, key=repr) == sorted(set(codings), key=repr)
        assert number_of("code") in found.present

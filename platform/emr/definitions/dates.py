"""Dates as ranges of moments (https://hl7.org/fhir/R4/search.html#date): `2026-02` is all of February."""

import functools
import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

FAR_PAST: Final = datetime.min.replace(tzinfo=UTC)
FAR_FUTURE: Final = datetime.max.replace(tzinfo=UTC)

_PARTS = re.compile(
    r"(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
).fullmatch


class Range(NamedTuple):
    """Moments from `low` up to, not including, `high`; both in UTC. An open end is FAR_PAST or FAR_FUTURE."""

    low: datetime
    high: datetime


@functools.lru_cache(maxsize=4_096)
def range_of(text: str, zone: tzinfo) -> Range:
    """The range that a date, dateTime or instant covers at the precision in which it is written.

    What was noted together says the same moment, so the last few thousand are kept.

    Also takes what only searches may send: minutes without seconds, a time without a zone. What has no zone is in
    `zone`. Raises ValueError.
    """
    found = _PARTS(text)
    if found is None:
        raise ValueError("not a date")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if hour is None:
        return _days(int(year), int(month or 0), int(day or 0), zone)
    leap = second == "60"
    start = datetime(  # noqa: DTZ001 - the zone follows
        int(year),
        int(month),
        int(day),
        int(hour),
        int(minute),
        59 if leap else int(second or 0),
        _microseconds(fraction),
    )
    if leap:
        start = _later(start, timedelta(seconds=1))
    low = _in_utc(start, _zone(offset, zone))
    return Range(low, _later(low, _width(second, fraction)))


def _days(year: int, month: int, day: int, zone: tzinfo) -> Range:
    start = datetime(year, month or 1, day or 1)  # noqa: DTZ001 - the zone follows
    if day:
        end = _later(start, timedelta(days=1))
    elif month:
        end = _first(year + month // 12, month % 12 + 1)
    else:
        end = _first(year + 1, 1)
    return Range(_in_utc(start, zone), FAR_FUTURE if end.year == 9999 and end.month == 12 else _in_utc(end, zone))


def _first(year: int, month: int) -> datetime:
    return datetime(year, month, 1) if year < 10_000 else datetime.max  # noqa: DTZ001, DTZ901 - the zone follows


def _microseconds(fraction: str | None) -> int:
    return int(fraction[:6].ljust(6, "0")) if fraction else 0


def _width(second: str | None, fraction: str | None) -> timedelta:
    if second is None:
        return timedelta(minutes=1)
    if fraction is None:
        return timedelta(seconds=1)
    return timedelta(microseconds=10 ** max(0, 6 - len(fraction)))


def _zone(offset: str | None, zone: tzinfo) -> tzinfo | timedelta:
    if offset is None:
        return zone
    if offset == "Z":
        return timedelta(0)
    east = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
    return -east if offset[0] == "-" else east


def _in_utc(local: datetime, zone: tzinfo | timedelta) -> datetime:
    """Clamped at the ends of the calendar, where a shift would leave it."""
    try:
        if isinstance(zone, timedelta):
            return (local - zone).replace(tzinfo=UTC)
        return local.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return FAR_PAST if local.year < 5000 else FAR_FUTURE


def _later(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return datetime.max.replace(tzinfo=moment.tzinfo)

"""Dates as ranges of moments, in microseconds since the year 1 (search.html#date)."""

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

HOSPITAL = ZoneInfo("Asia/Ho_Chi_Minh")
NEVER, ALWAYS = float("-inf"), float("inf")
_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_WRITTEN = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)(T(?P<time>\d\d:\d\d)(:(?P<second>\d\d)(\.(?P<part>\d+))?)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?"
)


class Span(NamedTuple):
    """From `low` up to, not including, `high`."""

    low: float
    high: float


def number_of(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def span(text: str) -> Span:
    """What a date covers at the precision in which it is written; without a zone it is the hospital's."""
    found = _WRITTEN.fullmatch(text)
    assert found, text
    year, month, day = (int(found[each] or 0) for each in ("year", "month", "day"))
    if not found["time"]:
        after = (year, month, day + 1) if day else (year, month + 1, 1) if month else (year + 1, 1, 1)
        return Span(_midnight(year, month or 1, day or 1), _midnight(*after))
    hour, minute = map(int, found["time"].split(":"))
    part = found["part"]
    moment = datetime(year, month, day, hour, minute, tzinfo=_zone(found["zone"]))
    low = (
        number_of(moment.astimezone(UTC)) + int(found["second"] or 0) * 1_000_000 + int((part or "0").ljust(6, "0")[:6])
    )
    width = 60_000_000 if not found["second"] else 10 ** (6 - len(part)) if part else 1_000_000
    return Span(low, low + width)


def period(value: dict[str, Any]) -> Span:
    """Open at an end that is missing (search.html#date)."""
    low = span(value["start"]).low if "start" in value else NEVER
    high = span(value["end"]).high if "end" in value else ALWAYS
    return Span(low, high)


def spans(kind: str, value: Any) -> list[Span]:
    """The range of a value of a data type; a Timing has its outer bounds."""
    if kind == "Period":
        return [period(value)]
    if kind != "Timing":
        return [span(value)]
    found = [span(each) for each in value.get("event", ())]
    bounds = value.get("repeat", {}).get("boundsPeriod")
    found += [period(bounds)] if bounds else []
    return [Span(min(each.low for each in found), max(each.high for each in found))] if found else []


def fits(prefix: str, stored: Span, asked: Span, now: datetime) -> bool:
    """platform/docs/search.md, "Prefixes", the column of dates."""
    low, high = stored
    start, end = asked
    equal = low >= start and high <= end
    if prefix == "ap":
        margin = Fraction(abs(number_of(now) - start)) / 10
        return low < end + margin and high > start - margin
    return {
        "eq": equal,
        "ne": not equal,
        "gt": high > end,
        "lt": low < start,
        "ge": high > end or equal,
        "le": low < start or equal,
        "sa": low >= end,
        "eb": high <= start,
    }[prefix]


def changed(prefix: str, moment: float, asked: Span, now: datetime) -> bool:
    """The same of the moment of a last change, which is a point."""
    start, end = asked
    if prefix == "ap":
        margin = Fraction(abs(number_of(now) - start)) / 10
        return start - margin <= moment < end + margin
    inside = start <= moment < end
    return {
        "eq": inside,
        "ne": not inside,
        "gt": moment >= end,
        "sa": moment >= end,
        "lt": moment < start,
        "eb": moment < start,
        "ge": moment >= start,
        "le": moment < end,
    }[prefix]


def _midnight(year: int, month: int, day: int) -> float:
    """The first moment of a day, which may be the one after the last of a month; the calendar ends with 9999."""
    try:
        local = datetime(year + month // 13, month % 13 + month // 13, 1) + timedelta(days=day - 1)  # noqa: DTZ001
    except (OverflowError, ValueError):
        return ALWAYS
    return number_of(local.replace(tzinfo=HOSPITAL).astimezone(UTC))


def _zone(text: str | None) -> Any:
    if text is None:
        return HOSPITAL
    return UTC if text == "Z" else datetime.fromisoformat(f"2000-01-01T00:00:00{text}").tzinfo

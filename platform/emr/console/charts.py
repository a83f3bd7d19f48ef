"""Lines over time as numbers for an SVG. Pure geometry; nothing is drawn where nothing is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from emr.console.figures import GIB, Requests, Storage

WIDTH: Final = 380
HEIGHT: Final = 136
LEFT: Final = 38
RIGHT: Final = 370
TOP: Final = 10
BOTTOM: Final = 112
_QUARTER: Final = timedelta(minutes=15)
_NICE: Final = (1, 2, 2.5, 5, 10)

Point = tuple[float, float]


class Tick(NamedTuple):
    """A label at a place of an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """lines: points of each polyline; a gap in what is known begins a new one. wrong: of what went wrong.

    limit: where the limit lies, None for none. ahead: how it may go on.
    """

    lines: tuple[str, ...]
    wrong: tuple[str, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    limit: float | None = None
    ahead: tuple[str, ...] = ()


def requests_chart(found: Sequence[tuple[datetime, Requests]], end: datetime, zone: ZoneInfo) -> Chart | None:
    """Requests a minute over a day, and of these the errors."""
    quarters = _quarters(found)
    asked = {at: each.requests / 15 for at, each in quarters.items()}
    failed = {at: each.errors / 15 for at, each in quarters.items() if each.errors}
    return _of_a_day(asked, failed, end, zone)


def p95_chart(found: Sequence[tuple[datetime, Requests]], end: datetime, zone: ZoneInfo) -> Chart | None:
    """Milliseconds within which 95 of 100 requests were answered, each quarter of an hour of a day."""
    quarters = _quarters(found)
    return _of_a_day({at: each.p95 * 1000 for at, each in quarters.items() if each.p95 is not None}, {}, end, zone)


def storage_chart(
    found: Sequence[tuple[date, int, int]], storage: Storage | None, today: date, days: int
) -> Chart | None:
    """GiB in use by day, and how it goes on for a third of the time shown if nothing changes."""
    if not found or storage is None:
        return None
    begin, ahead = today - timedelta(days=days), days // 3
    span = _moment(begin), _moment(today + timedelta(days=ahead))
    known = [(_moment(day), used / GIB) for day, used, _ in found]
    grown = (storage.per_day or 0) * ahead / GIB
    later = [known[-1], (span[1], max(0.0, known[-1][1] + grown))] if storage.per_day is not None else []
    most = storage.most / GIB
    peak = max([each[1] for each in (*known, *later)])
    scale = _Scale(span, _nice(most if most and most <= peak * 4 else peak))
    limit = scale.y(most) if most and most <= scale.high else None
    steps = [begin + timedelta(days=each) for each in range(0, days + ahead, 30)]
    across = tuple(Tick(scale.x(_moment(day)), day.strftime("%d/%m")) for day in steps)
    return Chart((scale.line(known),), (), across, scale.ticks(), limit, (scale.line(later),) if later else ())


@dataclass(frozen=True, slots=True)
class _Scale:
    span: tuple[float, float]
    high: float

    def x(self, moment: float) -> float:
        share = (moment - self.span[0]) / (self.span[1] - self.span[0])
        return round(LEFT + share * (RIGHT - LEFT), 1)

    def y(self, value: float) -> float:
        return round(BOTTOM - value / self.high * (BOTTOM - TOP), 1)

    def line(self, points: Sequence[Point]) -> str:
        return " ".join(f"{self.x(moment)},{self.y(value)}" for moment, value in points)

    def ticks(self) -> tuple[Tick, ...]:
        return tuple(Tick(self.y(self.high * part), f"{self.high * part:g}") for part in (0.0, 0.5, 1.0))


def _of_a_day(
    values: dict[datetime, float], wrong: dict[datetime, float], end: datetime, zone: ZoneInfo
) -> Chart | None:
    if not values:
        return None
    begin = end - timedelta(hours=24)
    scale = _Scale((begin.timestamp(), end.timestamp()), _nice(max(values.values())))
    first = begin.astimezone(zone).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    hours = [first + timedelta(hours=each) for each in range(24)]
    across = tuple(Tick(scale.x(each.timestamp()), each.strftime("%H:%M")) for each in hours if each.hour % 4 == 0)
    lines = tuple(scale.line(run) for run in _runs(values))
    return Chart(lines, tuple(scale.line(run) for run in _runs(wrong)), across, scale.ticks())


def _quarters(found: Sequence[tuple[datetime, Requests]]) -> dict[datetime, Requests]:
    quarters: dict[datetime, Requests] = {}
    for at, each in found:
        begin = datetime.fromtimestamp(at.timestamp() // _QUARTER.total_seconds() * _QUARTER.total_seconds(), UTC)
        quarters[begin] = quarters.get(begin, Requests()) + each
    return quarters


def _runs(values: dict[datetime, float]) -> list[list[Point]]:
    """Points that follow each other without a gap. One that stands alone is drawn as long as it lasts."""
    runs: list[list[Point]] = []
    last: datetime | None = None
    for at in sorted(values):
        if last is None or at - last > _QUARTER:
            runs.append([])
        runs[-1].append((at.timestamp(), values[at]))
        last = at
    return [run if len(run) > 1 else [run[0], (run[0][0] + _QUARTER.total_seconds(), run[0][1])] for run in runs]


def _nice(value: float) -> float:
    """The next round figure from which up nothing is."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    while power > value:
        power /= 10
    return next(step * power for step in _NICE if step * power >= value)


def _moment(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()

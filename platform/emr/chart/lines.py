"""Trend lines as numbers for an SVG: sparklines in tables and the large plot of one value over time. Pure geometry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from emr.chart.readings import Flag, Reading
from emr.web.i18n import Said, mark

WIDTH, HEIGHT, MARGIN = 100, 20, 3.5


class Mark(NamedTuple):
    """A point that is drawn: kind high, low or last."""

    x: float
    y: float
    kind: str


@dataclass(frozen=True)
class Spark:
    """A small line. band: top and height of the reference range. lines: the points of each polyline."""

    lines: tuple[str, ...]
    marks: tuple[Mark, ...]
    band: tuple[float, float] | None
    says: Said
    width: int = WIDTH
    height: int = HEIGHT


class Tick(NamedTuple):
    """A grid line with its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Plot:
    """Large lines with axes; of two, the second is drawn broken."""

    lines: tuple[str, ...]
    points: tuple[Mark, ...]
    band: tuple[float, float] | None
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    limits: tuple[Tick, ...] = ()
    width: int = 880
    height: int = 260
    left: int = 52
    right: int = 868
    top: int = 12
    bottom: int = 228


@dataclass(frozen=True)
class _Scale:
    begin: float
    end: float
    low: float
    high: float

    def x(self, moment: datetime, left: float, right: float) -> float:
        span = self.end - self.begin
        share = (moment.timestamp() - self.begin) / span if span else 0.5
        return round(left + share * (right - left), 1)

    def y(self, value: float, top: float, bottom: float) -> float:
        return round(bottom - (value - self.low) / (self.high - self.low) * (bottom - top), 1)


def spark(series: Sequence[Sequence[Reading]], bounds: tuple[Decimal | None, Decimal | None]) -> Spark | None:
    """One line for each series of readings (systolic and diastolic are two), newest first; None below two points."""
    numeric = [[item for item in line if item.value is not None][::-1] for line in series]
    points = [item for line in numeric for item in line]
    if max((len(line) for line in numeric), default=0) < 2:
        return None
    scale = _scale(points, bounds)
    low, high = MARGIN, HEIGHT - MARGIN
    lines = tuple(
        " ".join(f"{_x(scale, item)},{scale.y(_figure(item), low, high)}" for item in line) for line in numeric
    )
    lasts = [line[-1] for line in numeric if line]
    marks = tuple(Mark(_x(scale, item), scale.y(_figure(item), low, high), _kind(item.flag)) for item in lasts)
    return Spark(lines, marks, _band(scale, bounds, 0, HEIGHT), _says(numeric[0]))


def plot(
    series: Sequence[Sequence[Reading]], bounds: tuple[Decimal | None, Decimal | None], limits: Sequence[Decimal] = ()
) -> Plot | None:
    """The large lines of one value, or of two that belong together, newest first; None below two points.

    limits: values that are drawn as broken lines across, where a band would say too much.
    """
    numeric = [[item for item in line if item.value is not None][::-1] for line in series]
    if max((len(line) for line in numeric), default=0) < 2:
        return None
    everything = sorted((item for line in numeric for item in line), key=lambda item: item.when)
    scale = _scale(everything, bounds, nearness=10)
    frame = Plot((), (), None, (), ())
    drawn = [[_point(scale, frame, item) for item in line] for line in numeric]
    return Plot(
        lines=tuple(" ".join(f"{point.x},{point.y}" for point in line) for line in drawn),
        points=tuple(point for line in drawn for point in line),
        band=_band(scale, bounds, frame.top, frame.bottom),
        across=_across(everything, [_point(scale, frame, item) for item in everything]),
        up=_ticks(scale, frame, _steps(scale)),
        limits=_ticks(scale, frame, [value for value in limits if scale.low < float(value) < scale.high]),
    )


def _ticks(scale: _Scale, frame: Plot, values: Sequence[Decimal]) -> tuple[Tick, ...]:
    return tuple(Tick(scale.y(float(value), frame.top, frame.bottom), f"{value.normalize():f}") for value in values)


def _point(scale: _Scale, frame: Plot, item: Reading) -> Mark:
    x = scale.x(item.when, frame.left + 14, frame.right - 14)
    return Mark(x, scale.y(_figure(item), frame.top, frame.bottom), _kind(item.flag))


def _x(scale: _Scale, item: Reading) -> float:
    return scale.x(item.when, MARGIN, WIDTH - MARGIN)


def _figure(item: Reading) -> float:
    return float(item.value or 0)


def _kind(flag: Flag) -> str:
    return flag if flag in ("high", "low") else "last"


def _scale(points: Sequence[Reading], bounds: tuple[Decimal | None, Decimal | None], *, nearness: float = 1) -> _Scale:
    """The span of the values, and of the reference range where it is near enough not to flatten them."""
    values = [_figure(item) for item in points]
    low, high = min(values), max(values)
    spread = (high - low) or max(abs(high) * 0.1, 1.0)
    for bound in bounds:
        if bound is not None and low - spread * nearness <= float(bound) <= high + spread * nearness:
            low, high = min(low, float(bound)), max(high, float(bound))
    room = ((high - low) or spread) * 0.12
    times = [item.when.timestamp() for item in points]
    return _Scale(min(times), max(times), low - room, high + room)


def _band(
    scale: _Scale, bounds: tuple[Decimal | None, Decimal | None], top: float, bottom: float
) -> tuple[float, float] | None:
    low, high = bounds
    if low is None and high is None:
        return None
    upper = scale.y(min(float(high), scale.high), top, bottom) if high is not None else top
    lower = scale.y(max(float(low), scale.low), top, bottom) if low is not None else bottom
    return (upper, round(lower - upper, 1)) if lower > upper else None


def _says(line: Sequence[Reading]) -> Said:
    first, last = line[0], line[-1]
    return Said(
        mark("{count} lần đo, từ {first} đến {last} {unit}"),
        {"count": len(line), "first": first.value, "last": last.value, "unit": last.unit},
    )


def _across(line: Sequence[Reading], points: Sequence[Mark]) -> tuple[Tick, ...]:
    """At most eight dates, none on top of another."""
    ticks: list[Tick] = []
    for item, point in zip(line, points, strict=True):
        if not ticks or point.x - ticks[-1].at >= 96:
            ticks.append(Tick(point.x, item.when.strftime("%d/%m/%Y")))
    return tuple(ticks)


def _steps(scale: _Scale) -> list[Decimal]:
    """Four to eight round values within the scale."""
    rough = (scale.high - scale.low) / 5
    power = Decimal(10) ** (Decimal(str(rough)).adjusted())
    step = next(power * factor for factor in (1, 2, 5, 10) if float(power * factor) >= rough)
    at = (Decimal(str(scale.low)) // step + 1) * step
    found = []
    while float(at) < scale.high:
        found.append(at)
        at += step
    return found

"""The table of vital signs: the last occasions side by side, each row with its line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from emr.chart.lines import Spark, spark
from emr.chart.readings import Flag, Reading, neat
from emr.web.i18n import mark

SYSTOLIC, DIASTOLIC = "8480-6", "8462-4"
OCCASION = timedelta(minutes=45)
ADULT = 16


class Bounds(NamedTuple):
    """Where a value of a grown-up usually lies."""

    low: Decimal | None
    high: Decimal | None


class Sign(NamedTuple):
    """One vital sign: its name, its unit, its LOINC codes, the range of grown-ups."""

    name: str
    unit: str
    codes: tuple[str, ...]
    bounds: Bounds


def _bounds(low: str | None, high: str | None) -> Bounds:
    return Bounds(Decimal(low) if low else None, Decimal(high) if high else None)


PRESSURE = Sign(mark("Huyết áp"), "mmHg", (SYSTOLIC,), _bounds("90", "139"))
_LOWER = _bounds("60", "89")
SIGNS = (
    PRESSURE,
    Sign(mark("Mạch"), "lần/phút", ("8867-4",), _bounds("60", "100")),
    Sign(mark("Nhiệt độ"), "°C", ("8310-5", "8331-1"), _bounds("36", "37.5")),
    Sign("SpO₂", "%", ("59408-5", "2708-6"), _bounds("94", None)),
    Sign(mark("Nhịp thở"), "lần/phút", ("9279-1",), _bounds("12", "20")),
    Sign(mark("Cân nặng"), "kg", ("29463-7", "3141-9"), _bounds(None, None)),
    Sign(mark("Chiều cao"), "cm", ("8302-2", "8306-3"), _bounds(None, None)),
    Sign("BMI", "kg/m²", ("39156-5",), _bounds("18.5", "24.9")),
    Sign(mark("Đau"), "/10", ("72514-3",), _bounds(None, "3")),
)


class Cell(NamedTuple):
    """A value in the table, with its sign and its class."""

    text: str
    sign: str
    tone: str


@dataclass(frozen=True)
class VitalRow:
    """One sign: a cell for each occasion, None where it was not measured, and its line."""

    name: str
    unit: str
    code: str
    cells: tuple[Cell | None, ...]
    line: Spark | None


@dataclass(frozen=True)
class Vitals:
    """The table. occasions: newest first."""

    occasions: tuple[datetime, ...]
    rows: tuple[VitalRow, ...]


def vital_table(found: Sequence[Reading], *, years: int | None, columns: int = 3) -> Vitals:
    """The last occasions of measuring. years: the age, by whose range figures are flagged; None: not at all."""
    by_code: dict[str, list[Reading]] = {}
    for item in found:
        by_code.setdefault(item.code, []).append(item)
    measured = sorted({item.when for item in found if _is_vital(item)}, reverse=True)
    times = _occasions(measured)[:columns]
    rows = [_row(sign, by_code, times, grown=years is not None and years >= ADULT) for sign in SIGNS]
    return Vitals(tuple(times), tuple(row for row in rows if any(row.cells) or row.line))


def flagged_signs(found: Sequence[Reading], months: int | None) -> list[Reading]:
    """The readings with flags by the ranges of grown-ups, where the source gave none and the patient is one."""
    if months is None or months < ADULT * 12:
        return list(found)
    usual = {code: sign.bounds for sign in SIGNS for code in sign.codes} | {DIASTOLIC: _LOWER}
    return [_flagged(item, usual.get(item.code, Bounds(None, None))) for item in found]


def _is_vital(item: Reading) -> bool:
    return any(item.code in sign.codes for sign in SIGNS)


def _occasions(moments: Sequence[datetime]) -> list[datetime]:
    """Moments that lie close together are one occasion, named by its newest."""
    found: list[datetime] = []
    for moment in moments:
        if not found or found[-1] - moment > OCCASION:
            found.append(moment)
    return found


def _row(sign: Sign, by_code: Mapping[str, list[Reading]], times: Sequence[datetime], *, grown: bool) -> VitalRow:
    series = [item for code in sign.codes for item in by_code.get(code, ())]
    bounds = sign.bounds if grown else Bounds(None, None)
    second = by_code.get(DIASTOLIC, []) if sign is PRESSURE else []
    flagged = [_flagged(item, bounds) for item in series]
    lower = [_flagged(item, _LOWER if grown else bounds) for item in second]
    cells = tuple(_cell(_at(flagged, time), _at(lower, time) if second else None) for time in times)
    lines = [flagged[:24]] if not second else [flagged[:24], lower[:24]]
    code = sign.codes[0] if not series else series[0].code
    return VitalRow(sign.name, sign.unit, code, cells, spark(lines, bounds))


def _flagged(item: Reading, bounds: Bounds) -> Reading:
    """The reading with a flag from the bounds, where the source gave none."""
    if item.flag or item.value is None:
        return item
    flag: Flag = ""
    if bounds.high is not None and item.value > bounds.high:
        flag = "high"
    elif bounds.low is not None and item.value < bounds.low:
        flag = "low"
    return item if not flag else Reading(**{**item.__dict__, "flag": flag})


def _at(series: Sequence[Reading], time: datetime) -> Reading | None:
    return next((item for item in series if timedelta(0) <= time - item.when <= OCCASION), None)


def _cell(first: Reading | None, second: Reading | None) -> Cell | None:
    if first is None or first.value is None:
        return None
    text = format(neat(first.value), "f")
    worst = first
    if second is not None and second.value is not None:
        text = f"{text}/{neat(second.value):f}"
        worst = first if first.flag else second
    return Cell(text, worst.sign, worst.tone)

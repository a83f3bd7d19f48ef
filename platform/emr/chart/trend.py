"""View model of one value over time: the large lines and every figure. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from emr.chart.lexicon import lexicon
from emr.chart.lines import Plot, plot
from emr.chart.readings import Reading
from emr.chart.vitals import DIASTOLIC, PRESSURE, SIGNS, SYSTOLIC, Bounds, flagged_signs

_NAMES = {code: sign.name for sign in SIGNS for code in sign.codes}
PANELS = {SYSTOLIC: "85354-9", DIASTOLIC: "85354-9"}
"""What is asked for instead, because the value stands inside it."""


@dataclass(frozen=True)
class TrendRow:
    """One moment: a value, and the one that belongs to it (diastolic), if any."""

    when: datetime
    value: Reading
    second: Reading | None


@dataclass(frozen=True)
class Trend:
    """The page. bounds: the reference range that is drawn."""

    name: str
    rows: tuple[TrendRow, ...]
    plot: Plot | None
    bounds: tuple[Decimal | None, Decimal | None]


def trend_view(found: Sequence[Reading], code: str, months: int | None) -> Trend | None:
    """The values of this LOINC code, newest first; None when there are none and nobody knows the code."""
    signs = flagged_signs(found, months)
    wanted = SYSTOLIC if code in PANELS else code
    series = [item for item in signs if item.code == wanted]
    second = [item for item in signs if item.code == DIASTOLIC] if wanted == SYSTOLIC else []
    term = lexicon().terms.get(code)
    if not series and term is None:
        return None
    beside = {item.when: item for item in second}
    bounds = _bounds(series, months)
    return Trend(
        name=_NAMES.get(wanted) or (term.name if term else series[0].name),
        rows=tuple(TrendRow(item.when, item, beside.get(item.when)) for item in series),
        plot=plot([series, second] if second else [series], bounds),
        bounds=bounds,
    )


def _bounds(series: Sequence[Reading], months: int | None) -> tuple[Decimal | None, Decimal | None]:
    if not series:
        return Bounds(None, None)
    if series[0].low is not None or series[0].high is not None:
        return series[0].low, series[0].high
    return PRESSURE.bounds if series[0].code == SYSTOLIC and (months or 0) >= 16 * 12 else Bounds(None, None)

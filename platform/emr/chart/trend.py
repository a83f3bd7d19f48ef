"""View model of one value over time: the large lines and every figure. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from emr.chart.lexicon import lexicon
from emr.chart.lines import Plot, plot
from emr.chart.readings import Reading
from emr.chart.vitals import ADULT, DIASTOLIC, SIGNS, SYSTOLIC, flagged_signs

_NAMES = {code: sign.name for sign in SIGNS for code in sign.codes}
LIMITS = (Decimal(140), Decimal(90))
"""From here on the pressure of a grown-up is called high: one line for each of its two figures."""
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
    """The page."""

    name: str
    rows: tuple[TrendRow, ...]
    plot: Plot | None


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
    grown = months is not None and months >= ADULT * 12
    bounds = (series[0].low, series[0].high) if series else (None, None)
    return Trend(
        name=_NAMES.get(wanted) or (term.name if term else series[0].name),
        rows=tuple(TrendRow(item.when, item, beside.get(item.when)) for item in series),
        plot=plot([series, second] if second else [series], bounds, LIMITS if second and grown else ()),
    )

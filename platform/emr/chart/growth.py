"""How a child grows: the last weight, height and head circumference, the change since, and the line. Pure.

The curves of the WHO are not drawn yet: they need its tables with their licence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from emr.chart.lines import Spark, spark
from emr.chart.readings import Reading, neat
from emr.web.i18n import Said, mark
from emr.web.moments import DAYS_OF_A_MONTH

_MEASURES = (
    (mark("Cân nặng"), ("29463-7", "3141-9")),
    (mark("Chiều cao"), ("8302-2", "8306-3")),
    (mark("Vòng đầu"), ("9843-4", "8287-5")),
)
FAR_ENOUGH = timedelta(days=25)
"""Two measurements closer than this say more about the scales than about the child."""


@dataclass(frozen=True)
class GrowthRow:
    """One measure. change: since an earlier measurement, None when there is none to compare with."""

    name: str
    latest: Reading
    change: Said | None
    line: Spark | None


def growth_rows(found: Sequence[Reading]) -> tuple[GrowthRow, ...]:
    """What was ever measured, newest first in each series."""
    rows = []
    for name, codes in _MEASURES:
        series = [item for item in found if item.code in codes and item.value is not None]
        if series:
            rows.append(GrowthRow(name, series[0], _change(series), spark([series[:24]], (None, None))))
    return tuple(rows)


def _change(series: Sequence[Reading]) -> Said | None:
    latest = series[0]
    before = next((item for item in series[1:] if latest.when - item.when >= FAR_ENOUGH), None)
    if before is None or before.value is None or latest.value is None or before.unit != latest.unit:
        return None
    months = max(1, round((latest.when - before.when).days / DAYS_OF_A_MONTH))
    by = neat(latest.value - before.value)
    values: dict[str, object] = {"by": abs(by), "unit": latest.unit, "n": months}
    if by == Decimal(0):
        return Said(mark("không đổi sau {n} tháng"), {"n": months})
    return Said(mark("tăng {by} {unit} sau {n} tháng") if by > 0 else mark("giảm {by} {unit} sau {n} tháng"), values)

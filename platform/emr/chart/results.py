"""Results: one row for each thing that was measured, the newest value first, what is new and abnormal on top."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from emr.chart.lexicon import lexicon
from emr.chart.lines import Spark, spark
from emr.chart.readings import Reading
from emr.web.i18n import mark

NEW_FOR = timedelta(days=3)
OTHER = mark("Khác")
UNKNOWN = 9_999
"""The place of what the lexicon does not know."""


@dataclass(frozen=True)
class ResultRow:
    """One thing that was measured. is_new: it came within three days. earlier: the values before, newest first."""

    code: str
    name: str
    group: str
    latest: Reading
    earlier: tuple[Reading, ...]
    line: Spark | None
    is_new: bool

    @property
    def range(self) -> tuple[Decimal | None, Decimal | None]:
        """The reference range of the newest value."""
        return self.latest.low, self.latest.high


def result_rows(found: Sequence[Reading], now: datetime) -> list[ResultRow]:
    """Rows by day, newest day first; within a day the abnormal ones, then the laboratory's order."""
    by_code: dict[str, list[Reading]] = {}
    for item in found:
        by_code.setdefault(item.code, []).append(item)
    rows = [_row(code, series, now) for code, series in by_code.items()]
    return sorted(rows, key=_place)


def grouped(rows: Sequence[ResultRow]) -> list[tuple[str, list[ResultRow]]]:
    """Rows under the laboratory's headings, in the laboratory's order; what nobody knows comes last."""
    ordered = sorted(rows, key=lambda row: (_order(row.code), row.name))
    groups: dict[str, list[ResultRow]] = {}
    for row in ordered:
        groups.setdefault(row.group, []).append(row)
    return sorted(groups.items(), key=lambda pair: _order(pair[1][0].code))


def new_ones(rows: Sequence[ResultRow]) -> int:
    """How many are new."""
    return sum(row.is_new for row in rows)


def _row(code: str, series: Sequence[Reading], now: datetime) -> ResultRow:
    latest = series[0]
    term = lexicon().terms.get(code)
    return ResultRow(
        code=code,
        name=latest.name,
        group=term.group if term else OTHER,
        latest=latest,
        earlier=tuple(series[1:4]),
        line=spark([[item for item in series if item.unit == latest.unit][:24]], (latest.low, latest.high)),
        is_new=now - latest.when <= NEW_FOR,
    )


def _place(row: ResultRow) -> tuple[int, bool, bool, int, str]:
    day = -row.latest.when.date().toordinal()
    return (day, not row.latest.critical, not row.latest.flag, _order(row.code), row.name)


def _order(code: str) -> int:
    term = lexicon().terms.get(code)
    return term.order if term else UNKNOWN

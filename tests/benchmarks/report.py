"""What was measured, as tables and as bench.json: each size for itself, and all sizes side by side."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.benchmarks.load import Result
from tests.benchmarks.machine import description

_TOLD: Final = {
    "per_second": "{}/s",
    "per_cpu_second": "{}/CPU s",
    "p50_ms": "p50 {}",
    "p95_ms": "p95 {}",
    "p99_ms": "p99 {}",
    "worst_p95_ms": "worst p95 {}",
    "bytes_each": "{} bytes",
    "broken": "{} broken",
    "failed": "{} failed",
    "duplicates": "{} twice",
    "others_cores": "others {}",
}
"""The figures that sizes are compared by; milliseconds, unless they say otherwise."""


@dataclass(frozen=True)
class Scale:
    """So many times the sample data in one hospital, beside so many others with a little."""

    times: int
    hospitals: int

    def __str__(self) -> str:
        return f"{self.times}x, {self.hospitals} hospital{'s' * (self.hospitals > 1)}"


@dataclass(frozen=True)
class Round:
    """What was measured at one size, and the seconds that it took with the loading."""

    scale: Scale
    results: Sequence[Result]
    seconds: float


def show(done: Round) -> None:
    """One size, with every figure."""
    title = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {description()}, {done.scale}, {done.seconds:.0f} s"
    table = Table("id", "what", "figures", title=title)
    for each in done.results:
        table.add_row(each.id, each.what, "  ".join(f"{name} {value}" for name, value in each.figures.items()))
    Console(width=160).print(table)


def show_sizes(rounds: Sequence[Round]) -> None:
    """A row for each benchmark and a column for each size; then how the median of the searches grows with the data."""
    table = Table("what", *(str(each.scale) for each in rounds), title="by size")
    found = [{_name(each): _told(each) for each in done.results} for done in rounds]
    for name in dict.fromkeys(name for of in found for name in of):
        cells = [of.get(name, "") for of in found]
        if any(cells):
            table.add_row(name, *cells)
    Console(width=40 + 24 * len(rounds)).print(table)
    for hospitals in dict.fromkeys(each.scale.hospitals for each in rounds):
        medians = {
            done.scale.times: p50 for done in rounds if done.scale.hospitals == hospitals for p50 in _searches(done)
        }
        if len(medians) > 1:
            least, most = min(medians), max(medians)
            Console().print(
                f"B3 over {hospitals}: p50 at {most}x is {medians[most] / medians[least]:.2f} times that at {least}x (at most 1.4)"
            )


def keep(rounds: Sequence[Round]) -> None:
    """All figures in bench.json."""
    kept = {
        "machine": description(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "sizes": [
            {
                "times": done.scale.times,
                "hospitals": done.scale.hospitals,
                "results": [{"id": each.id, "what": each.what} | each.figures for each in done.results],
            }
            for done in rounds
        ],
    }
    Path("bench.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _name(result: Result) -> str:
    return f"{result.id} {result.what}"


def _told(result: Result) -> str:
    return ", ".join(said.format(result.figures[name]) for name, said in _TOLD.items() if name in result.figures)


def _searches(done: Round) -> list[float]:
    return [float(each.figures["p50_ms"]) for each in done.results if each.id == "B3" and "per_second" in each.figures]

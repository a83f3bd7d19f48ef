"""The kinds of paper that a hospital files, from `data/papers.json`."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any, Final

LOINC: Final = "http://loinc.org"
OTHER: Final = "34109-9"
"""What a paper is when nobody has said."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A kind of paper: its LOINC code and LOINC's own name, the Vietnamese name, and when it may be chosen."""

    code: str
    display: str
    vi: str
    valid_from: date
    valid_to: date | None

    def valid(self, day: date) -> bool:
        """Whether it may be chosen on this day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@functools.cache
def papers() -> Mapping[str, Paper]:
    """Every kind by its code, in the order in which a list shows them."""
    read = json.loads(files("emr.documents").joinpath("data/papers.json").read_text("utf-8"))
    return {item["code"]: _paper(item) for item in read["papers"]}


def choices(day: date) -> tuple[tuple[str, str], ...]:
    """Code and Vietnamese name of what may be chosen on a day."""
    return tuple((paper.code, paper.vi) for paper in papers().values() if paper.valid(day))


def _paper(item: Mapping[str, Any]) -> Paper:
    until = item["valid_to"]
    return Paper(
        code=item["code"],
        display=item["display"],
        vi=item["vi"],
        valid_from=date.fromisoformat(item["valid_from"]),
        valid_to=date.fromisoformat(until) if until else None,
    )

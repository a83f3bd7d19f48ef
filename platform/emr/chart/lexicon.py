"""How this house calls what is measured: LOINC code → Vietnamese name and group; UCUM unit → what a ward writes.

The words are data (`lexicon.json`); the English ones stand in the room's catalogue like every other text.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("lexicon.json")


@dataclass(frozen=True)
class Term:
    """One thing that is measured. order: its place among results of the same day."""

    name: str
    group: str
    order: int


@dataclass(frozen=True)
class Lexicon:
    """All of them."""

    terms: Mapping[str, Term]
    units: Mapping[str, str]


@cache
def lexicon() -> Lexicon:
    """The data file, read at the first use."""
    data = json.loads(FILE.read_text(encoding="utf-8"))
    terms = {
        code: Term(name, group, order)
        for order, (group, name, codes) in enumerate(
            (group, name, codes) for group, rows in data["results"].items() for name, codes in rows.items()
        )
        for code in codes
    }
    return Lexicon(terms=terms, units=data["units"])

"""What an import is going to bring, known before the first of it is stored.

References may point forwards, and in circles: an Encounter names its diagnoses, which name the Encounter. So an import
reads its files twice. The first time it notes every name and reserves a pk for it; the second time it stores, and a
reference to what is still to come has its target already. A name is held as 64 bits of hash: two of a million
names share one with a probability of 3 in 100 million, and then a line would be refused and reported.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from json import JSONDecodeError, loads
from typing import Any, Final

from emr.records.bulk.lines import Line
from emr.work.unit import UnitOfWork

_HEAD: Final = re.compile(
    rb'\s*\{\s*"resourceType"\s*:\s*"([A-Za-z]{1,64})"\s*,\s*"id"\s*:\s*"([A-Za-z0-9.-]{1,64})"\s*[,}]'
)
_RESERVE: Final = """
SELECT min(n) AS first, count(*) AS many FROM (
  SELECT n, n - row_number() OVER (ORDER BY n) AS run
    FROM (SELECT nextval('resources_pk_seq') AS n FROM generate_series(1, $1)) AS each) AS runs
 GROUP BY run ORDER BY 1
"""
_AT_ONCE: Final = 100_000
_EMPTY: Final = 0
Runs = list[list[int]]
"""Reserved pks: pairs of the first and how many follow each other."""


def name_of(line: bytes) -> tuple[str, str] | None:
    """Type and id of the resource in a line, or None for a line that has none; the line may break any other rule."""
    found = _HEAD.match(line)
    if found is not None:
        return found[1].decode(), found[2].decode()
    try:
        value: Any = loads(line)
    except (JSONDecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    if not isinstance(value, dict):
        return None
    names = value.get("resourceType"), value.get("id")
    return names if isinstance(names[0], str) and isinstance(names[1], str) else None  # type: ignore[return-value]


class Names:
    """Names to numbers from 0 on in the order in which they were first noted, in 12 bytes for each place of a table."""

    def __init__(self) -> None:
        self._hashes = array("q", bytes(8 << 12))
        self._numbers = array("I", bytes(4 << 12))
        self._many = 0

    def __len__(self) -> int:
        return self._many

    def note(self, name: tuple[str, str]) -> None:
        """Give it a number unless it has one."""
        if self._many * 4 >= len(self._hashes) * 3:
            self._grow()
        number = hash(name) or 1
        place = self._place(number)
        if self._hashes[place] == _EMPTY:
            self._hashes[place] = number
            self._numbers[place] = self._many
            self._many += 1

    def number(self, name: tuple[str, str]) -> int | None:
        """Its number, or None when it was not noted."""
        place = self._place(hash(name) or 1)
        return None if self._hashes[place] == _EMPTY else self._numbers[place]

    def _place(self, number: int) -> int:
        hashes = self._hashes
        mask = len(hashes) - 1
        place = number & mask
        while hashes[place] not in (_EMPTY, number):
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        hashes, numbers = self._hashes, self._numbers
        size = len(hashes) * 2
        self._hashes, self._numbers = array("q", bytes(8 * size)), array("I", bytes(4 * size))
        for number, value in zip(hashes, numbers, strict=True):
            if number != _EMPTY:
                place = self._place(number)
                self._hashes[place], self._numbers[place] = number, value


class Expected:
    """Names with their reserved pks."""

    def __init__(self, names: Names, runs: Runs) -> None:
        self._names = names
        self._firsts = [run[0] for run in runs]
        self._begins = [0, *accumulate(run[1] for run in runs)]

    def pk(self, name: tuple[str, str]) -> int | None:
        """The pk that the resource will have if it is not here yet; None when no line brings it."""
        number = self._names.number(name)
        if number is None:
            return None
        run = bisect_right(self._begins, number) - 1
        return self._firsts[run] + number - self._begins[run]


async def reserve(work: UnitOfWork, many: int) -> Runs:
    """So many pks that nobody else will use."""
    runs: Runs = []
    for begin in range(0, many, _AT_ONCE):
        rows = await work.db.fetch(_RESERVE, min(_AT_ONCE, many - begin), name="bulk.reserve")
        runs += [[row["first"], row["many"]] for row in rows]
    return runs


def note_lines(names: Names, lines: Sequence[Line]) -> None:
    """Note the names in some lines."""
    for line in lines:
        name = name_of(line.text)
        if name is not None:
            names.note(name)

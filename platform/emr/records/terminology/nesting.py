"""Codes of an expansion hung below one another, as their code systems say."""

from collections.abc import Sequence
from typing import Any, Final

from emr.definitions.terminology.held import Entry

Json = dict[str, Any]

_DEEPEST: Final = 20
"""Levels of nesting; what lies deeper stands at the top."""


def nested(entries: Sequence[Entry], shown: Sequence[Json]) -> list[Json]:
    """`shown` as a forest: each once, below the first of its parents that is shown; without one, at the top."""
    places = {(entry.system, entry.code): number for number, entry in enumerate(entries)}
    above = [_parent(entry, places) for entry in entries]
    forest: list[Json] = []
    for number, each in enumerate(shown):
        parent = above[number]
        if parent is None or not _grounded(number, above):
            forest.append(each)
        else:
            shown[parent].setdefault("contains", []).append(each)
    return forest


def _parent(entry: Entry, places: dict[tuple[str, str], int]) -> int | None:
    parents = entry.concept.parents if entry.concept else ()
    return next((places[entry.system, each] for each in parents if (entry.system, each) in places), None)


def _grounded(number: int, above: Sequence[int | None]) -> bool:
    """Whether the way up ends soon; a hierarchy that runs in a circle has no top."""
    at: int | None = number
    for _ in range(_DEEPEST):
        at = above[at] if at is not None else None
    return at is None

"""A search as it was asked, understood in full or refused: nothing is ignored, unless the client allows it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from emr.definitions.model import resource_types
from emr.kernel.errors import Issue
from emr.records.errors import SearchRefused
from emr.records.search.controls import (
    INCLUDES,
    INCLUDES_MOST,
    SINGLE,
    count_of,
    include_of,
    refuse_forms,
    shown_of,
    sort_of,
    total_of,
)
from emr.records.search.criteria import Criteria
from emr.records.search.question import Criterion, Include, Question
from emr.records.search.reading import Reader

CRITERIA_MOST: Final = 30
_TEXT_MOST: Final = 40_000
_UNKNOWN: Final = frozenset({"search-parameter-unknown", "search-unsupported"})
"""What a lenient client gives up instead of the whole search (search.html#errors)."""
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a search is about, before its parameters.

    types: one, or empty where `_type` may name some of those `within`. base: criteria that the address implies, such as
    a compartment. lenient: leave out what is unknown and say so.
    """

    types: tuple[str, ...]
    base: tuple[Criterion, ...] = ()
    lenient: bool = False
    within: tuple[str, ...] = ()


def understand(asked: Asked, pairs: Iterable[tuple[str, str]], reader: Reader) -> Question:
    """The question behind decoded name and value pairs. Raises `SearchRefused` naming the parameter."""
    given = list(pairs)
    _refuse_sizes(given)
    named = [] if asked.types else [pair for pair in given if pair[0] == "_type"]
    types = asked.types or _chosen(named_types(named), asked.within)
    ignored: list[Issue] = []
    reading = Criteria(reader, types)
    criteria, includes, kept = _read(reading, [pair for pair in given if pair not in named], asked, ignored)
    control = _single([pair for pair in given if pair[0] in SINGLE])
    refuse_forms(control)
    return Question(
        types=types,
        criteria=(*asked.base, *criteria),
        sort=sort_of(reader.known, types, control.get("_sort")),
        count=count_of(control.get("_count")),
        includes=tuple(includes),
        shown=shown_of(types, control),
        total=total_of(control),
        echo=(*named, *kept),
        ignored=tuple(ignored),
    )


def named_types(pairs: Pairs) -> tuple[str, ...]:
    """The types that `_type` names; none when it is not there (search.html#system)."""
    named = [value for name, value in pairs if name == "_type"]
    if len(named) > 1:
        raise SearchRefused("search-parameter-twice", "This parameter stands once in a search.", "_type")
    types = tuple(dict.fromkeys(named[0].split(","))) if named else ()
    for each in types:
        if each not in resource_types():
            raise SearchRefused("type-unknown", f"There is no resource type {each[:64]}.", "_type")
    return types


def names_of(question: Question) -> list[str]:
    """The names of what was asked for, without their values."""
    return sorted({name for name, _ in question.echo})


def _chosen(named: Sequence[str], within: Sequence[str]) -> tuple[str, ...]:
    for each in named:
        if each not in within:
            raise SearchRefused("type-unknown", f"{each[:64]} is not searched here.", "_type")
    return tuple(named or within)


def _read(
    reading: Criteria, given: Pairs, asked: Asked, ignored: list[Issue]
) -> tuple[list[Criterion], list[Include], list[tuple[str, str]]]:
    criteria: list[Criterion] = []
    includes: list[Include] = []
    kept: list[tuple[str, str]] = []
    for name, value in given:
        try:
            if name in INCLUDES:
                includes.append(include_of(reading.reader.known, reading.types, name, value))
            elif name not in SINGLE:
                criteria.append(reading.criterion(name, value))
        except SearchRefused as refusal:
            if not asked.lenient or refusal.code not in _UNKNOWN:
                raise
            ignored.append(Issue(refusal.code, refusal.message, refusal.location))
            continue
        kept.append((name, value))
    if len(includes) > INCLUDES_MOST:
        raise SearchRefused("search-too-long", f"A search has at most {INCLUDES_MOST} includes.", "_include")
    return criteria, includes, kept


def _refuse_sizes(given: Pairs) -> None:
    if len(given) > CRITERIA_MOST:
        raise SearchRefused("search-too-long", f"A search has at most {CRITERIA_MOST} parameters.", "_search")
    for name, value in given:
        if len(value) > _TEXT_MOST or "\0" in value or "\0" in name:
            raise SearchRefused("search-value", "The value is too long or holds a NUL.", name[:64].replace("\0", ""))


def _single(pairs: Pairs) -> dict[str, str]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise SearchRefused("search-parameter-twice", "This parameter stands once in a search.", pairs[-1][0])
    return found

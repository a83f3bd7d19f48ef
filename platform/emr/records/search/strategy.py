"""Where a statement begins: the decision that PostgreSQL's statistics cannot be trusted with.

What is rare leads and what is popular is tested. Which is which is measured: a probe counts the resources of each
condition up to a bound, in one exchange, unless the question itself says it. Then each statement has only one sensible
plan, so a generic plan is as good as one made for the values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any as Anything
from typing import Final

from emr.records.search.conditions import (
    All,
    Condition,
    Identified,
    Ids,
    InPatient,
    Keys,
    Lead,
    Links,
    SortKey,
    Strings,
    is_positive,
)
from emr.records.search.statements import PROBED_MOST, probe_statement
from emr.work.unit import UnitOfWork

_LISTS_MOST: Final = 200
"""Ordered lists that are merged; more than these are gathered and sorted."""
_PERSONAL: Final = frozenset({"Patient", "Encounter", "EpisodeOfCare", "Claim", "DiagnosticReport", "RelatedPerson"})
"""What only few resources refer to."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin and what is left to test; `lead` None: nothing fits."""

    lead: Lead | None
    tests: tuple[Condition, ...] = ()


def flat(conditions: Sequence[Condition]) -> list[Condition]:
    """All that must hold, each for itself."""
    found: list[Condition] = []
    for each in conditions:
        found += flat(each.parts) if isinstance(each, All) else [each]
    return found


async def start(
    work: UnitOfWork, conditions: Sequence[Condition], values: Mapping[str, Anything], sort: Sequence[SortKey]
) -> Start:
    """Decide, with a probe where the conditions do not say by themselves how many resources they have."""
    positive = [each for each in conditions if is_positive(each)]
    newest = [key.kind for key in sort] == ["updated"]
    lists = [each for each in positive if newest and _is_list(each, values)]
    few = next((each for each in positive if isinstance(each, Ids | Identified)), None)
    if few is not None:
        return _from(Lead("set", few), conditions)
    personal = next((each for each in positive if _is_personal(each, values)), None)
    if personal is not None:
        return _from(Lead("ordered" if personal in lists else "set", personal), conditions)
    if not positive or (len(positive) == 1 and lists and len(conditions) == 1):
        return _from(Lead("ordered", lists[0]) if lists else Lead("type"), conditions)
    return await _probed(work, conditions, values, (positive, lists))


async def _probed(
    work: UnitOfWork,
    conditions: Sequence[Condition],
    values: Mapping[str, Anything],
    ways: tuple[Sequence[Condition], Sequence[Condition]],
) -> Start:
    positive, lists = ways
    asked = [each for each in positive if not (isinstance(each, Strings) and each.match == "contains")] or positive
    statement = probe_statement(tuple(asked))
    row = await work.db.fetchrow(statement.sql, *statement.arguments(values), name="search-probe")
    assert row is not None
    counts = list(row)
    least = min(range(len(asked)), key=lambda number: (counts[number], number))
    if counts[least] == 0:
        return Start(None)
    if counts[least] < PROBED_MOST:
        return _from(Lead("set", asked[least]), conditions)
    if lists:
        return _from(Lead("ordered", min(lists, key=lambda each: not isinstance(each, Links))), conditions)
    return _from(Lead("type"), conditions)


def _from(lead: Lead, conditions: Sequence[Condition]) -> Start:
    return Start(lead, tuple(each for each in conditions if each is not lead.condition))


def _is_list(condition: Condition, values: Mapping[str, Anything]) -> bool:
    """Whether its rows stand in the order of change, in few enough lists."""
    match condition:
        case Keys(slot, one):
            return one or len(values[f"k{slot}"]) <= _LISTS_MOST
        case Links(slot, reach):
            lengths = [len(values[f"{letter}{slot}"]) for letter in "ih"] if reach == "many" else [1]
            return sum(lengths) <= _LISTS_MOST
        case _:
            return False


def _is_personal(condition: Condition, values: Mapping[str, Anything]) -> bool:
    match condition:
        case InPatient():
            return True
        case Links(slot, "one"):
            return values[f"t{slot}"] in _PERSONAL
        case _:
            return False

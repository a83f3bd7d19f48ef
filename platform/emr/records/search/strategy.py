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
    Chained,
    Condition,
    Identified,
    Ids,
    InPatient,
    Keys,
    Lead,
    Links,
    Referring,
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
    newest, along = [key.kind for key in sort] == ["updated"], _has_index(sort)
    lists = [each for each in positive if newest and _is_list(each, values)]
    few = next((each for each in positive if isinstance(each, Ids | Identified)), None)
    personal = next((each for each in positive if _is_personal(each, values)), None)
    if few is not None or personal is not None:
        found = Lead("ordered", personal) if few is None and personal in lists else Lead("set", few or personal)
    elif not positive or (len(conditions) == 1 and lists):
        found = Lead("ordered", lists[0]) if lists else _whole(along=along)
    else:
        probe = await _probe(work, positive, values, newest=newest)
        if probe.rarest is None:
            return Start(None)
        found = _measured(probe, positive, lists, whole=_whole(along=along) if newest or along else None)
    return _from(found, conditions)


def _measured(
    probe: "_Probe", positive: Sequence[Condition], lists: Sequence[Condition], *, whole: Lead | None
) -> Lead:
    """The rarest, or when all are popular what stands in the order of the page."""
    ordered = [*lists, *probe.few_targets]
    if probe.least < PROBED_MOST:
        return Lead("ordered" if probe.rarest in lists else "set", probe.rarest)
    if ordered:
        return Lead("ordered", min(ordered, key=_rank))
    return whole or Lead("set", min(positive, key=_rank))


def gathered(begin: Start) -> Start:
    """Where to begin when the order does not matter: at a condition, if there is one."""
    assert begin.lead is not None
    if begin.lead.condition is not None:
        return Start(Lead("set", begin.lead.condition), begin.tests)
    first = next((each for each in begin.tests if is_positive(each)), None)
    if first is None:
        return Start(Lead("type"), begin.tests)
    return _from(Lead("set", first), begin.tests)


def _whole(*, along: bool) -> Lead:
    return Lead("sorted") if along else Lead("type")


def _has_index(sort: Sequence[SortKey]) -> bool:
    """Whether the rows of the first sort key stand in its order, and the others can be told beside them."""
    first, *others = sort
    return first.one and first.kind in ("date", "string") and not any(key.kind in ("updated", "id") for key in others)


def _rank(condition: Condition) -> int:
    """What is sooner rare, for conditions of which it is only known that they are popular."""
    match condition:
        case Links():
            return 0
        case Keys():
            return 1
        case Chained() | Referring():
            return 2
        case _:
            return 3


@dataclass(frozen=True, slots=True)
class _Probe:
    """rarest: the condition with the least resources, None when it has none. few_targets: chains over few of them."""

    rarest: Condition | None
    least: int
    few_targets: list[Condition]


async def _probe(
    work: UnitOfWork, positive: Sequence[Condition], values: Mapping[str, Anything], *, newest: bool
) -> _Probe:
    asked = [each for each in positive if not (isinstance(each, Strings) and each.match == "contains")] or positive
    chains = [each for each in asked if newest and isinstance(each, Chained)]
    statement = probe_statement((*asked, *(each.inner for each in chains)))
    row = await work.db.fetchrow(statement.sql, *statement.arguments(values), name="search-probe")
    assert row is not None
    counts = list(row)
    least = min(range(len(asked)), key=lambda number: (counts[number], number))
    targets = zip(chains, counts[len(asked) :], strict=True)
    few: list[Condition] = [each for each, count in targets if count <= _LISTS_MOST]
    return _Probe(asked[least] if counts[least] else None, counts[least], few)


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

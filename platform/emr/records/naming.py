"""What the resources of a transaction will be called: ids for entries, and addresses for those who refer to them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emr.definitions.compartment import referring
from emr.kernel.errors import Malformed
from emr.kernel.ids import uuid7
from emr.records.condition import Condition, hold, matches
from emr.records.draft import checked_id
from emr.records.entries import ORDER, Entry, inside, located
from emr.records.errors import ManyMatches, ReferenceBroken, ResourceNotFound
from emr.records.keys import held_text
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork

_CONDITIONAL: Final = re.compile(r"([A-Z][A-Za-z]{1,63})\?(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ByCriteria:
    """A reference by criteria, `Practitioner?identifier=…` (http.html#trules), and the entries that have it."""

    condition: Condition
    entries: list[Entry]


async def hold_conditions(work: UnitOfWork, writing: Sequence[Entry], asked: dict[str, ByCriteria]) -> None:
    """Take the locks of everything that is asked by criteria, before anything is looked for."""
    own = [entry.condition for entry in writing if entry.condition is not None]
    await hold(work, [*own, *(each.condition for each in asked.values())])


async def name(work: UnitOfWork, writing: Sequence[Entry]) -> dict[str, str]:
    """Give every entry the id that it will have; the addresses by which others may know it.

    Raises `ManyMatches`, `ResourceNotFound` for a patch of nothing, `Malformed` when two entries would make the same.
    """
    gone: set[tuple[str, str]] = {(entry.type, entry.id) for entry in writing if entry.method == "DELETE"}
    making: list[Entry] = []
    for entry in sorted(writing, key=lambda entry: ORDER[entry.method]):
        with located(entry):
            if entry.condition is not None:
                await _find(work, entry, gone, making)
            elif entry.method == "POST":
                entry.id = uuid7()
            else:
                checked_id(entry.id)
        if entry.method == "DELETE":
            gone.add((entry.type, entry.id))
    return {
        entry.full_url: f"{entry.type}/{entry.id}" for entry in writing if entry.full_url and entry.method != "DELETE"
    }


async def _find(work: UnitOfWork, entry: Entry, gone: set[tuple[str, str]], making: list[Entry]) -> None:
    """Look for what the criteria fit. `making`: entries that make what they did not find."""
    condition = entry.condition
    assert condition is not None
    earlier = next((each for each in making if each.condition is not None and condition.same(each.condition)), None)
    if earlier is not None:
        if {entry.method, earlier.method} != {"POST"}:
            raise Malformed("entry-twice", "Two entries would make the same resource.", location=entry.location)
        # Who asks for the same twice in one Bundle gets one: the first entry's.
        entry.twin, entry.id = earlier, earlier.id
        return
    past = gone if entry.method != "DELETE" else set[tuple[str, str]]()
    found = [each for each in await matches(work, condition, 2 + len(past)) if (each.type, each.id) not in past]
    if len(found) > 1:
        raise ManyMatches(condition.location)
    entry.found = found[0] if found else None
    if entry.found is not None:
        _demand_same_id(entry, entry.found)
        entry.id = entry.found.id
    elif entry.method == "PATCH":
        raise ResourceNotFound(entry.type, "")
    elif entry.method in ("POST", "PUT"):
        sent = entry.resource.get("id") if entry.method == "PUT" else None
        entry.id = checked_id(sent) if sent is not None else uuid7()
        making.append(entry)


def _demand_same_id(entry: Entry, found: Stored) -> None:
    """A conditional update brings no id or the right one (http.html#cond-update)."""
    if entry.method == "PUT" and entry.resource.get("id", found.id) != found.id:
        rule = "The resource's id is not that of the one that fits."
        raise Malformed("id-mismatch", rule, location=f"{entry.location}.resource.id")


def conditional_references(writing: Sequence[Entry]) -> dict[str, ByCriteria]:
    """The references by criteria of what is sent, by their text."""
    asked: dict[str, ByCriteria] = {}
    for entry in writing:
        if entry.method not in ("POST", "PUT"):
            continue
        entry.referring = referring(entry.resource)
        for place, holder in entry.referring:
            text = holder["reference"]
            if (known := asked.get(text)) is not None:
                known.entries.append(entry)
            elif (found := _CONDITIONAL.fullmatch(text)) is not None:
                condition = Condition(found[1], found[2], inside(entry, place))
                asked[text] = ByCriteria(condition, [entry])
    return asked


async def resolve_references(
    work: UnitOfWork, writing: Sequence[Entry], asked: dict[str, ByCriteria], addresses: dict[str, str]
) -> None:
    """What references by criteria find: in the record, or, by an identifier, among what this transaction makes.

    Raises `ReferenceBroken`, `ManyMatches`.
    """
    changed = {(entry.type, entry.id) for entry in writing if entry.makes or entry.method == "DELETE"}
    for text, each in asked.items():
        condition = each.condition
        if all(entry.settled for entry in each.entries):
            continue
        here = await matches(work, condition, 2 + sum(type_ == condition.type for type_, _ in changed))
        kept = [found for found in here if (found.type, found.id) not in changed or condition.identifier is None]
        names = {f"{found.type}/{found.id}" for found in kept} | set(_made(writing, condition))
        if not names:
            raise ReferenceBroken("a condition that fits nothing", condition.location)
        if len(names) > 1:
            raise ManyMatches(condition.location)
        addresses[text] = names.pop()


def _made(writing: Sequence[Entry], condition: Condition) -> Iterator[str]:
    """Addresses of the entries that bring the identifier."""
    if condition.identifier is None:
        return
    system, value = condition.identifier
    for entry in writing:
        if entry.type == condition.type and entry.makes and _carries(entry.resource, system, value):
            yield f"{entry.type}/{entry.id}"


def _carries(resource: dict[str, Any], system: str | None, value: str) -> bool:
    given = resource.get("identifier", ())
    return any(
        held_text(each.get("value") or "") == value and system in (None, held_text(each.get("system") or ""))
        for each in (given if isinstance(given, list) else [given])
    )

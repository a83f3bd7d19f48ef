"""Bring back what a past holds: as the next versions of today's record, by the verb that everybody updates with.

So history, index, audit and what is told to others are as after any other change, rules of today hold, and what was
written since then stays in the history. What is new since then is left alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emr.definitions.compartment import referring
from emr.kernel.errors import NotFound, Refusal
from emr.records.comparing import Difference, Name, stored_under
from emr.records.entries import entries_of
from emr.records.stored import Stored
from emr.records.transaction import transaction
from emr.records.update import update
from emr.storage.ports import key_named
from emr.work.unit import UnitOfWork, attempt
from emr.work.use_case import use_case

_NAMED: Final = re.compile(r"([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64})(?:/_history/.*)?")


@dataclass(frozen=True, slots=True)
class Refused:
    """What was not brought back, and why."""

    name: Name
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Returned:
    """brought: version now by name. refused: those that today's rules do not take."""

    brought: Mapping[Name, int]
    refused: Sequence[Refused]


@use_case("past:bring-back", "past.brought-back")
async def bring_back(work: UnitOfWork, past: UnitOfWork, names: Sequence[Name]) -> Returned:
    """Store what the past holds under these names, each by itself; what is refused does not stop the others."""
    then = await stored_under(past, names)
    brought: dict[Name, int] = {}
    refused: list[Refused] = []
    for name in names:
        try:
            async with attempt(work):
                brought[name] = await _bring(work, past, then.get(name))
        except Refusal as refusal:
            refused.append(Refused(name, refusal.code, refusal.message))
    _note(work, past)
    return Returned(brought, refused)


@use_case("past:bring-back", "past.brought-back")
async def bring_back_together(work: UnitOfWork, past: UnitOfWork, names: Sequence[Name]) -> Returned:
    """The same for what refers to each other in a circle: all of it or nothing. Raises what `transaction` raises."""
    then = await stored_under(past, names)
    for stored in then.values():
        await _contents(work, past, stored)
    entries = [
        {"resource": stored.resource(), "request": {"method": "PUT", "url": f"{stored.type}/{stored.id}"}}
        for stored in then.values()
    ]
    done = await transaction(work, entries_of({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
    _note(work, past)
    return Returned({(each.type, each.id): each.draft.version for each in done if each.draft is not None}, ())


async def needed(work: UnitOfWork, past: UnitOfWork, chosen: Sequence[Difference]) -> list[Name]:
    """The names that are chosen, and what these refer to that is not here any more and that concerns nobody else."""
    whom = {patient for each in chosen for patient in each.patients}
    found: dict[Name, None] = dict.fromkeys((each.type, each.id) for each in chosen)
    looking = list(found)
    while looking:
        then = await stored_under(past, looking)
        named = {name for stored in then.values() for name in _names_in(stored.resource())} - found.keys()
        here = {name for name, stored in (await stored_under(work, sorted(named))).items() if not stored.deleted}
        lost = await stored_under(past, sorted(named - here))
        looking = [name for name, stored in lost.items() if not stored.deleted and whom.issuperset(stored.patients)]
        found.update(dict.fromkeys(looking))
    return list(found)


async def _bring(work: UnitOfWork, past: UnitOfWork, then: Stored | None) -> int:
    if then is None or then.deleted:
        raise NotFound("past-has-none", "The past has no such resource.")
    await _contents(work, past, then)
    return (await update(work, then.type, then.id, then.body)).version


async def _contents(work: UnitOfWork, past: UnitOfWork, then: Stored) -> None:
    """The row of a Binary's bytes, where it is lost; the bytes themselves outlive it for as long as backups do."""
    key = key_named(then.id) if then.type == "Binary" else None
    if key is None or await work.blobs.find_many([key]):
        return
    blob = (await past.blobs.find_many([key])).get(key)
    if blob is not None:
        await work.blobs.name_again(blob)


def _names_in(resource: dict[str, Any]) -> Iterator[Name]:
    """Local targets of its references and of its attachments' addresses."""
    texts = [str(holder["reference"]) for _, holder in referring(resource)]
    for text in (*texts, *_addresses(resource)):
        found = _NAMED.fullmatch(text)
        if found is not None:
            yield found[1], found[2]


def _addresses(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("url"), str):
            yield value["url"]
        for each in value.values():
            yield from _addresses(each)
    elif isinstance(value, list):
        for each in value:
            yield from _addresses(each)


def _note(work: UnitOfWork, past: UnitOfWork) -> None:
    then = past.tenant.past
    assert then is not None
    work.trail.note(past=then.id, moment=then.moment.isoformat())

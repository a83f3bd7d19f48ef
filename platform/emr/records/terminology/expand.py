"""All codes of a value set (FHIR R4, valueset-operation-expand.html), filtered, in pages, in a language."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from emr.definitions.terminology.composing import Versions
from emr.definitions.terminology.held import Entry, ValueSet
from emr.definitions.terminology.refusals import TooCostly
from emr.kernel.errors import Malformed
from emr.kernel.ids import uuid7
from emr.kernel.json import instant
from emr.records.terminology.designations import Wording, designations_of, display_of
from emr.records.terminology.expanded import expanded
from emr.records.terminology.nesting import nested
from emr.records.terminology.which import Which, held
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

Json = dict[str, Any]

EXPANSION_MOST: Final = 10_000
"""Codes in one answer; more are had in pages."""
_BESIDE: Final = 2_000
"""Codes from which on choosing among them is done beside the event loop."""
_HEAD: Final = ("url", "version", "name", "title", "status", "experimental", "date", "publisher", "copyright")
_UNCLOSED: Final = "http://hl7.org/fhir/StructureDefinition/valueset-unclosed"


@dataclass(frozen=True, slots=True)
class Wish:
    """What an expansion should look like. count: None for all of it. nested: the hierarchy, where nothing is cut."""

    filter: str = ""
    offset: int = 0
    count: int | None = None
    wording: Wording = field(default_factory=Wording)
    with_designations: bool = False
    with_definition: bool = False
    active_only: bool = False
    selectable_only: bool = False
    nested: bool = False
    versions: Versions = field(default_factory=Versions)
    said: Sequence[tuple[str, str, Any]] = ()
    """The inputs as they came, (name, type, value), for `expansion.parameter`."""


@use_case("terminology:read", "terminology.expanded")
async def expand(work: UnitOfWork, which: Which, wish: Wish) -> Json:
    """The ValueSet with its expansion.

    Raises `NotFound` (`value-set-unknown`), `Invalid` (`code-system-unknown too-costly value-set-cycle filter-…`),
    `Malformed` for an offset or a count below 0.
    """
    for name, number in (("offset", wish.offset), ("count", wish.count or 0)):
        if number < 0:
            raise Malformed("parameter-value", f"{name} is 0 or more.", location=name)
    ready = await expanded(work, await held(work, "ValueSet", which), wish.versions)
    large = len(ready.entries()) > _BESIDE
    entries = await asyncio.to_thread(_chosen, ready, wish) if large else _chosen(ready, wish)
    page = entries[wish.offset :] if wish.count is None else entries[wish.offset : wish.offset + wish.count]
    if len(page) > EXPANSION_MOST:
        raise TooCostly(ready.canonical, EXPANSION_MOST, location="count")
    work.trail.note(shown=len(page), total=len(entries))
    return _answer(work, ready, wish, (len(entries), page))


def _chosen(ready: ValueSet, wish: Wish) -> list[Entry]:
    entries = ready.typed(wish.filter) if wish.filter.strip() else ready.entries().values()
    return [
        entry
        for entry in entries
        if not (wish.active_only and entry.inactive)
        and not (wish.selectable_only and entry.abstract)
        and not wish.versions.leaves_out(entry.system, entry.version)
    ]


def _answer(work: UnitOfWork, ready: ValueSet, wish: Wish, found: tuple[int, list[Entry]]) -> Json:
    total, page = found
    head: Json = {name: ready.resource[name] for name in _HEAD if name in ready.resource}
    if wish.with_definition:
        head["compose"] = ready.resource["compose"]
    expansion: Json = {"identifier": f"urn:uuid:{uuid7()}", "timestamp": instant(work.clock()), "total": total}
    if ready.unclosed():
        expansion = {"extension": [{"url": _UNCLOSED, "valueBoolean": True}]} | expansion
    whole = not wish.filter and not wish.offset and wish.count is None
    if not whole:
        expansion["offset"] = wish.offset
    if said := _parameters(ready, wish):
        expansion["parameter"] = said
    shown = [_contained(entry, wish) for entry in page]
    if wish.nested and whole:
        shown = nested(page, shown)
    if shown:
        expansion["contains"] = shown
    return {"resourceType": "ValueSet"} | head | {"expansion": expansion}


def _parameters(ready: ValueSet, wish: Wish) -> list[Json]:
    """What shaped the expansion: the inputs, and the version of each code system that was used."""
    said = [{"name": name, f"value{kind[0].upper()}{kind[1:]}": value} for name, kind, value in wish.said]
    used = [
        {"name": "version", "valueUri": f"{system.url}|{system.version}"}
        for system in ready.systems().values()
        if system is not None and system.version
    ]
    return [*said, *(each for number, each in enumerate(used) if each not in used[:number])]


def _contained(entry: Entry, wish: Wish) -> Json:
    contained: Json = {"system": entry.system}
    if entry.abstract:
        contained["abstract"] = True
    if entry.inactive:
        contained["inactive"] = True
    contained["code"] = entry.code
    if display := display_of(entry, wish.wording):
        contained["display"] = display
    if (wish.with_designations or wish.wording.designations) and (others := designations_of(entry, wish.wording)):
        contained["designation"] = others
    return contained

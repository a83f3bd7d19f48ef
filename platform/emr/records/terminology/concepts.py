"""One code of one code system: what it is called, what is known of it, and how it stands to another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from emr.definitions.terminology.codes import CodeSystem, Concept, value_of
from emr.definitions.terminology.filters import subsumes_by_hierarchy
from emr.definitions.terminology.held import Entry
from emr.definitions.terminology.refusals import CodeSystemIncomplete, CodeSystemUnknown, DefinitionUnusable
from emr.kernel.errors import NotFound
from emr.records.terminology.designations import Wording, all_of, display_of
from emr.records.terminology.which import Which, held
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Property:
    """One thing known of a concept. type: that of `value`; description: what a code stands for."""

    code: str
    type: str
    value: Any
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A concept as a lookup describes it."""

    name: str
    version: str | None
    display: str
    definition: str | None
    designations: Sequence[Json]
    properties: Sequence[Property]


@dataclass(frozen=True, slots=True)
class LookUp:
    """wanted: names of properties, empty for all."""

    wanted: frozenset[str] = field(default_factory=frozenset)
    language: str | None = None

    def wants(self, name: str) -> bool:
        """Whether a property belongs into the answer."""
        return not self.wanted or name in self.wanted


@use_case("terminology:read", "terminology.looked-up")
async def look_up(work: UnitOfWork, which: Which, code: str, wish: LookUp) -> Found:
    """What is known of a code (codesystem-operation-lookup.html).

    Raises `NotFound` (`code-system-unknown code-unknown`), `Invalid` when the system's codes are not held here.
    """
    codes = await _codes(work, which)
    entry = _demand(codes, code, "code")
    assert entry.concept is not None
    concept = entry.concept
    return Found(
        name=codes.title,
        version=codes.version,
        display=display_of(entry, Wording(wish.language)) or concept.code,
        definition=concept.definition if wish.wants("definition") else None,
        designations=list(all_of(entry)) if wish.wants("designation") else [],
        properties=[each for each in _properties(codes, concept) if wish.wants(each.code)],
    )


@use_case("terminology:read", "terminology.compared")
async def subsumes(work: UnitOfWork, which: Which, one: str, other: str) -> str:
    """How code `one` stands to code `other`: `equivalent subsumes subsumed-by not-subsumed`.

    Raises `NotFound`, `Invalid` for a system that is not held or whose hierarchy is one of parts
    (codesystem-operation-subsumes.html).
    """
    codes = await _codes(work, which)
    if not subsumes_by_hierarchy(codes):
        rule = f"What stands below a code of {codes.url[:256]} is a part of it and not a kind of it."
        raise DefinitionUnusable("subsumption-undefined", rule, location="system")
    first, second = _demand(codes, one, "codeA").code, _demand(codes, other, "codeB").code
    if first == second:
        return "equivalent"
    if first in codes.above(second):
        return "subsumes"
    return "subsumed-by" if second in codes.above(first) else "not-subsumed"


def entry_of(codes: CodeSystem, code: str) -> Entry | None:
    """The concept of a code, or None when the system does not have it. Raises when that cannot be known."""
    if codes.content == "not-present":
        raise CodeSystemUnknown(codes.url)
    concept = codes.find(code)
    if concept is None and not codes.complete:
        raise CodeSystemIncomplete(codes.url)
    return Entry(codes.url, codes.version, concept.code, concept) if concept else None


async def _codes(work: UnitOfWork, which: Which) -> CodeSystem:
    codes = (await held(work, "CodeSystem", which)).codes
    assert codes is not None
    return codes


def _demand(codes: CodeSystem, code: str, location: str) -> Entry:
    entry = entry_of(codes, code)
    if entry is None:
        raise NotFound("code-unknown", f"{codes.url[:256]} has no code {code[:64]}.", location=location)
    return entry


def _properties(codes: CodeSystem, concept: Concept) -> Iterable[Property]:
    for code in concept.parents:
        yield Property("parent", "code", code, _display(codes, code))
    for code in codes.children(concept.code):
        yield Property("child", "code", code, _display(codes, code))
    yield Property("inactive", "boolean", concept.inactive)
    if concept.abstract:
        yield Property("notSelectable", "boolean", value=True)
    for each in concept.properties:
        member = next(name for name in each if name.startswith("value"))
        if each["code"] not in ("parent", "child", "inactive", "notSelectable"):
            described = _display(codes, each[member]) if member == "valueCode" else None
            kind = member.removeprefix("value")
            yield Property(each["code"], kind[0].lower() + kind[1:], value_of(each), described)


def _display(codes: CodeSystem, code: str) -> str | None:
    concept = codes.concepts.get(code)
    return concept.display if concept else None

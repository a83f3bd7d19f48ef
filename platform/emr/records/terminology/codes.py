"""What search and other verbs of the record ask of code lists. Their callers have demanded the permission to read."""

from collections.abc import Set as AbstractSet
from typing import Final

from emr.definitions.terminology.codes import CodeSystem
from emr.definitions.terminology.filters import subsumes_by_hierarchy
from emr.definitions.terminology.refusals import (
    CodeSystemIncomplete,
    CodeSystemUnknown,
    DefinitionUnusable,
    TooCostly,
)
from emr.kernel.errors import Invalid, NotFound
from emr.records.terminology.expanded import expanded
from emr.records.terminology.shelf import find
from emr.records.terminology.which import Which, held
from emr.work.unit import UnitOfWork

CODES_MOST: Final = 10_000
"""Codes that one search may be about."""


async def expand_codes(work: UnitOfWork, value_set_url: str) -> AbstractSet[tuple[str, str]]:
    """Every (system, code) of a value set: by its canonical URL with or without `|version`, or as `ValueSet/id` of the
    hospital's own, relative or below our own base (search.html#modifiers).

    Raises `NotFound` (`value-set-unknown`) and `Invalid` (`code-system-unknown code-system-incomplete too-costly
    value-set-cycle …`), each with the value set's URL as its location.
    """
    try:
        ready = await expanded(work, await held(work, "ValueSet", _which(work, value_set_url)))
        if ready.unclosed():
            raise CodeSystemIncomplete(value_set_url)
        codes = ready.entries().keys()
    except (NotFound, Invalid) as refusal:
        raise _about(value_set_url, refusal) from refusal
    if len(codes) > CODES_MOST:
        raise TooCostly(value_set_url, CODES_MOST, location=value_set_url)
    return codes


async def at_or_below(work: UnitOfWork, system: str, code: str) -> AbstractSet[str]:
    """The code and every code below it. Raises `CodeSystemUnknown`, `CodeSystemIncomplete`, `DefinitionUnusable`."""
    codes, written = await _concept(work, system, code)
    return codes.below(written) | {written}


async def at_or_above(work: UnitOfWork, system: str, code: str) -> AbstractSet[str]:
    """The code and every code above it. Raises as `at_or_below`."""
    codes, written = await _concept(work, system, code)
    return codes.above(written) | {written}


async def _concept(work: UnitOfWork, system: str, code: str) -> tuple[CodeSystem, str]:
    """The code system with the code as the system writes it."""
    found = (await find(work, "CodeSystem", [system]))[system]
    if found is None or found.codes is None or found.codes.content == "not-present":
        raise CodeSystemUnknown(system, location=system)
    codes = found.codes
    if not codes.complete:
        raise CodeSystemIncomplete(system, location=system)
    if not subsumes_by_hierarchy(codes):
        rule = f"What stands below a code of {system[:256]} is a part of it and not a kind of it."
        raise DefinitionUnusable("subsumption-undefined", rule, location=system)
    concept = codes.find(code)
    return codes, concept.code if concept else code


def _which(work: UnitOfWork, value_set_url: str) -> Which:
    kind, slash, resource_id = value_set_url.removeprefix(f"{work.request.base_url}/").partition("/")
    return Which(id=resource_id) if (kind, slash) == ("ValueSet", "/") else Which(url=value_set_url)


def _about(value_set_url: str, refusal: NotFound | Invalid) -> NotFound | Invalid:
    kind = NotFound if isinstance(refusal, NotFound) else Invalid
    return kind(refusal.code, refusal.message, location=value_set_url)

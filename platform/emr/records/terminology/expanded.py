"""Value sets with all their codes, kept between requests under the names of everything they were made of."""

import asyncio
import functools
from typing import Any, Final

from emr.definitions.terminology.composing import Versions, value_set
from emr.definitions.terminology.held import ValueSet
from emr.records.terminology.gather import GatheredShelf, gather
from emr.records.terminology.kept import Kept
from emr.records.terminology.shelf import Held
from emr.work.unit import UnitOfWork

Json = dict[str, Any]

_KEPT_MOST: Final = 60_000
"""Codes of all expansions together."""
_BESIDE: Final = 2_000
"""Concepts and parts from which on an expansion is made beside the event loop."""


async def expanded(work: UnitOfWork, held: Held, versions: Versions | None = None) -> ValueSet:
    """The value set with its codes. Raises what `ValueSet.entries` raises."""
    asked = versions or Versions()
    shelf = await gather(work, held.resource, asked)
    plain = asked == Versions() and held.name is not None
    key = (held.name, shelf.names())
    known = _kept().get(key) if plain else None
    if known is not None:
        return known
    make = functools.partial(_made, shelf, held.resource, asked)
    made = await asyncio.to_thread(make) if shelf.size() + shelf.parts > _BESIDE else make()
    weight = 20 + len(made.entries()) + shelf.size()
    if plain:
        _kept().put(key, made, weight)
    return made


def _made(shelf: GatheredShelf, resource: dict[str, Any], versions: Versions) -> ValueSet:
    made = value_set(shelf, resource, versions)
    made.entries()
    return made


@functools.cache
def _kept() -> Kept[ValueSet]:
    return Kept(_KEPT_MOST)

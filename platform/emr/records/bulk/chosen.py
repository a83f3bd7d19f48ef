"""Which resources fit `_typeFilter`: the union of some searches, held as one bit for each resource."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from emr.records.errors import SearchRefused
from emr.records.search.find import search
from emr.work.unit import UnitOfWork

_PAGE: Final = "1000"
_SPAN: Final = 1 << 16
_ABOUT_THE_ANSWER: Final = frozenset(
    {"_count", "_sort", "_include", "_revinclude", "_summary", "_elements", "_total", "_cursor", "_contained"}
)


@dataclass(slots=True)
class Chosen:
    """A set of pks: 8 KiB for each 65,536 neighbours, of which an export takes most or none."""

    _bits: dict[int, bytearray] = field(default_factory=dict)

    def add(self, pk: int) -> None:
        """Put it in."""
        block = self._bits.get(pk // _SPAN)
        if block is None:
            block = self._bits[pk // _SPAN] = bytearray(_SPAN // 8)
        block[pk % _SPAN // 8] |= 1 << pk % 8

    def __contains__(self, pk: int) -> bool:
        block = self._bits.get(pk // _SPAN)
        return block is not None and bool(block[pk % _SPAN // 8] & 1 << pk % 8)


def criteria_of(query: str) -> list[tuple[str, str]]:
    """The criteria of one filter. Raises `SearchRefused` for what says how a search is answered."""
    pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100)
    for name, _ in pairs:
        if name.partition(":")[0] in _ABOUT_THE_ANSWER:
            raise SearchRefused("type-filter", f"{name[:64]} is no criterion of _typeFilter.", "_typeFilter")
    return pairs


async def demand_searchable(work: UnitOfWork, resource_type: str, query: str) -> None:
    """Raise what the search would. A filter that is understood at the kick-off is understood when its turn comes."""
    await search(work, resource_type, [*criteria_of(query), ("_count", "1")])


async def chosen_by(work: UnitOfWork, resource_type: str, queries: Sequence[str]) -> Chosen:
    """What fits at least one of the queries now. Whom it concerns is not noted: an export says its scope instead."""
    found = Chosen()
    for query in queries:
        pairs: list[tuple[str, str]] = [*criteria_of(query), ("_count", _PAGE)]
        while pairs:
            page = await search(work, resource_type, pairs)
            work.trail.take()
            for stored in page.matches:
                found.add(stored.pk)
            pairs = [("_cursor", page.cursor)] if page.cursor else []
    return found

"""The record of a real hospital, filled through transactions and asked in process."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from emr.identity.principal import Principal
from emr.kernel.clock import utc_now
from emr.records.entries import entries_of
from emr.records.search.find import Page, search, search_compartment, search_system
from emr.records.transaction import transaction
from emr.work.runtime import Runtime, runtime
from emr.work.unit import Request, UnitOfWork, unit_of_work
from tests.conformance.reference.drawing import BASE_URL
from tests.conformance.reference.evaluator import Held, Name, Reference
from tests.conformance.reference.history import transactions
from tests.conformance.reference.kinds import ABOVE, BELOW, LISTED
from tests.conformance.reference.questions import Query
from tests.conformance.reference.resources import Json
from tests.conformance.reference.values import Asking, Code
from tests.house import House

_STEP = timedelta(minutes=37, milliseconds=123)
"""Between two transactions, so that moments of change differ in more than their fractions."""


class _Undone(Exception):
    """Takes the deletions back."""


class Clock:
    """Stands still between two transactions, so that `ap` means the same to both who are asked."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now


class Hospital:
    """A hospital's runtime, principal and clock."""

    def __init__(self, parts: Runtime, principal: Principal, slug: str, clock: Clock) -> None:
        self.parts, self.principal, self.slug, self.clock = parts, principal, slug, clock
        self.inside: UnitOfWork | None = None

    @asynccontextmanager
    async def working(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work of its own, or the one that `without` has open."""
        if self.inside is not None:
            yield self.inside
            return
        tenant = self.parts.registry.by_slug(self.slug)
        async with unit_of_work(self.parts, tenant, self.principal, Request("reference", BASE_URL)) as work:
            yield work

    async def fill(self, seed: int) -> Reference:
        """Store what the seed makes; the reference holds what was sent and when it was written."""
        held: dict[Name, Held] = {}
        for entries in transactions(seed):
            self.clock.now += _STEP
            await self._store(entries, held)
        return Reference(held, self.asking())

    async def store(self, entries: list[Json]) -> Reference:
        """Only these, in one transaction."""
        held: dict[Name, Held] = {}
        await self._store(entries, held)
        return Reference(held, self.asking())

    @asynccontextmanager
    async def without(self, names: Iterable[Name]) -> AsyncIterator[None]:
        """As if these had been deleted, as long as the context lasts."""
        entries = [{"request": {"method": "DELETE", "url": "/".join(each)}} for each in names]
        try:
            async with self.working() as work:
                await transaction(work, entries_of({"resourceType": "Bundle", "entry": entries}))
                self.inside = work
                yield
                raise _Undone  # noqa: TRY301 - nothing has failed; it is how a unit of work is undone
        except _Undone:
            return
        finally:
            self.inside = None

    async def _store(self, entries: list[Json], held: dict[Name, Held]) -> None:
        async with self.working() as work:
            done = await transaction(work, entries_of({"resourceType": "Bundle", "entry": entries}))
            for each in done:
                stored = each.result()
                if each.method == "DELETE":
                    held.pop((each.type, each.id))
                elif stored is not None:
                    held[each.type, each.id] = Held(each.resource, stored.last_updated)

    def asking(self) -> Asking:
        below: dict[Code, set[Code]] = {("urn:his", code): _coded(codes) for code, codes in BELOW.items()}
        above: dict[Code, set[Code]] = {("urn:his", code): _coded(codes) for code, codes in ABOVE.items()}
        return Asking(self.clock.now, BASE_URL, {"urn:reference:listed": set(LISTED)}, above, below)

    async def page(self, query: Query, pairs: list[tuple[str, str]]) -> Page:
        """One page of a search. Raises `SearchRefused`."""
        async with self.working() as work:
            if query.patient is not None:
                return await search_compartment(work, ("Patient", query.patient), query.types[0], pairs)
            if len(query.types) > 1:
                named = [] if pairs[0][0] == "_cursor" else [("_type", ",".join(query.types))]
                return await search_system(work, [*named, *pairs])
            return await search(work, query.types[0], pairs)


def _coded(codes: set[str]) -> set[Code]:
    return {("urn:his", code) for code in codes}


@asynccontextmanager
async def opened(house: House, slug: str) -> AsyncIterator[Hospital]:
    """A new hospital of this name, with a clock of its own that runs ahead with each transaction."""
    house.new_hospital(slug)
    clock = Clock()
    clock.now = datetime.now(UTC).replace(microsecond=clock.now.microsecond // 1000 * 1000)
    parts = replace(runtime(house.settings), clock=clock)
    await parts.open()
    try:
        yield Hospital(parts, house.principal("doctor"), slug, clock)
    finally:
        await parts.close()

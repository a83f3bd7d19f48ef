"""An import from its first line to its last: note the names, store the lines, tell what refers to a refused one."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Final, Protocol

from emr.kernel.errors import Issue
from emr.records.bulk.beside import Desks
from emr.records.bulk.brought import Brought, Name, Refused
from emr.records.bulk.desk import Terms
from emr.records.bulk.lines import Batch, Reader, Source
from emr.records.bulk.load import read_lines, store_lines
from emr.records.bulk.names import Expected, Names, name_of, note_lines
from emr.records.bulk.turns import Among, Turn
from emr.work.faults import Reached, nowhere
from emr.work.unit import UnitOfWork

_REFERENCE: Final = re.compile(rb'"reference"\s*:\s*"([A-Za-z]{1,64})/([A-Za-z0-9.-]{1,64})')
_KNOWN: Final = "SELECT 1 FROM idempotency_keys WHERE principal = $1 AND route = $2 AND key = $3"
_KEEP: Final = """
INSERT INTO idempotency_keys (principal, route, key, request_digest, status, headers, body)
VALUES ($1, $2, $3, $4, 200, '{}', '') ON CONFLICT DO NOTHING
"""
ROUTE: Final = "emr import"
"""Under this route the digests stand in `idempotency_keys`; they do not expire."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file has come: the next line's offset and number; `ended`: there is none."""

    offset: int = 0
    number: int = 1
    ended: bool = False


class Record(Protocol):
    """Keeps what came of a batch, in the batch's own transaction."""

    async def __call__(self, work: UnitOfWork, brought: Brought, place: Place) -> None:
        """Called in the order of the batches."""
        ...


@dataclass(frozen=True, slots=True)
class Importing:
    """One import under way. `refused` grows with the names that were not stored; `stopping` is asked after a batch."""

    opened: Callable[[], AbstractAsyncContextManager[UnitOfWork]]
    terms: Terms
    desks: Desks
    record: Record
    expected: Expected
    refused: set[Name]
    stopping: Callable[[], bool]
    reached: Reached = nowhere

    async def bring(self, source: Source, place: Place) -> bool:
        """Store the file from there on; False when it was stopped before its end. Some batches are under way at a time:
        one is being stored while others are read and checked.
        """
        reader = Reader(source.chunks(place.offset), place.offset, place.number)
        running: deque[asyncio.Task[None]] = deque()
        before: Turn | None = None
        try:
            async with aclosing(reader.batches()) as batches:
                async for batch in batches:
                    own = Turn()
                    alone = batch.long is not None
                    await _settle(running, 0 if alone else self.desks.ahead)
                    running.append(asyncio.create_task(self._batch(source, (batch, reader), before, own)))
                    before = own
                    if alone:
                        await _settle(running, 0)
                    if not batch.last and self.stopping():
                        await _settle(running, 0)
                        return False
            await _settle(running, 0)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return True

    async def _batch(self, source: Source, read: tuple[Batch, Reader], before: Turn | None, own: Turn) -> None:
        (batch, reader), failed, pile = read, True, self.desks.pile()
        try:
            brought = Brought(source.name)
            lot = await read_lines(self.terms, batch, pile, brought)
            self.reached("import-read")
            self.refused.update(each.name for each in brought.refused if each.name is not None)
            async with self.opened() as work:
                await store_lines(work, lot, Among(self.expected, self.refused, before, own), brought)
                if batch.long is not None:
                    await batch.long.drain()
                    batch.offset = reader.offset
                if before is not None:
                    await before.committed.wait()
                    before.demand()
                self.reached("import-stored")
                await self.record(work, brought, Place(batch.offset, batch.number, batch.last))
                self.reached("import-recorded")
            self.reached("import-committed")
            failed = False
        finally:
            own.end(failed=failed)
            await pile.clear()


async def survey(sources: Sequence[Source]) -> Names:
    """The names in all files."""
    names = Names()
    for source in sources:
        async with aclosing(Reader(source.chunks(0)).batches()) as batches:
            async for batch in batches:
                note_lines(names, batch.lines)
                if batch.long is not None:
                    await batch.long.drain()
                await asyncio.sleep(0)
    return names


async def left_behind(sources: Sequence[Source], refused: set[Name]) -> AsyncGenerator[Refused, None]:
    """Lines that were stored and refer to what was refused later on; a file is read again only when something was."""
    if not refused:
        return
    for source in sources:
        async with aclosing(Reader(source.chunks(0)).batches()) as batches:
            async for batch in batches:
                for line in batch.lines:
                    if name_of(line.text) in refused:
                        continue
                    named = {(found[1].decode(), found[2].decode()) for found in _REFERENCE.finditer(line.text)}
                    for resource_type, resource_id in sorted(named & refused):
                        said = (
                            f"It refers to {resource_type}/{resource_id}, which was refused; it is stored all the same."
                        )
                        yield Refused(source.name, line.number, (Issue("reference-left", said),))
                if batch.long is not None:
                    await batch.long.drain()


async def was_brought(work: UnitOfWork, source: Source) -> bool:
    """Whether this file was imported whole before, by the same principal."""
    key = (work.principal.subject, ROUTE, source.digest.hex())
    return bool(await work.db.fetchval(_KNOWN, *key, name="import-known"))


async def remember(work: UnitOfWork, source: Source) -> None:
    """Its digest is its idempotency key from now on."""
    key = (work.principal.subject, ROUTE, source.digest.hex())
    await work.db.execute(_KEEP, *key, source.digest, name="import-keep")


async def _settle(running: deque[asyncio.Task[None]], most: int) -> None:
    """Wait until at most so many batches are under way. Raises what a batch has raised."""
    while len(running) > most:
        await running[0]
        running.popleft()

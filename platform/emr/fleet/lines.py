"""Files of NDJSON from a disk into a hospital's record, line by line; an import that broke off is started again."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from emr.identity.principal import Principal
from emr.kernel.errors import Malformed
from emr.kernel.tenant import Tenant
from emr.records.bulk.beside import LARGE, Desks
from emr.records.bulk.brought import Brought, Refused
from emr.records.bulk.desk import Terms
from emr.records.bulk.importer import Importing, Place, left_behind, remember, survey, was_brought
from emr.records.bulk.lines import Source
from emr.records.bulk.names import Expected, reserve
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work

_READ: Final = 1 << 20
_TOLD: Final = 10_000
"""Refusals that are told one by one."""


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file, or a line of one, of which nothing was stored: its name, the stable code, the rule and the place."""

    file: str
    code: str
    message: str
    location: str


@dataclass(slots=True)
class Report:
    """What came of an import."""

    files: int = 0
    stored: int = 0
    found: int = 0
    known: int = 0
    refused: list[RefusedFile] = field(default_factory=list)


async def import_lines(
    parts: Runtime,
    who: tuple[Tenant, Principal],
    paths: Sequence[Path],
    report: Report,
    advance: Callable[[], None],
) -> None:
    """Import files of lines, each of which is a resource with its id. Raises `Malformed` for a broken gzip file."""
    tenant, principal = who

    @asynccontextmanager
    async def opened() -> AsyncIterator[UnitOfWork]:
        async with unit_of_work(parts, tenant, principal) as work:
            yield work

    sources = await _new_ones(opened, paths, report, advance)
    names = await survey(sources)
    async with opened() as work:
        runs = await reserve(work, len(names))
        terms = Terms(work.tenant, work.principal, work.request.base_url)
    keeper, desks = _Keeper(report), Desks(parts.settings.bulk.import_processes)
    importing = Importing(opened, terms, desks, keeper.record, Expected(names, runs), set(), lambda: False)
    try:
        if sum(source.size for source in sources) > LARGE:
            await desks.open()
        for source in sources:
            keeper.source = source
            await importing.bring(source, Place())
            advance()
    finally:
        await desks.close()
    async for left in left_behind(sources, importing.refused):
        keeper.tell(left)


async def _new_ones(
    opened: Callable[[], AbstractAsyncContextManager[UnitOfWork]],
    paths: Sequence[Path],
    report: Report,
    advance: Callable[[], None],
) -> list[Source]:
    """The files that were not imported before."""
    sources: list[Source] = []
    for source in [await _source(path) for path in paths]:
        report.files += 1
        async with opened() as work:
            known = await was_brought(work, source)
        report.known += int(known)
        if known:
            advance()
        else:
            sources.append(source)
    return sources


@dataclass(slots=True)
class _Keeper:
    """Counts what comes of each batch; a file of which all was taken is not read again."""

    report: Report
    source: Source | None = None
    _of_file: int = 0

    async def record(self, work: UnitOfWork, brought: Brought, place: Place) -> None:
        """See `emr.records.bulk.importer.Record`."""
        self.report.stored += brought.stored
        self.report.found += brought.found
        self._of_file += len(brought.refused)
        for refused in brought.refused:
            self.tell(refused)
        if place.ended:
            if not self._of_file and self.source is not None:
                await remember(work, self.source)
            self._of_file = 0

    def tell(self, refused: Refused) -> None:
        """Put a refusal into the report."""
        first = refused.reasons[0]
        if len(self.report.refused) < _TOLD:
            place = f"line {refused.number} {first.location or ''}".rstrip()
            self.report.refused.append(RefusedFile(refused.file, first.code, first.message, place))


async def _source(path: Path) -> Source:
    digest, size = sha256(), 0
    async for chunk in _chunks(path, 0):
        digest.update(chunk)
        size += len(chunk)
    return Source(path.name, digest.digest(), partial(_chunks, path), size)


async def _chunks(path: Path, offset: int) -> AsyncGenerator[bytes, None]:
    opened = gzip.open if path.name.endswith(".gz") else open
    try:
        with await asyncio.to_thread(opened, path, "rb") as file:
            await asyncio.to_thread(file.seek, offset)
            while chunk := await asyncio.to_thread(file.read, _READ):
                yield chunk
    except (OSError, EOFError) as error:
        raise Malformed("file-unreadable", f"{path.name} is not a whole file.") from error

"""A piece of an `$import` job: batches for some seconds, each recorded with how far the job has come."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from emr.kernel import json
from emr.records.bulk.beside import LARGE, Desks
from emr.records.bulk.brought import Brought, Refused
from emr.records.bulk.desk import Terms
from emr.records.bulk.export import NDJSON, RETENTION
from emr.records.bulk.importer import Importing, Place, left_behind, remember, survey, was_brought
from emr.records.bulk.jobs import File, Job, Piece, advance
from emr.records.bulk.lines import Source
from emr.records.bulk.names import Expected, Names, reserve
from emr.work.faults import Reached, nowhere
from emr.work.unit import UnitOfWork

_SECONDS: Final = 10.0
_REPORTED: Final = 500
"""Refusals that stand in the job's row before they are written to a file."""
_UNLIMITED: Final = 1 << 60


@dataclass(frozen=True, slots=True)
class Running:
    """A job in the hands of a worker. `opened` begins a unit of work as the principal of the kick-off."""

    job: Job
    runner: int
    opened: Callable[[], AbstractAsyncContextManager[UnitOfWork]]


class Importer:
    """Does pieces of imports; keeps the names of the last one, so that its files are not read again for each piece."""

    def __init__(self, desks: Desks, reached: Reached = nowhere) -> None:
        self._names: dict[str, Names] = {}
        self._desks, self._reached = desks, reached

    async def piece(self, running: Running) -> None:
        """Go on for some seconds. Raises `JobMoved`, and `Unavailable` when a part does not answer."""
        progress = dict(running.job.progress) or await self._begun(running)
        sources, terms = await _sources(running, progress["known"])
        if sum(source.size for source in sources) > LARGE:
            await self._desks.open()
        names = await self._noted(running.job, sources)
        if "runs" not in progress:
            async with running.opened() as work:
                progress["runs"] = await reserve(work, len(names))
                await advance(work, running.job.id, running.runner, Piece(progress))
        await self._desks.ready()
        self._reached("import-begun")
        keeper = _Keeper(running, progress, sources)
        importing = Importing(
            opened=running.opened,
            terms=terms,
            desks=self._desks,
            record=keeper.record,
            expected=Expected(names, progress["runs"]),
            refused={(name[0], name[1]) for name in progress["names"]},
            stopping=_after(_SECONDS),
            reached=self._reached,
        )
        while progress["at"] < len(sources):
            place = Place(progress["offset"], progress["number"])
            if not await importing.bring(sources[progress["at"]], place):
                return
        await keeper.finish(importing)

    async def _begun(self, running: Running) -> dict[str, Any]:
        async with running.opened() as work:
            sources = [await _source(work, each) for each in running.job.asked["inputs"]]
            known = [source.digest.hex() for source in sources if await was_brought(work, source)]
        return {
            "at": 0, "offset": 0, "number": 1, "known": known, "stored": 0, "found": 0, "refused": 0,
            "of_file": 0, "names": [], "report": [],
        }  # fmt: skip

    async def _noted(self, job: Job, sources: Sequence[Source]) -> Names:
        if job.id not in self._names:
            self._names = {job.id: await survey(sources)}
        return self._names[job.id]


class _Keeper:
    """Keeps what came of each batch in the job's row, and refusals in files."""

    def __init__(self, running: Running, progress: dict[str, Any], sources: Sequence[Source]) -> None:
        self._running, self._progress, self._sources = running, progress, sources

    async def record(self, work: UnitOfWork, brought: Brought, place: Place) -> None:
        """See `Record`."""
        progress = self._progress
        progress["stored"] += brought.stored
        progress["found"] += brought.found
        self._note(brought.refused)
        progress["offset"], progress["number"] = place.offset, place.number
        if place.ended:
            if not progress["of_file"]:
                await remember(work, self._sources[progress["at"]])
            progress.update(at=progress["at"] + 1, offset=0, number=1, of_file=0)
        await self._advance(work, "running")

    async def finish(self, importing: Importing) -> None:
        """Tell what refers to what was refused, and end the job."""
        async for left in left_behind(self._sources, importing.refused):
            self._progress["report"].append(left.outcome())
        async with self._running.opened() as work:
            await self._advance(work, "done")

    def _note(self, refused: Sequence[Refused]) -> None:
        progress = self._progress
        progress["refused"] += len(refused)
        progress["of_file"] += len(refused)
        progress["names"] += [list(each.name) for each in refused if each.name is not None]
        progress["report"] += [each.outcome() for each in refused]

    async def _advance(self, work: UnitOfWork, state: str) -> None:
        files: list[File] = []
        report = self._progress["report"]
        if len(report) >= _REPORTED or (report and state == "done"):
            blob = await work.blobs.put(_lines(report), media_type=NDJSON, limit=_UNLIMITED, retention_class=RETENTION)
            files.append(File("report", "OperationOutcome", blob.key, len(report), blob.size))
            self._progress["report"] = []
        await advance(work, self._running.job.id, self._running.runner, Piece(self._progress, files, state))


async def _sources(running: Running, known: Sequence[str]) -> tuple[list[Source], Terms]:
    """The files of the job that were not imported before, and for whom they are read."""
    async with running.opened() as work:
        found = [await _source(work, each) for each in running.job.asked["inputs"]]
        terms = Terms(work.tenant, work.principal, work.request.base_url)
    return [source for source in found if source.digest.hex() not in known], terms


async def _source(work: UnitOfWork, given: dict[str, str]) -> Source:
    blob, blobs = await work.blobs.find(given["blob"]), work.blobs
    return Source(given["name"], bytes.fromhex(blob.digest), lambda offset: blobs.open(blob, offset), blob.size)


async def _lines(outcomes: Sequence[dict[str, Any]]) -> AsyncIterator[bytes]:
    for outcome in outcomes:
        yield json.dumps(outcome) + b"\n"


def _after(seconds: float) -> Callable[[], bool]:
    begun = time.monotonic()
    return lambda: time.monotonic() - begun > seconds

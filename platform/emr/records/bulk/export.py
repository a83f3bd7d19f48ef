"""A piece of an export: files of one type each, and what was deleted or could not be read on the way."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

import zstandard

from emr.access.permissions import demand_sight
from emr.kernel import json
from emr.records.bulk import as_of
from emr.records.bulk.as_of import Name, Window
from emr.records.bulk.attachments import counted, line_with_bytes
from emr.records.bulk.chosen import Chosen, chosen_by
from emr.records.bulk.jobs import File, Job, Piece, advance
from emr.records.bulk.scope import Scope, Whose, patients_in
from emr.records.codec import unpack
from emr.storage.blobs import Blob
from emr.storage.ports import key_named
from emr.work.faults import Reached, nowhere
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

NDJSON: Final = "application/fhir+ndjson"
RETENTION: Final = "bulk"
"""The retention class of a job's files: they go with the job."""
_CHUNK: Final = 1 << 20
_UNLIMITED: Final = 1 << 60
_SECONDS: Final = 5.0
"""A file that took so long ends at the next page, and so does a piece, so that other hospitals have their turn."""
_DELETIONS: Final = 20_000
_TOGETHER: Final = 100


@dataclass(slots=True)
class Part:
    """What one piece has read so far, and where it stands."""

    type: str
    after: str
    window: Window
    whose: Whose
    chosen: Chosen | None
    part_bytes: int
    ended: bool = False
    lines: int = 0
    size: int = 0
    scanned: int = 0
    deleted: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def full(self) -> bool:
        """Whether the file is long enough, or has been written for long enough."""
        return (
            self.size >= self.part_bytes or len(self.deleted) >= _DELETIONS or time.monotonic() - self.began > _SECONDS
        )


class Exporter:
    """Writes pieces of exports; remembers what a filter has chosen while its type is being written."""

    def __init__(self, part_bytes: int, reached: Reached = nowhere) -> None:
        self._part_bytes, self._reached = part_bytes, reached
        self._chosen: dict[tuple[str, str], Chosen] = {}

    async def piece(self, work: UnitOfWork, job: Job, runner: int) -> Piece:
        """Write the next files and record them; the last piece ends the job. Raises `JobMoved`."""
        scope, progress = Scope.of(job.asked), dict(job.progress)
        if not progress:
            total = await as_of.count(work.db, scope.types)
            progress = {"at": 0, "after": "", "lines": 0, "scanned": 0, "total": total}
        files: list[File] = []
        begun, size = time.monotonic(), 0
        while progress["at"] < len(scope.types) and size < self._part_bytes and time.monotonic() - begun < _SECONDS:
            made = await self._next_file(work, job, scope, progress)
            size += sum(file.size for file in made)
            files += made
            self._reached("export-file-written")
        piece = Piece(progress, files, "running" if progress["at"] < len(scope.types) else "done")
        await advance(work, job.id, runner, piece)
        self._reached("export-recorded")
        return piece

    async def _next_file(self, work: UnitOfWork, job: Job, scope: Scope, progress: dict[str, Any]) -> list[File]:
        resource_type = scope.types[progress["at"]]
        part = Part(
            type=resource_type,
            after=progress["after"],
            window=scope.window(job.snapshot),
            whose=scope.whose(),
            chosen=await self._of_filters(work, job, scope, resource_type),
            part_bytes=self._part_bytes,
        )
        files = await write_part(work, part)
        progress["scanned"] += part.scanned
        progress["lines"] += part.lines
        progress["after"] = "" if part.ended else part.after
        progress["at"] += int(part.ended)
        return files

    async def _of_filters(self, work: UnitOfWork, job: Job, scope: Scope, resource_type: str) -> Chosen | None:
        queries = scope.filters.get(resource_type)
        if not queries:
            return None
        place = (job.id, resource_type)
        if place not in self._chosen:
            self._chosen = {place: await chosen_by(work, resource_type, queries)}
        return self._chosen[place]


@use_case("bulk:export", "bulk.part-written")
async def write_part(work: UnitOfWork, part: Part) -> list[File]:
    """Store the files of one piece; none where there is nothing to write. Raises `Forbidden` for a type unseen."""
    demand_sight(work.principal, part.type)
    files = [
        await _store(work, ("output", part.type), _lines(work, part), part),
        await _store(work, ("deleted", "Bundle"), _deletions(part.deleted), part),
        await _store(work, ("error", "OperationOutcome"), _outcomes(part.broken), part),
    ]
    work.trail.note(type=part.type, lines=part.lines, deleted=len(part.deleted), broken=len(part.broken))
    return [file for file in files if file is not None]


async def _store(
    work: UnitOfWork, kind: tuple[str, str], chunks: AsyncGenerator[bytes, None], part: Part
) -> File | None:
    async with aclosing(chunks):
        first = await anext(chunks, None)
        if first is None:
            return None
        blob = await work.blobs.put(
            _joined(first, chunks), media_type=NDJSON, limit=_UNLIMITED, retention_class=RETENTION
        )
    role, resource_type = kind
    lines = {"output": part.lines, "deleted": -(-len(part.deleted) // _TOGETHER), "error": len(part.broken)}[role]
    return File(role, resource_type, blob.key, lines, blob.size)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def _lines(work: UnitOfWork, part: Part) -> AsyncGenerator[bytes, None]:
    """The lines of a file in chunks of about a MiB, until the type ends or the part is full."""
    while not part.full:
        names = await as_of.names_after(work.db, part.type, part.after, part.window)
        for run in as_of.affordable(names):
            async for chunk in _run(work, part, run):
                yield chunk
            part.scanned += len(run)
            part.after = run[-1].id
            if part.full:
                break
        else:
            if len(names) < as_of.ROWS:
                part.ended = True
                return


async def _run(work: UnitOfWork, part: Part, run: Sequence[Name]) -> AsyncGenerator[bytes, None]:
    await _note_deletions(work, part, [name for name in run if name.deleted and name.version is not None])
    wanted = [name for name in run if name.version is not None and not name.deleted and _may_belong(part, name)]
    bodies = await as_of.bodies_of(work.db, wanted) if wanted else []
    objects = await _objects(work, part, wanted)
    held, weight = [], 0
    for name, packed in zip(wanted, bodies, strict=True):
        body = _readable(part, name, packed)
        if body is None or (
            part.whose.needs_body(part.type, name) and not part.whose.has(patients_in(part.type, body))
        ):
            continue
        part.lines += 1
        if (blob := objects.get(name.id)) is not None:
            size = [0]
            async for chunk in counted(line_with_bytes(body, work.blobs, blob), size):
                yield chunk
            part.size += size[0]
            continue
        held.append(body)
        weight += len(body) + 1
        if weight >= _CHUNK:
            part.size += weight
            yield b"\n".join(held) + b"\n"
            held, weight = [], 0
    if held:
        part.size += weight
        yield b"\n".join(held) + b"\n"


def _may_belong(part: Part, name: Name) -> bool:
    if part.chosen is not None and name.pk not in part.chosen:
        return False
    return part.whose.everything or part.whose.needs_body(part.type, name) or part.whose.has(name.patients)


def _readable(part: Part, name: Name, packed: bytes) -> bytes | None:
    try:
        return unpack(packed)
    except (zstandard.ZstdError, KeyError):
        part.broken.append(f"{part.type}/{name.id}/_history/{name.version} cannot be read from the store.")
        return None


async def _objects(work: UnitOfWork, part: Part, wanted: Sequence[Name]) -> dict[str, Blob]:
    """By id, the objects that hold the bytes of Binaries."""
    if part.type != "Binary":
        return {}
    keys = {key: name.id for name in wanted if (key := key_named(name.id)) is not None}
    return {keys[key]: blob for key, blob in (await work.blobs.find_many(list(keys))).items()}


async def _note_deletions(work: UnitOfWork, part: Part, gone: Sequence[Name]) -> None:
    """What went away since; nothing when everything is asked for, and nothing of somebody else's."""
    if not part.window.changes or part.chosen is not None:
        return
    for name in gone:
        if not part.whose.everything:
            packed = await as_of.last_live_body(work.db, name)
            body = None if packed is None else _readable(part, name, packed)
            if body is None or not part.whose.has(patients_in(part.type, body)):
                continue
        part.deleted.append(f"{part.type}/{name.id}")


async def _deletions(urls: Sequence[str]) -> AsyncGenerator[bytes, None]:
    for begin in range(0, len(urls), _TOGETHER):
        entries = [{"request": {"method": "DELETE", "url": url}} for url in urls[begin : begin + _TOGETHER]]
        yield json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}) + b"\n"


async def _outcomes(said: Sequence[str]) -> AsyncGenerator[bytes, None]:
    for text in said:
        issue = {"severity": "error", "code": "exception", "diagnostics": text}
        yield json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}) + b"\n"

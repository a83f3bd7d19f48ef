"""A package on its way into the object store: one zip file in stretches, each a sealed object of its own.

A stretch is put under a new key without a transaction; then one short transaction names it and keeps how far the
archive is. So a worker that is killed leaves an object that no row names, and the next one begins that stretch anew.
Documents and images go from object to archive, and never through a file.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final

from emr.fleet.leaving.archive import Entry, Place, end_of
from emr.fleet.leaving.layout import CONTENTS, MANIFEST, SIGNATURE
from emr.fleet.leaving.manifest import content_rows, read_files
from emr.fleet.leaving.record import Opened
from emr.kernel.errors import Conflict
from emr.kernel.tenant import Tenant
from emr.records.bulk.exits import ROLE
from emr.records.bulk.export import RETENTION
from emr.records.bulk.jobs import File, Job, Piece, advance
from emr.storage.blobs import Blob, BlobStore
from emr.work.faults import Reached
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

PHASE: Final = "packing"
ZIP: Final = "application/zip"
_DIRECTORY: Final = ".directory"
"""The central directory as it grows, beside the package's files."""
_READ: Final = 1 << 20
_UNLIMITED: Final = 1 << 60


@dataclass(frozen=True, slots=True)
class Packing:
    """What is packed, for which job, as whom; `stretch`: bytes from which on a stretch ends."""

    parts: Runtime
    tenant: Tenant
    job: Job
    runner: int
    opened: Opened
    root: Path
    stretch: int
    reached: Reached


@dataclass(slots=True)
class _At:
    """Where the archive stands, as it is kept in the job's row. `directory`: bytes of the file of entries."""

    package: str
    total: int
    offset: int = 0
    entries: int = 0
    directory: int = 0
    ended: bool = False

    def kept(self) -> dict[str, Any]:
        return {"step": PHASE, "package": self.package, "done": self.offset, "total": self.total,
                "entries": self.entries, "directory": self.directory}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Source:
    """A file of the package: in the folder, or an object of the hospital."""

    path: str
    size: int
    sha256: str
    key: str = ""


@dataclass(slots=True)
class _Later:
    """Statements that wait for the transaction that names a stretch."""

    held: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    async def execute(self, sql: str, *args: Any) -> None:
        """Hold it."""
        self.held.append((sql, args))

    async def fetch(self, sql: str, *args: Any) -> Sequence[Any]:
        """Nothing is asked for on the way."""
        raise AssertionError(f"asked while packing: {sql} {len(args)}")


def is_packed(job: Job, root: Path) -> bool:
    """Whether the job has come to packing what stands in this folder."""
    manifest = root / MANIFEST
    told = job.progress.get("package")
    return bool(told) and manifest.exists() and sha256(manifest.read_bytes()).hexdigest() == told


async def pack(packing: Packing, digest: str) -> None:
    """From where it stands to the end. Raises `JobMoved`, `Conflict` where a file is not what the manifest says."""
    kept = packing.job.progress if packing.job.progress.get("package") == digest else {}
    at = _At(digest, sum(each.size for each in _sources(packing.root)), kept.get("done", 0), kept.get("entries", 0),
             kept.get("directory", 0))  # fmt: skip
    while not at.ended:
        later = _Later()
        blobs = packing.parts.stores.blobs(
            packing.tenant.schema, await packing.parts.keyrings.of(packing.tenant), later
        )
        blob = await blobs.put(
            _stretch(packing, blobs, at), media_type=ZIP, limit=_UNLIMITED, retention_class=RETENTION
        )
        packing.reached("package-stretch")
        async with packing.opened() as work:
            await _name_stretch(work, packing, (blob, at), later)
        packing.reached("package-recorded")


@use_case("hospital:export", "hospital.package-stored")
async def _name_stretch(work: UnitOfWork, packing: Packing, made: tuple[Blob, _At], later: _Later) -> None:
    blob, at = made
    for sql, args in later.held:
        await work.db.execute(sql, *args, name="package.blob")
    piece = Piece(at.kept(), [File(ROLE, "zip", blob.key, 0, blob.size)], "done" if at.ended else "running")
    await advance(work, packing.job.id, packing.runner, piece)
    work.trail.note(job=packing.job.id, bytes=blob.size)


async def _stretch(packing: Packing, blobs: BlobStore, at: _At) -> AsyncGenerator[bytes, None]:
    """The next bytes of the archive; whole files, so that a stretch is longer by the last of them."""
    begun, when = at.offset, packing.job.moment
    with (packing.root / _DIRECTORY).open("ab") as directory:
        directory.truncate(at.directory)
        for source in islice(_sources(packing.root), at.entries, None):
            entry, offset = Entry(source.path, source.size, when, packed=not source.key), at.offset
            async with aclosing(_written(packing, blobs, source, entry)) as pieces:
                async for piece in pieces:
                    at.offset += len(piece)
                    yield piece
            at.directory += directory.write(entry.central(offset))
            at.entries += 1
            if at.offset - begun >= packing.stretch:
                break
        else:
            at.ended = True
        directory.flush()
        os.fsync(directory.fileno())
    if at.ended:
        async with aclosing(_closing(packing.root, at)) as pieces:
            async for piece in pieces:
                yield piece


async def _closing(root: Path, at: _At) -> AsyncGenerator[bytes, None]:
    with (root / _DIRECTORY).open("rb") as directory:
        while piece := directory.read(_READ):
            yield piece
    for piece in end_of(Place(at.offset, at.entries), at.directory):
        yield piece


async def _written(packing: Packing, blobs: BlobStore, source: _Source, entry: Entry) -> AsyncGenerator[bytes, None]:
    """One file of the archive, compared with what was signed."""
    yield entry.head()
    digest = sha256()
    async with aclosing(_bytes(packing.root, blobs, source)) as chunks:
        async for chunk in chunks:
            digest.update(chunk)
            piece = await asyncio.to_thread(entry.add, chunk) if not source.key else entry.add(chunk)
            if piece:
                yield piece
    if digest.hexdigest() != source.sha256:
        raise Conflict("content-differs", "A file does not have the digest that it should.", location=source.path)
    yield entry.tail()


async def _bytes(root: Path, blobs: BlobStore, source: _Source) -> AsyncGenerator[bytes, None]:
    if source.key:
        async with aclosing(blobs.open(Blob(source.key, source.sha256, source.size, "", ""))) as chunks:
            async for chunk in chunks:
                yield chunk
        return
    with (root / source.path).open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _READ):
            yield chunk


def _sources(root: Path) -> Iterator[_Source]:
    """Every file of the package, in one and the same order each time."""
    for path in (MANIFEST, SIGNATURE):
        content = (root / path).read_bytes()
        yield _Source(path, len(content), sha256(content).hexdigest())
    for each in read_files(root / MANIFEST):
        yield _Source(each.path, each.bytes, each.sha256)
    for row in content_rows(root / CONTENTS):
        yield _Source(row["path"], row["size"], row["sha256"], row["key"])

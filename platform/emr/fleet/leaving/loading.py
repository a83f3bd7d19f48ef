"""A package's record, objects and state into a hospital that has just been made, in short transactions of its own.

Versions keep numbers, times and bytes; who wrote them in which transaction is a matter of the cluster that they came
from, so here they get the transaction that loads them. The index is built behind them, by the pass that builds it anew
everywhere else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Final

from emr.fleet.leaving.brought import Batch, Version, batches_of
from emr.fleet.leaving.layout import FileFact
from emr.fleet.leaving.manifest import Manifest
from emr.fleet.leaving.package import Package, contents_of
from emr.kernel.errors import Conflict
from emr.records import reindexing
from emr.records.codec import pack
from emr.records.own_parameters import TYPE, take_over
from emr.records.own_pass import advance_own
from emr.records.sights_pass import advance_sights
from emr.work.unit import UnitOfWork

_PIECE: Final = 500
_PAUSE: Final = 0.2
_NEXT: Final = "SELECT nextval('resources_pk_seq') AS pk FROM generate_series(1, $1)"
_RESOURCES: Final = """
INSERT INTO resources (pk, type, id, version, updated, deleted, patients, body)
SELECT pk, type, id, version, updated, deleted, string_to_array(patients, ' '), body
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::timestamptz[], $6::bool[], $7::text[], $8::bytea[])
    AS v (pk, type, id, version, updated, deleted, patients, body)
"""
_VERSIONS: Final = """
INSERT INTO resource_versions (pk, version, updated, xid, deleted, body)
SELECT pk, version, updated, pg_current_xact_id(), deleted, body
  FROM unnest($1::bigint[], $2::int[], $3::timestamptz[], $4::bool[], $5::bytea[])
    AS v (pk, version, updated, deleted, body)
"""
_STATES: Final = {
    "state/dicom_series.ndjson": """
INSERT INTO dicom_series SELECT r.* FROM unnest($1::text[]) AS line,
  LATERAL jsonb_populate_record(NULL::dicom_series, line::jsonb) AS r
""",
    "state/dicom_instances.ndjson": """
INSERT INTO dicom_instances SELECT r.* FROM unnest($1::text[]) AS line,
  LATERAL jsonb_populate_record(NULL::dicom_instances, line::jsonb) AS r
""",
    "state/grants.ndjson": """
INSERT INTO grants SELECT r.* FROM unnest($1::text[]) AS line,
  LATERAL jsonb_populate_record(NULL::grants, line::jsonb) AS r
""",
    "state/retention_holds.ndjson": """
INSERT INTO retention_holds SELECT r.* FROM unnest($1::text[]) AS line,
  LATERAL jsonb_populate_record(NULL::retention_holds, line::jsonb) AS r
""",
    "state/sights.ndjson": """
UPDATE resources r SET concerns = s.concerns, labels = s.labels
  FROM unnest($1::text[]) AS line, LATERAL jsonb_to_record(line::jsonb)
    AS s (type text, id text, concerns text[], labels text[])
 WHERE r.type = s.type AND r.id = s.id
""",
}
_KEPT: Final = "UPDATE blobs SET created_at = $2, scan_state = $3 WHERE key = $1"

Opened = Callable[[], AbstractAsyncContextManager[UnitOfWork]]
Watch = Callable[[str, int], None]


class Loader:
    """Loads one package; `opened` begins a transaction of the new hospital."""

    def __init__(self, opened: Opened, package: Package, manifest: Manifest, watch: Watch) -> None:
        self._opened, self._package, self._manifest, self._watch = opened, package, manifest, watch
        self._pks: list[int] = []
        self._pk = 0

    async def load(self) -> None:
        """All of it, and the index behind it. Raises `Invalid`, `Conflict`, `Unavailable`."""
        for batch in batches_of(self._package, self._manifest):
            async with self._opened() as work:
                await self._store(work, batch)
            self._watch("record", len(batch.versions))
        for row in contents_of(self._package, self._manifest):
            async with self._opened() as work:
                await self._content(work, row)
            self._watch("contents", 1)
        for file in self._manifest.files:
            if file.path in _STATES:
                for lines in _pieces(self._package.lines(file.path, file.bytes)):
                    async with self._opened() as work:
                        await work.db.execute(_STATES[file.path], lines, name="leaving.load-state")
        await self._index()

    async def _store(self, work: UnitOfWork, batch: Batch) -> None:
        kept: list[tuple[Any, ...]] = []
        stood: list[tuple[Any, ...]] = []
        parameters: list[tuple[str, str, dict[str, Any] | None]] = []
        for version, newest in zip(batch.versions, batch.newest, strict=True):
            pk = self._pk = self._pk or await self._next(work)
            if not newest:
                kept.append((pk, version.number, version.updated, version.deleted, pack(version.body)))
                continue
            self._pk = 0
            stood.append(_row(pk, version))
            if version.type == TYPE and not version.deleted:
                parameters.append(("", version.id, version.resource()))
        if stood:
            await work.db.execute(_RESOURCES, *_columns(stood), name="leaving.load-resources")
        if kept:
            await work.db.execute(_VERSIONS, *_columns(kept), name="leaving.load-versions")
        if parameters:
            await take_over(work, parameters)

    async def _next(self, work: UnitOfWork) -> int:
        if not self._pks:
            self._pks = [row["pk"] for row in await work.db.fetch(_NEXT, _PIECE, name="leaving.pks")][::-1]
        return self._pks.pop()

    async def _content(self, work: UnitOfWork, row: dict[str, Any]) -> None:
        fact = FileFact(row["path"], row["size"], row["sha256"])
        blob = await work.blobs.put(
            _read(self._package, fact),
            media_type=row["media_type"],
            limit=fact.bytes,
            retention_class=row["retention_class"],
            key=row["key"],
        )
        if (blob.digest, blob.size) != (fact.sha256, fact.bytes):
            raise Conflict("content-differs", "A file is not what its list says.", location=fact.path)
        stood = datetime.fromisoformat(row["created_at"])
        await work.db.execute(_KEPT, blob.key, stood, row["scan_state"], name="leaving.load-blob")

    async def _index(self) -> None:
        """The search index, the hospital's own parameters, and who may see what: as `emr records reindex` does it."""
        async with self._opened() as work:
            await reindexing.begin(work)
        for advance in (reindexing.advance, advance_own):
            complete = False
            while not complete:
                async with self._opened() as work:
                    progress = await advance(work)
                complete = progress.complete
                self._watch("index", 1)
                if not complete and not progress.resources:
                    await asyncio.sleep(_PAUSE)
        more = True
        while more:
            async with self._opened() as work:
                more = await advance_sights(work)


def _row(pk: int, version: Version) -> tuple[Any, ...]:
    patients = " ".join(version.patients())
    return (
        pk,
        version.type,
        version.id,
        version.number,
        version.updated,
        version.deleted,
        patients,
        pack(version.body),
    )


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _pieces(lines: Iterable[bytes]) -> Iterator[list[str]]:
    piece: list[str] = []
    for line in lines:
        piece.append(line.decode())
        if len(piece) == _PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


async def _read(package: Package, fact: FileFact) -> AsyncIterator[bytes]:
    for chunk in package.chunks(fact.path, fact.bytes):
        yield chunk

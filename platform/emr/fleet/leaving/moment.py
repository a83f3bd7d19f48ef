"""The moment of an exit package: what the hospital is then, and the snapshot that everything else is read by.

One transaction sees one state. It keeps PostgreSQL's own name of that state, by which the versions of the record are
read later, in short transactions and after a pause (`emr.records.bulk.as_of`); the trail is read up to the last seal
that it sees; what may change or go without a version is written down at once.
"""

import json
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

from emr.audit.archives import RETENTION as ARCHIVED
from emr.audit.sealing import BATCH_ROWS, Sealer, head_of
from emr.db.connection import Connection
from emr.db.revisions import newest_hospital_revision
from emr.fleet.leaving.layout import CONTENTS, HOSPITAL, MEMBERS, FileFact, content_path
from emr.fleet.leaving.progress import Progress
from emr.fleet.leaving.shelf import fact_of, put_file
from emr.kernel.tenant import Tenant
from emr.records.bulk.export import RETENTION
from emr.storage.ports import name_of
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

PHASE: Final = "moment"
_ONE_STATE: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
_PATIENT: Final = "SET LOCAL statement_timeout = '10min'"
_NOW: Final = "SELECT now() AS at, pg_current_snapshot()::text AS snapshot"
_BLOBS: Final = """
SELECT key, encode(digest, 'hex') AS sha256, size, media_type, scan_state, retention_class, created_at::text
  FROM blobs WHERE key > $1 AND retention_class <> ALL ($2) ORDER BY key LIMIT 1000
"""
NOT_CONTENT: Final = (RETENTION, ARCHIVED)
"""Classes of what is in the object store for a while, and of old rows of the trail, which stand in `audit/`."""
_SERIES: Final = (
    "SELECT series_uid AS k, to_jsonb(t)::text AS row FROM dicom_series t WHERE series_uid > $1 ORDER BY 1 LIMIT 200"
)
_INSTANCES: Final = (
    "SELECT sop_uid AS k, to_jsonb(t)::text AS row FROM dicom_instances t WHERE sop_uid > $1 ORDER BY 1 LIMIT 200"
)
_GRANTS: Final = "SELECT id AS k, to_jsonb(t)::text AS row FROM grants t WHERE id > $1 ORDER BY 1 LIMIT 1000"
_HOLDS: Final = "SELECT id AS k, to_jsonb(t)::text AS row FROM retention_holds t WHERE id > $1 ORDER BY 1 LIMIT 1000"
_SIGHTS: Final = """
SELECT pk AS k, jsonb_build_object('type', type, 'id', id, 'concerns', concerns, 'labels', labels)::text AS row
  FROM resources WHERE pk > $1 AND (concerns IS NOT NULL OR labels IS NOT NULL) ORDER BY pk LIMIT 1000
"""
_STATES: Final[dict[str, tuple[str, str | int]]] = {
    "dicom_series": (_SERIES, ""),
    "dicom_instances": (_INSTANCES, ""),
    "grants": (_GRANTS, ""),
    "retention_holds": (_HOLDS, ""),
    "sights": (_SIGHTS, 0),
}
"""Files of `state/`: what reads a page of their rows, and the key before the first."""
_TENANT: Final = """
SELECT definition::text AS definition, state, managed_by, organization_id, created_at::text AS created_at
  FROM directory.tenants WHERE id = $1
"""
_OF_DIRECTORY: Final = {
    MEMBERS: """
SELECT to_jsonb(t)::text AS row FROM (
  SELECT subject, role, name, active, duties, wards, clearances, practitioner, scopes, granted_by, created_at,
         updated_at, expires_at, seen_on FROM directory.memberships WHERE tenant_id = $1 ORDER BY subject) t
""",
    "hospital/events.ndjson": """
SELECT to_jsonb(t)::text AS row FROM (
  SELECT at, actor, event, detail FROM directory.tenant_events WHERE tenant_id = $1 ORDER BY number) t
""",
    "hospital/apps.ndjson": """
SELECT to_jsonb(t)::text AS row FROM (
  SELECT id, name, kind, redirect_uris, launch_uri, scopes, jwks, jwks_uri, subject, active, registered_by, created_at,
         updated_at FROM directory.apps WHERE tenant_id = $1 ORDER BY id) t
""",
    "hospital/machine_clients.ndjson": """
SELECT to_jsonb(t)::text AS row FROM (
  SELECT subject, client_id, jwks_url, created_at, rotated_at, removed_at FROM directory.machine_clients
   WHERE tenant_id = $1 ORDER BY subject) t
""",
    "hospital/access_reviews.ndjson": """
SELECT to_jsonb(t)::text AS row FROM (
  SELECT id, opened_at, opened_by, closed_at, closed_by FROM directory.access_reviews WHERE tenant_id = $1
   ORDER BY id) t
""",
    "hospital/access_review_lines.ndjson": """
SELECT to_jsonb(t)::text AS row FROM (
  SELECT l.* FROM directory.access_review_lines l JOIN directory.access_reviews r ON r.id = l.review_id
   WHERE r.tenant_id = $1 ORDER BY l.review_id, l.subject) t
""",
}
"""Rows of the directory that are this hospital's. No hash of a secret and no sealed token is among their columns."""


@use_case("hospital:export", "hospital.export-begun")
async def settle(work: UnitOfWork, progress: Progress) -> None:
    """Fix the moment and write down what is not versioned. The unit of work must be one that only reads."""
    await work.db.execute(_ONE_STATE)
    await work.db.execute(_PATIENT)
    now = await work.db.fetchrow(_NOW, name="leaving.now")
    assert now is not None
    head = await head_of(work.db)
    root = progress.root
    files = [
        await _written(root, f"state/{table}.ndjson", _pages(work.db, query, first))
        for table, (query, first) in _STATES.items()
    ]
    contents = _Contents(work.db)
    files.append(await _written(root, CONTENTS, contents.lines()))
    files += await _directory(work, root)
    progress.facts = {
        "moment": now["at"].isoformat(),
        "snapshot": now["snapshot"],
        "cell": work.tenant.cell,
        "revision": newest_hospital_revision(),
        "hospital": _named(work.tenant),
        "audit": {"first": 1, "last": head.last, "batch": head.batch, "hash": head.hash.hex()},
    }
    lines = {each.path: each.lines for each in files}
    progress.counts = {
        "members": lines[MEMBERS],
        "contents": {"files": contents.files, "bytes": contents.bytes, "images": contents.images},
    }
    progress.over(PHASE, files)


async def seal_all(parts: Runtime, tenant: Tenant) -> None:
    """What waits in the journal now is sealed before the moment, so that the package holds it."""
    sealer = Sealer(tenant.cell, parts.databases.place(tenant), parts.clock, parts.registry.slug_of, lambda _: None)
    while await sealer.seal(tenant.schema) == BATCH_ROWS:
        pass


async def _directory(work: UnitOfWork, root: Path) -> list[FileFact]:
    async with work.runtime.databases.directory.transaction() as connection:
        row = await connection.fetchrow(_TENANT, work.tenant.id, name="leaving.tenant")
        assert row is not None
        described = _named(work.tenant) | {
            "state": row["state"],
            "managed_by": row["managed_by"],
            "organization_id": row["organization_id"],
            "created_at": row["created_at"],
            "definition": json.loads(row["definition"]),
        }
        files = [put_file(root, HOSPITAL, json.dumps(described, ensure_ascii=False, indent=2).encode() + b"\n")]
        for path, query in _OF_DIRECTORY.items():
            rows = await connection.fetch(query, work.tenant.id, name="leaving.directory")
            files.append(await _written(root, path, _once(row["row"].encode() for row in rows)))
    return files


def _named(tenant: Tenant) -> dict[str, Any]:
    return {
        "id": tenant.id,
        "slug": tenant.slug,
        "name": tenant.name,
        "facility_code": tenant.facility_code,
        "stream": tenant.schema,
    }


async def _once(lines: Any) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


async def _pages(connection: Connection, query: str, after: str | int) -> AsyncIterator[bytes]:
    """The rows of a table by key, some at a time."""
    while rows := await connection.fetch(query, after, name="leaving.state"):
        for row in rows:
            yield row["row"].encode()
        after = rows[-1]["k"]


class _Contents:
    """The list of all bytes in the object store; what jobs have left there for a while is not the record."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.files = self.bytes = self.images = 0

    async def lines(self) -> AsyncIterator[bytes]:
        """A line for each file of `contents/`."""
        after = ""
        while rows := await self._page(after):
            for row in rows:
                path = content_path(name_of(row["key"]), row["media_type"])
                self.files, self.bytes = self.files + 1, self.bytes + row["size"]
                self.images += path.endswith(".dcm")
                yield json.dumps({"path": path, **dict(row)}).encode()
            after = rows[-1]["key"]

    async def _page(self, after: str) -> Sequence[Any]:
        return await self._connection.fetch(_BLOBS, after, NOT_CONTENT, name="leaving.blobs")


async def _written(root: Path, path: str, lines: AsyncIterator[bytes]) -> FileFact:
    """One file of lines, begun anew."""
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with place.open("wb") as file:
        async for line in lines:
            file.write(line + b"\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return fact_of(root, path, count)

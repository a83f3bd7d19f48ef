"""The rehearsal: a hospital picked at random is restored to this moment, and compared with what lives.

What is compared does not depend on what is written meanwhile. A snapshot is taken in the live cell; every version of
every resource whose transaction that snapshot sees is there for good (as the current one, or moved to the earlier
ones), in the live cell now and in the restored one, whose recovery goes on a little beyond the snapshot. So the digest
over exactly these versions must be the same on both sides, and the chain of the trail's seals up to the same number;
of the objects that the restored rows name, some are fetched, opened and compared with their digests.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import text

from emr.db.migrate import owner_engine
from emr.fleet.rewind.opening import backup_before, settle_log
from emr.fleet.rewind.restored import Source, Told, owner_of_cell, restored
from emr.fleet.rewind.rows import Hospital, hospital_of
from emr.kernel.clock import Clock, utc_now
from emr.kernel.errors import NotFound, Refusal
from emr.settings import Settings
from emr.storage.blobs import Blob
from emr.storage.errors import ObjectMissing, SealBroken
from emr.work.runtime import Runtime

OBJECTS: Final = 20
"""Objects that are fetched and opened in one rehearsal."""
_SNAPSHOT: Final = "SELECT pg_current_snapshot()::text, clock_timestamp()"
_STATE: Final = sql.SQL("""
WITH kept AS (
  SELECT pk, version, deleted, body, xid, true AS current FROM {s}.resources
  UNION ALL SELECT pk, version, deleted, body, xid, false FROM {s}.resource_versions
), seen AS (
  SELECT pk, version, deleted, sha256(convert_to(concat_ws('/', pk, version, deleted, ''), 'UTF8') || body) AS digest,
         current
    FROM kept WHERE pg_visible_in_snapshot(xid, %(at)s::pg_snapshot)
)
SELECT (SELECT count(*) FROM seen WHERE current AND NOT deleted) AS resources,
       (SELECT count(*) FROM seen) AS versions,
       (SELECT encode(sha256(coalesce(string_agg(digest, ''::bytea ORDER BY pk, version), ''::bytea)), 'hex')
          FROM seen) AS digest,
       (SELECT count(*) FROM {s}.audit_seals WHERE batch <= %(batch)s) AS seals,
       (SELECT coalesce(max(last), 0) FROM {s}.audit_seals WHERE batch <= %(batch)s) AS trail,
       (SELECT encode(sha256(coalesce(string_agg(hash, ''::bytea ORDER BY batch), ''::bytea)), 'hex')
          FROM {s}.audit_seals WHERE batch <= %(batch)s) AS head
""")
_LAST_SEAL: Final = sql.SQL("SELECT coalesce(max(batch), 0) FROM {s}.audit_seals")
_BLOBS: Final = sql.SQL("""
SELECT key, encode(digest, 'hex'), size, media_type, key_id FROM {s}.blobs WHERE retention_class = 'record'
ORDER BY random() LIMIT %(most)s
""")
_HOSPITALS: Final = text("SELECT slug FROM directory.tenants WHERE state <> 'suspended' ORDER BY slug")
_KEEP: Final = text("""
INSERT INTO directory.rehearsals (tenant_id, cell, moment, began_at, ended_at, backup, passed, findings)
VALUES (:tenant_id, :cell, :moment, :began_at, :ended_at, :backup, :passed, CAST(:findings AS jsonb))
""")
_NAMES: Final = ("resources", "versions", "digest", "seals", "trail", "head")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of one. findings: what was counted in the live hospital (`live`) and in the restored one (`restored`),
    which of it differs, how many objects were opened and which keys failed; `error` where it broke off.
    """

    slug: str
    moment: datetime
    began: datetime
    ended: datetime
    backup: str | None
    passed: bool
    findings: dict[str, Any]


async def rehearse(parts: Runtime, slug: str | None, told: Told, clock: Clock = utc_now) -> Rehearsal:
    """Rehearse with one hospital, or with any. What comes of it is written down, a failure too.

    Raises `NotFound` for a hospital that there is not; then nothing is written.
    """
    settings = parts.settings
    hospital = hospital_of(settings, slug or _any(settings))
    began = clock()
    address = owner_of_cell(settings, hospital.cell)
    with psycopg.connect(address, autocommit=True) as live:
        row = live.execute(_SNAPSHOT).fetchone()
    assert row is not None
    snapshot, moment = str(row[0]), row[1]
    backup: str | None = None
    findings: dict[str, Any]
    try:
        found = backup_before(settings, hospital.cell, moment)
        backup = found.label
        settle_log(settings, hospital.cell, moment)
        with restored(settings, Source(hospital.cell, found, moment), told) as source:
            told("compare")
            with psycopg.connect(address, autocommit=True) as live, source.connect() as then:
                findings, blobs = _compared(live, then, hospital.schema, snapshot)
        findings |= await _opened(parts, hospital, blobs)
    except Refusal as refusal:
        findings = {"error": refusal.code, "says": refusal.message}
    passed = not findings.get("error") and not findings["differs"] and not findings["objects_failed"]
    done = Rehearsal(hospital.slug, moment, began, clock(), backup, passed, findings)
    _keep(settings, hospital, done)
    return done


def _any(settings: Settings) -> str:
    with owner_engine(settings.database.owner_url).connect() as connection:
        slugs: list[str] = [row.slug for row in connection.execute(_HOSPITALS)]
    if not slugs:
        raise NotFound("hospital-unknown", "There is no hospital to rehearse with.")
    return secrets.choice(slugs)


def _compared(
    live: psycopg.Connection[Any], then: psycopg.Connection[Any], schema: str, snapshot: str
) -> tuple[dict[str, Any], Sequence[Blob]]:
    place = sql.Identifier(schema)
    last = then.execute(_LAST_SEAL.format(s=place)).fetchone()
    query, asked = _STATE.format(s=place), {"at": snapshot, "batch": last[0] if last else 0}
    here, there = (dict(zip(_NAMES, each.execute(query, asked).fetchone() or (), strict=True)) for each in (live, then))
    # What lives may have been changed since: which version is the current one is no question of the snapshot.
    differs = [name for name in _NAMES[1:] if here[name] != there[name]]
    blobs = [Blob(*row) for row in then.execute(_BLOBS.format(s=place), {"most": OBJECTS})]
    return {"live": here, "restored": there, "differs": differs}, blobs


async def _opened(parts: Runtime, hospital: Hospital, blobs: Sequence[Blob]) -> dict[str, Any]:
    """Whether the objects that the restored rows name are there, whole, and open with today's keys."""
    tenant = parts.registry.by_slug(hospital.slug)
    keyring = await parts.keyrings.of(tenant)
    failed: list[str] = []
    async with parts.databases.hospital_to_read(tenant) as rows:
        store = parts.stores.blobs(tenant.schema, keyring, rows)
        for blob in blobs:
            try:
                await store.prove(blob)
            except (ObjectMissing, SealBroken):
                failed.append(blob.key)
    return {"objects": len(blobs), "objects_failed": failed}


def _keep(settings: Settings, hospital: Hospital, done: Rehearsal) -> None:
    values = {
        "tenant_id": hospital.id,
        "cell": hospital.cell,
        "moment": done.moment,
        "began_at": done.began,
        "ended_at": done.ended,
        "backup": done.backup,
        "passed": done.passed,
        "findings": json.dumps(done.findings),
    }
    with owner_engine(settings.database.owner_url).begin() as connection:
        connection.execute(_KEEP, values)

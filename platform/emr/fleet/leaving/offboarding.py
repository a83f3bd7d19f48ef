"""`emr tenants offboard`: the end of what a platform keeps of a hospital that has left with its package.

Only in the state `leaving`, with a verified package that is not older than the hospital's last act, when no hold stands
and the law's time is over or somebody else keeps the record from now on. Then the keys go, the objects, the tables and
the roles; a signed certificate says what went. Each step may be done twice: who was killed starts it again, and it goes
on from what was decided before.
"""

import asyncio
import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from emr.audit.anchors import signer_of, trusted_of
from emr.audit.rows import AuditRow
from emr.audit.signing import Signer
from emr.db.migrate import owner_engine
from emr.fleet.leaving import trails
from emr.fleet.leaving.export import ACTOR, record_act
from emr.fleet.leaving.forgetting import destroy_keys, forget, remove_objects
from emr.fleet.leaving.holds import standing_holds
from emr.fleet.leaving.manifest import Manifest
from emr.fleet.leaving.moment import NOT_CONTENT, seal_all
from emr.fleet.leaving.package import opened, verify
from emr.fleet.leaving.record import Watch
from emr.fleet.leaving.shelf import put_file
from emr.identity.principal import system_principal
from emr.kernel.errors import Conflict, NotFound
from emr.kernel.ids import uuid7
from emr.kernel.tenant import Tenant
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr.work.use_case import use_case

LEAVING: Final = "leaving"
OFFBOARDED: Final = "hospital.offboarded"
_BEGUN: Final = "hospital.offboard-begun"
_MAGIC: Final = b"EMR-OFFBOARD\x00"
_YEAR: Final = timedelta(days=366)
_PATIENT: Final = "SET LOCAL statement_timeout = '10min'"
_SINCE: Final = """
SELECT EXISTS (SELECT 1 FROM resources WHERE NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot))
    OR EXISTS (SELECT 1 FROM blobs WHERE created_at > $2 AND retention_class <> ALL ($3))
    OR EXISTS (SELECT 1 FROM dicom_instances WHERE stored_at > $2)
    OR EXISTS (SELECT 1 FROM dicom_series WHERE updated > $2) AS written,
       (SELECT count(*) FROM audit_events WHERE number > $4 AND actor <> $5
           AND row::jsonb ->> 'outcome' = 'success') AS acts,
       (SELECT max(updated) FROM resources) AS newest
"""
_HOSPITAL: Final = text("SELECT id, slug, schema, state FROM directory.tenants WHERE slug = :slug")
_DECIDED: Final = text(
    "SELECT detail FROM directory.tenant_events WHERE tenant_id = :id AND event = :event ORDER BY number DESC LIMIT 1"
)
_DECIDE: Final = text(
    "INSERT INTO directory.tenant_events (tenant_id, actor, event, detail)"
    " VALUES (:id, 'emr tenants offboard', :event, CAST(:detail AS jsonb))"
)
_JOURNAL: Final = text("INSERT INTO directory.audit_journal (at, row) VALUES (:at, :row)")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which hospital, its package, where the certificate goes, and who keeps the record from now on (may be empty)."""

    slug: str
    package: Path
    certificate: Path
    keeper: str = ""


async def offboard(parts: Runtime, asked: Asked, watch: Watch) -> dict[str, Any]:
    """Do it, and give the certificate. Raises `Conflict` with the reason, `Invalid` for a package that is not whole."""
    row = _row(parts, asked)
    if row is None:
        return _finished(asked)
    tenant = parts.registry.by_slug(asked.slug)
    decided = _decided(parts, tenant)
    if decided is None:
        decided = await _decide(parts, tenant, asked, watch)
    await asyncio.to_thread(_take_keys, parts, tenant)
    await remove_objects(parts.stores.of(tenant.schema))
    certificate = _certified(
        decided | {"done_at": parts.clock().astimezone(UTC).isoformat()}, signer_of(parts.settings)
    )
    content = json.dumps(certificate, ensure_ascii=False, indent=2).encode() + b"\n"
    put_file(asked.certificate.parent, _part(asked.certificate).name, content)
    told = {"hospital": tenant.slug, "stream": tenant.schema, "package": decided["package"]}
    # Beside the loop, which has to end the reads of this process that the tables would wait for.
    await asyncio.to_thread(_take_all, parts, tenant, told | {"certificate": sha256(content).hexdigest()})
    return _finished(asked)


@use_case("hospital:export", "hospital.offboard-asked")
async def demand_leave(work: UnitOfWork, manifest: Manifest, keeper: str) -> dict[str, Any]:
    """What the certificate will say. Raises `Conflict` for a package that is old, a hold, or time that runs."""
    await work.db.execute(_PATIENT)
    told = manifest.body
    moment = datetime.fromisoformat(told["moment"])
    asked = told["snapshot"], moment, NOT_CONTENT, told["audit"]["last"], f"system:{ACTOR}"
    since = await work.db.fetchrow(_SINCE, *asked, name="leaving.since")
    assert since is not None
    if since["written"] or since["acts"] or told.get("cell") != work.tenant.cell:
        rule = "Something was written or read here after the package was made; export again and hand over that one."
        raise Conflict("package-old", rule)
    holds = await standing_holds(work)
    if holds:
        names = "; ".join(f"{each.reason} ({each.placed_at:%Y-%m-%d})" for each in holds[:5])
        raise Conflict("hold-stands", f"{len(holds)} holds forbid it: {names}.")
    until = (since["newest"] or moment) + work.tenant.retention_years * _YEAR
    if until > work.clock() and not keeper:
        years = work.tenant.retention_years
        rule = f"The record must be kept for {years} years, until {until:%Y-%m-%d}; say who keeps it now (--kept-by)."
        raise Conflict("retention-runs", rule)
    return {
        "hospital": manifest.hospital,
        "package": manifest.digest,
        "package_key": manifest.key,
        "moment": told["moment"],
        "counts": told["counts"],
        "audit": told["audit"],
        "kept_until": until.isoformat(),
        "keeper": keeper,
    }


async def _decide(parts: Runtime, tenant: Tenant, asked: Asked, watch: Watch) -> dict[str, Any]:
    if tenant.state != LEAVING:
        rule = f"{tenant.slug} is {tenant.state}; only a hospital that is leaving is offboarded."
        raise Conflict("not-leaving", rule)
    with opened(asked.package) as package:
        manifest = await asyncio.to_thread(verify, package, trusted_of(parts.settings), partial(watch, "verified"))
        await asyncio.to_thread(trails.demand_whole, package, manifest)
    if manifest.hospital["id"] != tenant.id:
        raise Conflict("package-of-another", f"The package is that of {manifest.hospital['slug']}.")
    await seal_all(parts, tenant)
    async with unit_of_work(parts, tenant, system_principal(ACTOR, tenant_id=tenant.id), to_read=True) as work:
        decided = await demand_leave(work, manifest, asked.keeper)
    with owner_engine(parts.settings.database.owner_url).begin() as connection:
        connection.execute(_DECIDE, {"id": tenant.id, "event": _BEGUN, "detail": json.dumps(decided)})
    await record_act(parts, _BEGUN, {"hospital": tenant.slug, "package": manifest.digest})
    return decided


def _row(parts: Runtime, asked: Asked) -> Any:
    with owner_engine(parts.settings.database.owner_url).connect() as connection:
        row = connection.execute(_HOSPITAL, {"slug": asked.slug}).first()
    if row is None and not _part(asked.certificate).exists():
        raise NotFound("hospital-unknown", "There is no such hospital.")
    if row is not None and asked.certificate.exists():
        raise Conflict("certificate-exists", f"There is a file {asked.certificate} already.")
    return row


def _decided(parts: Runtime, tenant: Tenant) -> dict[str, Any] | None:
    with owner_engine(parts.settings.database.owner_url).connect() as connection:
        found = connection.execute(_DECIDED, {"id": tenant.id, "event": _BEGUN}).first()
    return dict(found.detail) if found else None


def _take_keys(parts: Runtime, tenant: Tenant) -> None:
    with owner_engine(parts.settings.database.owner_url).begin() as connection:
        destroy_keys(connection, tenant.id)


def _take_all(parts: Runtime, tenant: Tenant, told: dict[str, Any]) -> None:
    forget(parts.settings.database, tenant.id, tenant.schema, lambda directory: _tell(directory, parts, told))


def _certified(body: dict[str, Any], signer: Signer) -> dict[str, Any]:
    """The certificate: what went, in words and figures, and a signature over all of it but itself."""
    body = {
        "format": "emr-offboarding-certificate",
        "version": 1,
        "vi": "Khóa dữ liệu, mọi tệp, bảng và quyền của bệnh viện này trên hệ thống đã bị hủy. Bản sao lưu"
        " cơ sở dữ liệu còn giữ khóa đã bọc cho đến khi hết hạn lưu của bản sao lưu.",
        "en": "The data keys, objects, tables and roles of this hospital on this platform were destroyed. Backups"
        " of the database hold the wrapped keys until the backups themselves expire.",
        **body,
        "key": signer.id,
    }
    text_ = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    signature = base64.b64encode(signer.sign(_MAGIC + text_)).decode("ascii")
    return body | {"public": base64.b64encode(signer.public).decode("ascii"), "signature": signature}


def _tell(connection: Connection, parts: Runtime, detail: dict[str, Any]) -> None:
    """In the directory's trail, in the transaction that takes the last of it away."""
    row = AuditRow(None, parts.clock(), OFFBOARDED, "success", system_principal(ACTOR), uuid7(), detail=detail)
    connection.execute(_JOURNAL, {"at": row.at, "row": row.canonical()})


def _finished(asked: Asked) -> dict[str, Any]:
    """The certificate under its own name, now that what it says is so."""
    _part(asked.certificate).rename(asked.certificate)
    certificate: dict[str, Any] = json.loads(asked.certificate.read_bytes())
    return certificate


def _part(certificate: Path) -> Path:
    return certificate.with_name(f".{certificate.name}.unfinished")

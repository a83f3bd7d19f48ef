"""`emr tenants import-package`: a hospital's exit package into a platform that has never had it, or has no more of it.

The package is read to its end and verified before anything is made. Then the hospital is made under the names that its
trail is sealed under, and stays suspended until all of it is loaded and counted. What breaks off is taken away again;
what was killed is taken away when the same package is brought again.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
from pydantic import ValidationError
from sqlalchemy import Connection, text

from emr.db.cells import DEFAULT_CELL
from emr.db.migrate import History, head, owner_engine
from emr.db.owning import driver
from emr.fleet.leaving import trails
from emr.fleet.leaving.export import ACTOR, record_act
from emr.fleet.leaving.forgetting import forget, remove_objects
from emr.fleet.leaving.layout import HOSPITAL, MEMBERS
from emr.fleet.leaving.loading import Loader
from emr.fleet.leaving.manifest import Manifest
from emr.fleet.leaving.package import Package, opened, verify
from emr.fleet.onboarding import Named, make_hospital
from emr.fleet.owned import in_cell
from emr.identity.principal import system_principal
from emr.kernel.errors import Conflict, Invalid
from emr.kernel.tenant import SCHEMA, Tenant
from emr.tenancy.definition import HospitalFile
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr.work.use_case import use_case

_BEGUN: Final = "hospital.import-begun"
_LARGEST: Final = 1 << 20
_STANDING: Final = text("""
SELECT t.id, t.slug, t.schema, t.state, t.definition, (
  SELECT e.event FROM directory.tenant_events e WHERE e.tenant_id = t.id ORDER BY e.number DESC LIMIT 1) AS last_event
  FROM directory.tenants t
""")
_TAKEN: Final = text("SELECT to_regnamespace(:schema) IS NOT NULL")
_STATE: Final = text("UPDATE directory.tenants SET state = :state, updated_at = now() WHERE id = :id")
_EVENT: Final = text(
    "INSERT INTO directory.tenant_events (tenant_id, actor, event, detail)"
    " VALUES (:id, 'emr tenants import-package', :event, jsonb_build_object('package', CAST(:package AS text)))"
)
_MEMBER: Final = """
INSERT INTO directory.memberships SELECT r.* FROM jsonb_populate_record(
  NULL::directory.memberships, %s::jsonb || jsonb_build_object('tenant_id', %s::text)) AS r
"""
_OLD_EVENT: Final = """
INSERT INTO directory.tenant_events (tenant_id, at, actor, event, detail)
SELECT %s::text, r.at, r.actor, r.event, r.detail FROM jsonb_populate_record(
  NULL::directory.tenant_events, %s::jsonb) AS r
"""
_PATH: Final = "SELECT set_config('search_path', %s, true)"
_COPY_ROWS: Final = "COPY audit_events (number, at, action, actor, patients, row) FROM STDIN"
_COPY_SEALS: Final = "COPY audit_seals (batch, first, last, root, previous, hash, sealed_at, format) FROM STDIN"
_COUNTED: Final = """
SELECT (SELECT coalesce(jsonb_object_agg(type, n), '{}') FROM (
          SELECT type, count(*) AS n FROM resources WHERE NOT deleted GROUP BY 1) AS r)::text AS resources,
       (SELECT count(*) FROM resources) + (SELECT count(*) FROM resource_versions) AS versions,
       (SELECT count(*) FROM blobs) AS files, (SELECT coalesce(sum(size), 0)::bigint FROM blobs) AS bytes,
       (SELECT count(*) FROM dicom_instances) AS images,
       (SELECT coalesce(max(number), 0) FROM audit_events) AS rows, (SELECT count(*) FROM audit_seals) AS seals
"""
Watch = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of it: the hospital, the package's digest, and what was counted after it."""

    slug: str
    package: str
    counts: dict[str, Any]


async def bring_in(parts: Runtime, place: Path, trusted: dict[str, bytes], watch: Watch) -> Brought:
    """Load a package. Raises `Invalid` for one that is not whole, `Conflict` where the hospital cannot stand here."""
    with opened(place) as package:
        manifest = await asyncio.to_thread(verify, package, trusted, partial(watch, "verified"))
        await asyncio.to_thread(trails.demand_whole, package, manifest)
        hospital = _definition(package, manifest)
        await _take_away_unfinished(parts, manifest)
        async with _made(parts, hospital, (package, manifest)) as tenant:
            principal = system_principal(ACTOR, tenant_id=tenant.id)
            work = partial(unit_of_work, parts, tenant, principal)
            await Loader(work, package, manifest, watch).load()
            async with work() as counting:
                counts = await _demand_counts(counting, manifest)
            async with work() as finishing:
                await finish_import(finishing, manifest.digest)
    _settle(parts, tenant, manifest)
    await record_act(parts, "hospital.imported", {"hospital": tenant.slug, "package": manifest.digest})
    return Brought(tenant.slug, manifest.digest, counts)


@use_case("hospital:import", "hospital.imported")
async def finish_import(work: UnitOfWork, digest: str) -> None:
    """All of the package is here."""
    work.trail.note(package=digest)


@asynccontextmanager
async def _made(parts: Runtime, hospital: HospitalFile, brought: tuple[Package, Manifest]) -> AsyncIterator[Tenant]:
    """The hospital, suspended; taken away again when what follows breaks off."""
    _establish(parts, hospital, brought)
    await parts.registry.refresh()
    tenant = parts.registry.by_slug(hospital.slug)
    try:
        yield tenant
    except BaseException:
        await _take_away(parts, tenant.id, tenant.schema)
        raise


def _establish(parts: Runtime, hospital: HospitalFile, brought: tuple[Package, Manifest]) -> None:
    """Row, schema, trail and members: all of it or nothing. Raises `Conflict`, `Invalid`."""
    package, manifest = brought
    named = Named(manifest.hospital["id"], manifest.hospital["stream"])
    database = parts.settings.database
    with owner_engine(database.owner_url).begin() as directory:
        with in_cell(directory, database, hospital.cell) as cell:
            _demand_room(directory, cell, (hospital, named))
        make_hospital(directory, parts.settings, hospital, named)
        directory.execute(_STATE, {"state": "suspended", "id": named.id})
        own = driver(directory)
        for line in _lines(package, manifest, "hospital/events.ndjson"):
            own.execute(_OLD_EVENT, (named.id, line.decode()))
        for line in _lines(package, manifest, MEMBERS):
            own.execute(_MEMBER, (line.decode(), named.id))
        directory.execute(_EVENT, {"id": named.id, "event": _BEGUN, "package": manifest.digest})
        with in_cell(directory, database, hospital.cell) as cell:
            trail = driver(cell)
            trail.execute(_PATH, (named.schema,))
            _copy_trail(trail, package, manifest)


def _copy_trail(own: psycopg.Connection[Any], package: Package, manifest: Manifest) -> None:
    with own.cursor() as cursor:
        with cursor.copy(_COPY_ROWS) as copy:
            for event in trails.events(package, manifest):
                copy.write_row(event)
        with cursor.copy(_COPY_SEALS) as copy:
            for kept in trails.seals(package, manifest):
                seal = kept.seal
                figures = seal.batch, seal.first, seal.last, seal.root, seal.previous
                copy.write_row((*figures, kept.hash, seal.sealed_at, seal.format))


def _definition(package: Package, manifest: Manifest) -> HospitalFile:
    """The hospital's file. It is this platform's from now on: in its default cell, and no file here speaks of it."""
    newest = head(History.TENANT)
    if manifest.body["revision"] > newest:
        rule = f"The package comes from a newer build ({manifest.body['revision']}); this one knows {newest}."
        raise Invalid("package-version", rule)
    if not SCHEMA.fullmatch(manifest.hospital["stream"]):
        raise Invalid("package-hospital", "The package names no hospital of ours.", location=HOSPITAL)
    described = json.loads(package.small(HOSPITAL, _LARGEST))
    try:
        hospital = HospitalFile.model_validate(described["definition"])
    except (ValidationError, KeyError) as error:
        raise Invalid("package-hospital", "The hospital's definition is not one of ours.", location=HOSPITAL) from error
    return hospital.model_copy(update={"cell": DEFAULT_CELL, "managed_by": "console"})


def _demand_room(directory: Connection, cell: Connection, wanted: tuple[HospitalFile, Named]) -> None:
    hospital, named = wanted
    for row in directory.execute(_STANDING):
        if row.slug == hospital.slug or row.id == named.id or row.schema == named.schema:
            rule = f"A hospital stands here as {row.slug} already; a package is loaded only where there is none."
            raise Conflict("hospital-exists", rule)
        dicom = row.definition.get("dicom") or {}
        if hospital.dicom is not None and dicom.get("ae_title") == hospital.dicom.ae_title:
            raise Conflict("ae-title-taken", f"{row.slug} has the AE title {hospital.dicom.ae_title} here.")
        if row.definition["facility_code"] == hospital.facility_code:
            raise Conflict("facility-code-taken", f"{row.slug} has the code {hospital.facility_code} here.")
    if cell.scalar(_TAKEN, {"schema": named.schema}):
        raise Conflict("schema-exists", f"The database holds a schema {named.schema} of no hospital.")


async def _take_away_unfinished(parts: Runtime, manifest: Manifest) -> None:
    """What an import of the same hospital has left that was killed: it is still suspended, and begun is all it was."""
    with owner_engine(parts.settings.database.owner_url).connect() as connection:
        rows = [row for row in connection.execute(_STANDING) if row.id == manifest.hospital["id"]]
    for row in rows:
        if row.state == "suspended" and row.last_event == _BEGUN:
            await _take_away(parts, row.id, row.schema)


async def _take_away(parts: Runtime, tenant_id: str, schema: str) -> None:
    await remove_objects(parts.stores.of(schema))
    await asyncio.to_thread(forget, parts.settings.database, tenant_id, schema)
    await parts.registry.refresh()


async def _demand_counts(work: UnitOfWork, manifest: Manifest) -> dict[str, Any]:
    """What is here now, when it is what the manifest says. Raises `Conflict`."""
    row = await work.db.fetchrow(_COUNTED, name="leaving.counted")
    assert row is not None
    told = manifest.body["counts"]
    found = {
        "resources": json.loads(row["resources"]),
        "versions": row["versions"],
        "contents": {"files": row["files"], "bytes": row["bytes"], "images": row["images"]},
        "audit": {"rows": row["rows"], "seals": row["seals"]},
    }
    wanted = {
        "resources": told["resources"],
        "versions": sum(told["versions"].values()),
        "contents": told["contents"],
        "audit": {name: told["audit"][name] for name in ("rows", "seals")},
    }
    if found != wanted:
        wrong = ", ".join(name for name in wanted if found[name] != wanted[name])
        raise Conflict("package-miscounted", f"What was loaded is not what the manifest counts: {wrong}.")
    return found


def _settle(parts: Runtime, tenant: Tenant, manifest: Manifest) -> None:
    """From now on people may work there: on trial, until somebody says that it is live."""
    with owner_engine(parts.settings.database.owner_url).begin() as connection:
        connection.execute(_EVENT, {"id": tenant.id, "event": "hospital.imported", "package": manifest.digest})
        connection.execute(_STATE, {"state": "trial", "id": tenant.id})


def _lines(package: Package, manifest: Manifest, path: str) -> Iterator[bytes]:
    for file in manifest.files:
        if file.path == path:
            yield from package.lines(file.path, file.bytes)

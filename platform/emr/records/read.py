"""Read one version of one resource."""

from typing import Final

from emr.access.permissions import demand_sight
from emr.records.current import current, refuse_deleted
from emr.records.errors import ResourceNotFound
from emr.records.stored import Stored, is_id
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_VERSION: Final = """
SELECT r.pk, r.id, v.version, v.updated, v.deleted, r.patients, v.body FROM resources r
  CROSS JOIN LATERAL (
    SELECT r.version, r.updated, r.deleted, r.body WHERE r.version = $3
    UNION ALL
    SELECT o.version, o.updated, o.deleted, o.body FROM resource_versions o WHERE o.pk = r.pk AND o.version = $3
  ) v
WHERE r.type = $1 AND r.id = $2
"""


@use_case("record:read", "record.read")
async def read(work: UnitOfWork, resource_type: str, resource_id: str) -> Stored:
    """The current version. Raises `ResourceNotFound`, `ResourceGone`."""
    demand_sight(work.principal, resource_type, "r")
    stored = refuse_deleted(await current(work, resource_type, resource_id))
    _seen(work, stored)
    return stored


@use_case("record:read", "record.read")
async def vread(work: UnitOfWork, resource_type: str, resource_id: str, version: str) -> Stored:
    """One version (FHIR R4, http.html#vread). Raises `ResourceNotFound`, `ResourceGone` for a deletion."""
    demand_sight(work.principal, resource_type, "r")
    if not (is_id(resource_id) and version.isascii() and version.isdigit() and len(version) < 10):
        raise ResourceNotFound(resource_type, resource_id)
    row = await work.db.fetchrow(_VERSION, resource_type, resource_id, int(version), name="vread")
    if row is None:
        raise ResourceNotFound(resource_type, resource_id)
    stored = refuse_deleted(Stored.of(resource_type, row))
    _seen(work, stored)
    return stored


def _seen(work: UnitOfWork, stored: Stored) -> None:
    work.trail.read(stored.type, stored.id, stored.version)
    work.trail.concerns(*stored.patients)

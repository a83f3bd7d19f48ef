"""Every hospital of the directory in memory, at most a second old. No hospital is the default one."""

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from emr.db.connection import FAILURES, Connection, Row
from emr.db.pools import RolePool
from emr.kernel.errors import NotFound
from emr.kernel.tenant import DicomPeer, Quotas, Receiver, Tenant
from emr.tenancy.access_part import access_of
from emr.tenancy.pilot_part import pilot_of

REFRESH_SECONDS: Final = 1.0

_ALL: Final = """
SELECT id, slug, schema, cell, state, state_reason, state_since, definition, organization_id, index_key, revision,
  served_from, moving_since IS NOT NULL AS moving, xmin::text AS stamp
FROM directory.tenants
"""
_THESE: Final = _ALL + " WHERE id = ANY ($1)"
_STAMPS: Final = "SELECT id, xmin::text AS stamp FROM directory.tenants"
"""Which transaction wrote each row last: reading a thousand definitions each second would take a tenth of a core."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    by_slug: Mapping[str, Tenant] = field(default_factory=dict)
    by_schema: Mapping[str, Tenant] = field(default_factory=dict)
    by_ae_title: Mapping[str, Tenant] = field(default_factory=dict)
    by_id: Mapping[str, Tenant] = field(default_factory=dict)


class Registry:
    """The hospitals that this process knows; `refresh_forever` keeps them fresh."""

    def __init__(self, directory: RolePool) -> None:
        self._directory = directory
        self._known = _Snapshot()
        self._stamps: dict[str, str] = {}

    def by_slug(self, slug: str) -> Tenant:
        """The hospital of a path; `NotFound` when there is none."""
        return _found(self._known.by_slug, slug)

    def quotas_of(self, slug: str) -> Quotas | None:
        """The limits of the hospital of a path; None when there is none."""
        known = self._known.by_slug.get(slug)
        return known.quotas if known else None

    def by_schema(self, schema: str) -> Tenant:
        """The hospital that a row in a cell names."""
        return _found(self._known.by_schema, schema)

    def by_id(self, tenant_id: str) -> Tenant:
        """The hospital with this id."""
        return _found(self._known.by_id, tenant_id)

    def by_ae_title(self, title: str) -> Tenant:
        """The hospital that a called AE title picks."""
        return _found(self._known.by_ae_title, title)

    def slug_of(self, schema: str) -> str | None:
        """The slug of the hospital with this schema, or None."""
        known = self._known.by_schema.get(schema)
        return known.slug if known else None

    def all(self) -> Sequence[Tenant]:
        """Every hospital, by slug."""
        return [self._known.by_slug[slug] for slug in sorted(self._known.by_slug)]

    async def refresh(self) -> None:
        """Read now what has changed in the directory."""
        async with self._directory.connection() as connection:
            found = await connection.fetch(_STAMPS, name="tenants.stamps")
            stamps: dict[str, str] = {row["id"]: row["stamp"] for row in found}
            changed = [key for key, stamp in stamps.items() if self._stamps.get(key) != stamp]
            if not changed and len(stamps) == len(self._stamps):
                return
            rows = await connection.fetch(_THESE, changed, name="tenants.changed") if changed else ()
        kept = {key: tenant for key, tenant in self._known.by_id.items() if key in stamps}
        self._keep(kept | {row["id"]: _tenant(row) for row in rows})
        # A row that changed again in between has its newer stamp here; one that is gone has none.
        self._stamps = {key: stamps[key] for key in self._known.by_id} | {row["id"]: row["stamp"] for row in rows}

    def _keep(self, by_id: Mapping[str, Tenant]) -> None:
        tenants = by_id.values()
        self._known = _Snapshot(
            by_slug={tenant.slug: tenant for tenant in tenants},
            by_schema={tenant.schema: tenant for tenant in tenants},
            by_ae_title={tenant.ae_title: tenant for tenant in tenants if tenant.ae_title},
            by_id=by_id,
        )

    async def refresh_forever(self) -> None:
        """Read the directory every second until cancelled; a directory that is down leaves what is known in force."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with contextlib.suppress(*FAILURES):
                await self.refresh()


async def read_tenants(connection: Connection) -> list[Tenant]:
    """All hospitals of the directory."""
    return [_tenant(row) for row in await connection.fetch(_ALL, name="tenants")]


def _tenant(row: Row) -> Tenant:
    definition: dict[str, Any] = json.loads(row["definition"])
    dicom = definition.get("dicom") or {}
    return Tenant(
        id=row["id"],
        slug=row["slug"],
        name=definition["name"],
        schema=row["schema"],
        cell=row["cell"],
        state=row["state"],
        facility_code=definition["facility_code"],
        index_key=row["index_key"],
        organization=definition["identity"]["organization"],
        organization_id=row["organization_id"],
        sandbox=definition.get("sandbox", False),
        tier=definition["tier"],
        province=definition["province"],
        locale=definition["locale"],
        time_zone=definition["time_zone"],
        features=frozenset(definition["features"]),
        quotas=Quotas(**definition["quotas"]),
        ae_title=dicom.get("ae_title"),
        peers=tuple(DicomPeer(**peer) for peer in dicom.get("peers", ())),
        receivers=tuple(Receiver(**each) for each in (definition.get("subscriptions") or {}).get("receivers", ())),
        retention_years=definition["retention"]["default_years"],
        **(definition.get("sessions") or {}),
        profiles=tuple((name, tuple(urls)) for name, urls in (definition.get("profiles") or {}).items()),
        access=access_of(definition.get("access")),
        pilot=pilot_of(definition.get("pilot")),
        revision=row["revision"],
        served_from=row["served_from"],
        state_reason=row["state_reason"],
        state_since=row["state_since"],
        moving=row["moving"],
    )


def _found(known: Mapping[str, Tenant], key: str) -> Tenant:
    try:
        return known[key]
    except KeyError:
        raise NotFound("hospital-unknown", "There is no such hospital.") from None

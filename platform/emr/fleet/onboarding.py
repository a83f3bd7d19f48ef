"""A hospital's own part of the database: row, key, schema, role and tables, all of it or nothing."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_bytes
from typing import Any, Final

from sqlalchemy import Connection, text

from emr.db import roles, seen
from emr.fleet.campaign import fill_hospital
from emr.fleet.migration import login_of
from emr.kernel.errors import Conflict
from emr.kernel.ids import opaque, uuid7
from emr.settings import Settings
from emr.storage.keys import MasterKeys, new_data_key, wrap
from emr.tenancy.definition import HospitalFile
from emr.work.faults import Reached, nowhere

MakeOrganization = Callable[[HospitalFile, str | None], str | None]
"""Makes a hospital's organization at the identity provider, or finds the one with the id known so far; gives its id."""

FIXED: Final = ("cell", "sandbox", "tier")
"""What a file says once; moving a hospital, or making another thing of it, has its own command or none."""
_INSERT: Final = text(
    "INSERT INTO directory.tenants (id, slug, schema, cell, state, definition, managed_by, index_key)"
    " VALUES (:id, :slug, :schema, :cell, :state, CAST(:definition AS jsonb), :managed_by, :index_key)"
)
_KEY: Final = text(
    "INSERT INTO directory.keys (tenant_id, key_id, wrapped, wrapping_key_id) VALUES (:tenant, :key_id, :wrapped, :by)"
)
_CHANGE: Final = text(
    "UPDATE directory.tenants SET definition = CAST(:definition AS jsonb), updated_at = now() WHERE slug = :slug"
    " RETURNING id"
)
_SCHEMA: Final = text("SELECT id, schema FROM directory.tenants WHERE slug = :slug")
_EVENT: Final = text(
    "INSERT INTO directory.tenant_events (tenant_id, actor, event, detail)"
    " VALUES (:tenant, 'emr tenants apply', :event, CAST(:detail AS jsonb))"
)


@dataclass(frozen=True, slots=True)
class Named:
    """What a hospital is called inside: its id, and its schema's name."""

    id: str
    schema: str

    @classmethod
    def anew(cls) -> "Named":
        """Names that nobody has had."""
        return cls(uuid7(), f"t_{opaque(12)}")


def make_hospital(
    connection: Connection,
    settings: Settings,
    hospital: HospitalFile,
    named: Named | None = None,
    reached: Reached = nowhere,
) -> str:
    """Row, schema, role, tables and data key of a hospital, all or nothing; gives its schema's name.

    named: of a hospital that comes from elsewhere and keeps its names, since its trail is sealed under them.
    """
    named = named or Named.anew()
    schema = named.schema
    connection.execute(
        _INSERT,
        {
            "id": named.id,
            "slug": hospital.slug,
            "schema": schema,
            "cell": hospital.cell,
            "state": hospital.go_live.state,
            "definition": json.dumps(hospital.as_json()),
            "managed_by": hospital.managed_by,
            "index_key": token_bytes(16),
        },
    )
    reached("apply-row-written")
    masters = MasterKeys.parse(settings.keys.master.get_secret_value())
    key = wrap(masters, schema, f"k{opaque(8)}", new_data_key())
    connection.execute(
        _KEY, {"tenant": named.id, "key_id": key.key_id, "wrapped": key.wrapped, "by": key.wrapping_key_id}
    )
    roles.make_schema(connection, schema)
    roles.make_hospital_role(connection, schema, login_of(settings.database))
    reached("apply-role-made")
    fill_hospital(connection, schema)
    note_event(connection, named.id, "hospital.created", {"slug": hospital.slug})
    roles.join_hospitals(connection, schema)
    reached("apply-tables-made")
    return schema


def change_hospital(connection: Connection, hospital: HospitalFile, fields: Mapping[str, Any]) -> None:
    """Another definition. fields: names of those that differ. Raises `Conflict` for what no file can change."""
    fixed = [name for name in fields if name in FIXED]
    if fixed:
        rule = f"{', '.join(fixed)} cannot be changed by a file; moving a hospital has its own command"
        raise Conflict("hospital-fixed", rule, location=fixed[0])
    row = {"definition": json.dumps(hospital.as_json()), "slug": hospital.slug}
    tenant_id = connection.scalar(_CHANGE, row)
    note_event(connection, tenant_id, "hospital.changed", {"fields": sorted(fields)})


def restore_rights(connection: Connection, settings: Settings, slug: str, missing: Mapping[str, Any]) -> None:
    """Roles, memberships, rights and views of a hospital whose tables stand, as they were when it was made."""
    tenant_id, schema = connection.execute(_SCHEMA, {"slug": slug}).one()
    roles.make_hospital_role(connection, schema, login_of(settings.database))
    roles.grant_hospital(connection, schema)
    seen.establish(connection, schema)
    roles.join_hospitals(connection, schema)
    note_event(connection, tenant_id, "hospital.rights-restored", {"missing": sorted(missing)})


def note_event(connection: Connection, tenant_id: str, event: str, detail: Mapping[str, Any]) -> None:
    """A line in the hospital's history."""
    connection.execute(_EVENT, {"tenant": tenant_id, "event": event, "detail": json.dumps(detail)})

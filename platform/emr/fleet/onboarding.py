"""A hospital's own part of the database: row, key, schema, role and tables, all of it or nothing."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_bytes
from typing import Any, Final

from sqlalchemy import Connection, text

from emr.db import roles, seen
from emr.db.cells import login_url, login_urls
from emr.db.rights import surplus_logins
from emr.fleet.campaign import fill_hospital, stand
from emr.fleet.migration import login_of
from emr.fleet.owned import in_cell
from emr.kernel.errors import Conflict
from emr.kernel.ids import opaque, uuid7
from emr.kernel.tenant import DEDICATED
from emr.settings import Database, Settings
from emr.storage.keys import MasterKeys, new_data_key, wrap
from emr.tenancy.definition import HospitalFile
from emr.work.faults import Reached, nowhere

MakeOrganization = Callable[[HospitalFile, str | None], str | None]
"""Makes a hospital's organization at the identity provider, or finds the one with the id known so far; gives its id."""

FIXED: Final = ("cell", "sandbox")
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
_SCHEMA: Final = text(
    "SELECT id, schema, cell, definition ->> 'tier' AS tier FROM directory.tenants WHERE slug = :slug"
)
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('emr.cell.' || :cell, 0))")
_HELD: Final = text("SELECT count(*) FROM directory.tenants WHERE cell = :cell AND id <> :but")
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

    connection: to the directory. named: of a hospital that comes from elsewhere and keeps its names, since its trail is
    sealed under them. Raises `Invalid` for a cell that is not configured, `Conflict` for a full one.
    """
    named = named or Named.anew()
    schema = named.schema
    _refuse_full(connection, settings.database, hospital.cell, named.id)
    _write_down(connection, settings, hospital, named)
    reached("apply-row-written")
    with in_cell(connection, settings.database, hospital.cell) as cell:
        url = login_url(settings.database, hospital.cell, hospital.slug, hospital.tier)
        roles.make_schema(cell, schema)
        roles.make_hospital_role(cell, schema, login_of(url), dedicated=hospital.tier == DEDICATED)
        reached("apply-role-made")
        stand(connection, schema, fill_hospital(cell, schema))
        note_event(connection, named.id, "hospital.created", {"slug": hospital.slug})
        # Last in the transaction, as what follows: until its end no other hospital of the cell comes so far.
        demand_room(connection, settings.database, hospital.cell, named.id)
        roles.join_hospitals(cell, schema)
        reached("apply-tables-made")
    return schema


def demand_room(directory: Connection, settings: Database, cell: str, hospital_id: str) -> None:
    """Raise `Conflict` where a cell has as many others as it takes; till the caller's end none comes beside."""
    directory.execute(_ONE_AT_A_TIME, {"cell": cell})
    _refuse_full(directory, settings, cell, hospital_id)


def _refuse_full(directory: Connection, settings: Database, cell: str, hospital_id: str) -> None:
    if directory.execute(_HELD, {"cell": cell, "but": hospital_id}).scalar_one() >= settings.cell_hospitals:
        rule = f"The cell {cell} has {settings.cell_hospitals} hospitals, and takes no more."
        raise Conflict("cell-full", rule, location="cell")


def _write_down(connection: Connection, settings: Settings, hospital: HospitalFile, named: Named) -> None:
    connection.execute(
        _INSERT,
        {
            "id": named.id,
            "slug": hospital.slug,
            "schema": named.schema,
            "cell": hospital.cell,
            "state": hospital.go_live.state,
            "definition": json.dumps(hospital.as_json()),
            "managed_by": hospital.managed_by,
            "index_key": token_bytes(16),
        },
    )
    masters = MasterKeys.parse(settings.keys.master.get_secret_value())
    key = wrap(masters, named.schema, f"k{opaque(8)}", new_data_key())
    connection.execute(
        _KEY, {"tenant": named.id, "key_id": key.key_id, "wrapped": key.wrapped, "by": key.wrapping_key_id}
    )


def demand_changeable(fields: Mapping[str, Any]) -> None:
    """Raise `Conflict` for what no file can change. fields: names of those that differ."""
    fixed = [name for name in fields if name in FIXED]
    if fixed:
        rule = f"{', '.join(fixed)} cannot be changed by a file; `emr tenants move` brings a hospital to another cell"
        raise Conflict("hospital-fixed", rule, location=fixed[0])


def change_hospital(connection: Connection, hospital: HospitalFile, fields: Mapping[str, Any]) -> None:
    """Another definition. fields: names of those that differ. Raises `Conflict` for what no file can change."""
    demand_changeable(fields)
    row = {"definition": json.dumps(hospital.as_json()), "slug": hospital.slug}
    tenant_id = connection.scalar(_CHANGE, row)
    note_event(connection, tenant_id, "hospital.changed", {"fields": sorted(fields)})


def restore_rights(connection: Connection, settings: Settings, slug: str, differing: Mapping[str, Any]) -> None:
    """Roles, memberships, rights and views of a hospital whose tables stand, as they were when it was made, and no
    login but its own that can become it.
    """
    row = connection.execute(_SCHEMA, {"slug": slug}).one()
    login = login_of(login_url(settings.database, row.cell, slug, row.tier))
    common = login_of(login_urls(settings.database)[row.cell])
    with in_cell(connection, settings.database, row.cell) as cell:
        roles.make_hospital_role(cell, row.schema, login, dedicated=row.tier == DEDICATED)
        roles.grant_hospital(cell, row.schema)
        seen.establish(cell, row.schema)
        roles.join_hospitals(cell, row.schema)
        for other in surplus_logins(cell, {row.schema: login}).get(row.schema, ()):
            roles.leave_hospital(cell, row.schema, other, dedicated=other != common)
    note_event(connection, row.id, "hospital.rights-restored", {"missing": sorted(differing)})


def note_event(connection: Connection, tenant_id: str, event: str, detail: Mapping[str, Any]) -> None:
    """A line in the hospital's history."""
    connection.execute(_EVENT, {"tenant": tenant_id, "event": event, "detail": json.dumps(detail)})

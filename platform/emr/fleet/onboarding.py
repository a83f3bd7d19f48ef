"""Plan and apply: the difference between the hospitals' files and the world, and the making of what is missing."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_bytes
from typing import Any, Final, Literal

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from emr.db import roles
from emr.db.migrate import owner_engine
from emr.fleet.campaign import migrate_hospital, reason_of
from emr.fleet.files import read_hospitals
from emr.fleet.migration import login_of
from emr.kernel.errors import Refusal
from emr.kernel.ids import opaque, uuid7
from emr.settings import Settings
from emr.storage.keys import MasterKeys, new_data_key, wrap
from emr.tenancy.definition import HospitalFile

MakeOrganization = Callable[[HospitalFile, str | None], str | None]
"""Makes a hospital's organization at the identity provider, or finds the one with the id known so far; gives its id."""

_KNOWN: Final = text("SELECT slug, id, schema, state, definition, organization_id, managed_by FROM directory.tenants")
_INSERT: Final = text(
    "INSERT INTO directory.tenants (id, slug, schema, cell, state, definition, managed_by, index_key)"
    " VALUES (:id, :slug, :schema, :cell, :state, CAST(:definition AS jsonb), :managed_by, :index_key)"
)
_KEY: Final = text(
    "INSERT INTO directory.keys (tenant_id, key_id, wrapped, wrapping_key_id) VALUES (:tenant, :key_id, :wrapped, :by)"
)
_CHANGE: Final = text(
    "UPDATE directory.tenants SET definition = CAST(:definition AS jsonb), updated_at = now() WHERE slug = :slug"
)
_ORGANIZATION: Final = text(
    "UPDATE directory.tenants SET organization_id = :organization_id, updated_at = now() WHERE slug = :slug"
)
_EVENT: Final = text(
    "INSERT INTO directory.tenant_events (tenant_id, actor, event, detail)"
    " VALUES (:tenant, 'emr tenants apply', :event, CAST(:detail AS jsonb))"
)
_FIXED: Final = ("cell", "facility_code", "tier")


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not the same: `create`, `change` (fields, old and new), `organization`, or `absent` (in no file)."""

    slug: str
    kind: Literal["create", "change", "absent", "organization"]
    fields: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one difference."""

    slug: str
    kind: str
    error: str | None = None


def plan(settings: Settings) -> list[Difference]:
    """Every difference between files and world. Raises `FilesBroken`."""
    hospitals = read_hospitals(settings.tenants)
    with owner_engine(settings.database.owner_url).connect() as connection:
        return _differences(hospitals, _world(connection), organizations=bool(settings.identity.admin_url))


def apply(settings: Settings, organizations: MakeOrganization) -> list[Outcome]:
    """Make the world as the files say, each hospital in its own transaction; a second time changes nothing.

    A hospital that is in no file is left alone: leaving has its own command. Raises `FilesBroken`, before anything.
    """
    hospitals = {hospital.slug: hospital for hospital in read_hospitals(settings.tenants)}
    engine = owner_engine(settings.database.owner_url)
    with engine.connect() as connection:
        found = _differences(
            list(hospitals.values()), _world(connection), organizations=bool(settings.identity.admin_url)
        )
    return [
        _settle(engine, settings, hospitals[difference.slug], difference, organizations)
        for difference in found
        if difference.kind != "absent"
    ]


def _settle(
    engine: Engine, settings: Settings, hospital: HospitalFile, difference: Difference, organizations: MakeOrganization
) -> Outcome:
    fixed = [name for name in difference.fields if name in _FIXED]
    if difference.kind == "change" and fixed:
        rule = f"{', '.join(fixed)} cannot be changed by a file; moving a hospital has its own command"
        return Outcome(hospital.slug, difference.kind, rule)
    try:
        with engine.begin() as connection:
            if difference.kind == "create":
                make_hospital(connection, settings, hospital)
            elif difference.kind == "change":
                _change(connection, hospital, difference)
        with engine.begin() as connection:
            _join_organization(connection, hospital, organizations)
    except Refusal as refusal:
        return Outcome(hospital.slug, difference.kind, refusal.message)
    except (SQLAlchemyError, psycopg.Error) as error:
        return Outcome(hospital.slug, difference.kind, reason_of(error))
    return Outcome(hospital.slug, difference.kind)


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
    connection: Connection, settings: Settings, hospital: HospitalFile, named: Named | None = None
) -> str:
    """Row, schema, role, tables and data key of a hospital, all or nothing; gives its schema's name.

    named: of a hospital that comes from elsewhere and keeps its names, since its trail is sealed under them.
    """
    named = named or Named.anew()
    tenant_id, schema = named.id, named.schema
    connection.execute(
        _INSERT,
        {
            "id": tenant_id,
            "slug": hospital.slug,
            "schema": schema,
            "cell": hospital.cell,
            "state": hospital.go_live.state,
            "definition": json.dumps(hospital.as_json()),
            "managed_by": hospital.managed_by,
            "index_key": token_bytes(16),
        },
    )
    masters = MasterKeys.parse(settings.keys.master.get_secret_value())
    key = wrap(masters, schema, f"k{opaque(8)}", new_data_key())
    connection.execute(
        _KEY, {"tenant": tenant_id, "key_id": key.key_id, "wrapped": key.wrapped, "by": key.wrapping_key_id}
    )
    roles.make_schema(connection, schema)
    roles.make_hospital_role(connection, schema, login_of(settings.database))
    migrate_hospital(connection, schema)
    _event(connection, tenant_id, "hospital.created", {"slug": hospital.slug})
    return schema


def _change(connection: Connection, hospital: HospitalFile, difference: Difference) -> None:
    connection.execute(_CHANGE, {"definition": json.dumps(hospital.as_json()), "slug": hospital.slug})
    tenant_id = connection.scalar(text("SELECT id FROM directory.tenants WHERE slug = :slug"), {"slug": hospital.slug})
    _event(connection, tenant_id, "hospital.changed", {"fields": sorted(difference.fields)})


def _join_organization(connection: Connection, hospital: HospitalFile, organizations: MakeOrganization) -> None:
    known = connection.scalar(
        text("SELECT organization_id FROM directory.tenants WHERE slug = :slug"), {"slug": hospital.slug}
    )
    found = organizations(hospital, known)
    if found != known:
        connection.execute(_ORGANIZATION, {"organization_id": found, "slug": hospital.slug})


def _world(connection: Connection) -> dict[str, Any]:
    return {row.slug: row for row in connection.execute(_KNOWN)}


def _differences(
    hospitals: Sequence[HospitalFile], world: Mapping[str, Any], *, organizations: bool
) -> list[Difference]:
    found: list[Difference] = []
    for hospital in hospitals:
        row = world.get(hospital.slug)
        if row is None:
            found.append(Difference(hospital.slug, "create", {}))
            continue
        wanted, stands = hospital.as_json(), row.definition
        fields = {
            name: (stands.get(name), wanted.get(name))
            for name in sorted(wanted.keys() | stands.keys())
            if wanted.get(name) != stands.get(name) and name != "go_live"
        }
        if fields:
            found.append(Difference(hospital.slug, "change", fields))
        elif organizations and row.organization_id is None:
            found.append(Difference(hospital.slug, "organization", {"organization_id": (None, "to be made")}))
    absent = world.keys() - {hospital.slug for hospital in hospitals}
    return found + [Difference(slug, "absent", {}) for slug in sorted(absent) if world[slug].managed_by == "file"]


def _event(connection: Connection, tenant_id: str | None, event: str, detail: Mapping[str, Any]) -> None:
    connection.execute(_EVENT, {"tenant": tenant_id, "event": event, "detail": json.dumps(detail)})

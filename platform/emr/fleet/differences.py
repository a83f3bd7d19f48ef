"""What is not the same in the hospitals' files and in the world, both ways: looked up, and nothing changed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import Connection, text

from emr.db.cells import DEFAULT_CELL, login_url
from emr.db.migrate import History, head, owner_engine
from emr.db.rights import absent_schemas, missing_rights, surplus_logins
from emr.fleet.files import FilesBroken, Read, read_files
from emr.fleet.migration import login_of
from emr.identity.provisioning import Listing, Organization, Organizations
from emr.kernel.errors import Invalid, Unavailable
from emr.settings import Database, Settings
from emr.tenancy.claims import clashes, owners_of
from emr.tenancy.definition import HospitalFile

OBJECTS_READY: Final = "hospital.objects-ready"
SANDBOX_FILLED: Final = "hospital.sandbox-filled"
DOES: Final = {
    "create": "apply makes it",
    "change": "apply changes it",
    "rights": "apply makes them so",
    "organization": "apply makes it so at the identity provider",
    "objects": "apply tries the object store with the hospital's key",
    "administrator": "apply invites them",
    "sandbox": "apply fills it with made-up patients",
    "tables": "nothing: bring the schema back from a backup",
    "key": "nothing: bring directory.keys back from a backup",
    "revision": "nothing: run emr migrate",
    "absent": "nothing: write its file, or see emr tenants offboard",
    "stray": "nothing: take it away at the identity provider",
    "unasked": "nothing: ask again when the identity provider answers",
}
"""Kinds of differences, in the order in which `apply` sees to them, and what it would do."""
_STANDING: Final = text("""
SELECT t.slug, t.id, t.schema, t.cell, t.definition, t.organization_id, t.managed_by, t.revision,
  EXISTS (SELECT 1 FROM directory.keys k WHERE k.tenant_id = t.id AND k.retired_at IS NULL) AS keyed,
  EXISTS (SELECT 1 FROM directory.memberships m
    WHERE m.tenant_id = t.id AND m.role = 'admin' AND m.active) AS administered,
  ARRAY(SELECT DISTINCT e.event FROM directory.tenant_events e
    WHERE e.tenant_id = t.id AND e.event = ANY (CAST(:steps AS text[]))) AS done
FROM directory.tenants t
""")
Fields = Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same. kind: one of `DOES`. fields: by dotted name, what stands and what is wanted."""

    slug: str
    kind: str
    fields: Fields = field(default_factory=dict)

    @property
    def does(self) -> str:
        """What `apply` would do about it."""
        return DOES[self.kind]


@dataclass(frozen=True, slots=True)
class World:
    """What stands: the directory's rows by slug, what schemas lack, which logins can become one and should not, and the
    provider's organizations if they count.
    """

    rows: Mapping[str, Any]
    absent: frozenset[str]
    missing: Mapping[str, Sequence[str]]
    surplus: Mapping[str, Sequence[str]]
    organizations: Listing | None
    unasked: str = ""


def plan(settings: Settings) -> list[Difference]:
    """Every difference between files and world. Raises `FilesBroken`."""
    return compare(settings)[1]


def compare(settings: Settings) -> tuple[list[HospitalFile], list[Difference]]:
    """The hospitals of files and console, and every difference. Raises `FilesBroken`, also for what is another's.

    What the console manages is wanted as the directory says it.
    """
    files = read_files(settings.tenants)
    world = look(settings)
    demand_free(files, world.rows)
    hospitals = [each.hospital for each in files] + [*_of_console(world)]
    return hospitals, [*_differences(hospitals, world)]


def look(settings: Settings, slug: str = "") -> World:
    """The world as it stands; slug: the one hospital of which it is looked whether its schema and rights are whole."""
    with owner_engine(settings.database.owner_url).connect() as connection:
        rows = {row.slug: row for row in connection.execute(_STANDING, {"steps": [OBJECTS_READY, SANDBOX_FILLED]})}
        # What lies in further cells is looked at where they are.
        schemas = [row.schema for row in rows.values() if row.cell == DEFAULT_CELL and slug in ("", row.slug)]
        absent = absent_schemas(connection, schemas)
        there = [schema for schema in schemas if schema not in absent]
        logins = _logins(settings.database, rows.values())
        missing = _missing(connection, there, logins)
        surplus = surplus_logins(connection, {schema: logins[schema] for schema in there if schema in logins})
    organizations, unasked = _organizations(settings)
    return World(rows, frozenset(absent), missing, surplus, organizations, unasked)


def demand_free(files: Sequence[Read], rows: Mapping[str, Any]) -> None:
    """Raise `FilesBroken` for what a hospital of the world has already: slug, codes, titles, domains, organizations."""
    owners = owners_of(rows)
    faults = [read.fault(*clash) for read in files for clash in clashes(read.hospital.as_json(), rows, owners)]
    if faults:
        raise FilesBroken(faults)


def _missing(connection: Connection, schemas: Sequence[str], logins: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    missing: dict[str, Sequence[str]] = {}
    for login in dict.fromkeys(logins.values()):
        of_login = [schema for schema in schemas if logins.get(schema) == login]
        if of_login:
            missing |= missing_rights(connection, of_login, login)
    return missing


def _logins(settings: Database, rows: Iterable[Any]) -> Mapping[str, str]:
    """By schema the login that has to be able to become it; none for one whose login is not configured here."""
    found: dict[str, str] = {}
    for row in rows:
        if row.cell == DEFAULT_CELL:
            with suppress(Invalid):
                found[row.schema] = login_of(login_url(settings, row.cell, row.slug, row.definition.get("tier", "")))
    return found


def _organizations(settings: Settings) -> tuple[Listing | None, str]:
    provider = Organizations(settings.identity)
    if not provider.configured:
        return None, ""
    try:
        return provider.listed(), ""
    except Unavailable as refusal:
        return None, refusal.message


def _differences(hospitals: Sequence[HospitalFile], world: World) -> Iterator[Difference]:
    for hospital in hospitals:
        yield from of_one(hospital, world)
    known = {hospital.slug for hospital in hospitals}
    for slug, row in sorted(world.rows.items()):
        if slug not in known and row.managed_by == "file":
            yield Difference(slug, "absent")
    if world.organizations is not None:
        aliases = {each.identity.organization for each in hospitals}
        aliases |= {row.definition["identity"]["organization"] for row in world.rows.values()}
        yield from (Difference(alias, "stray") for alias in world.organizations.strays(aliases))
    if world.unasked:
        yield Difference("*", "unasked", {"organization": (world.unasked, None)})


def of_one(hospital: HospitalFile, world: World) -> Iterator[Difference]:
    """What is not the same of one hospital."""
    row = world.rows.get(hospital.slug)
    if row is None:
        yield Difference(hospital.slug, "create")
    else:
        yield from _of_hospital(hospital, row, world)


def _of_console(world: World) -> Iterator[HospitalFile]:
    for _, row in sorted(world.rows.items()):
        if row.managed_by == "console":
            yield HospitalFile.model_validate(row.definition)


def _of_hospital(hospital: HospitalFile, row: Any, world: World) -> Iterator[Difference]:
    slug, wanted, stands = hospital.slug, _flat(hospital.as_json()), _flat(_stands(row.definition))
    fields = {
        name: (stands.get(name), wanted.get(name))
        for name in sorted(wanted.keys() | stands.keys())
        if wanted.get(name) != stands.get(name) and not name.startswith("go_live.")
    }
    if fields:
        yield Difference(slug, "change", fields)
    if row.schema in world.absent:
        yield Difference(slug, "tables", {row.schema: (None, "schema")})
    elif row.schema in world.missing or row.schema in world.surplus:
        yield Difference(slug, "rights", _rights(row.schema, world))
    elif row.revision != head(History.TENANT):
        yield Difference(slug, "revision", {"revision": (row.revision, head(History.TENANT))})
    if not row.keyed:
        yield Difference(slug, "key", {"directory.keys": (None, "a data key")})
    changes = _organization(hospital, row.organization_id, world)
    if changes:
        yield Difference(slug, "organization", changes)
    if OBJECTS_READY not in row.done:
        yield Difference(slug, "objects", {"objects": (None, "tried")})
    person = hospital.identity.administrator
    if person is not None and not row.administered and world.organizations is not None:
        yield Difference(slug, "administrator", {"identity.administrator": (None, person.email)})
    if hospital.sandbox and SANDBOX_FILLED not in row.done:
        yield Difference(slug, "sandbox", {"sandbox": (None, "made-up patients")})


def _rights(schema: str, world: World) -> Fields:
    missing: Fields = {word: (None, word) for word in world.missing.get(schema, ())}
    surplus = [f"membership of {login}" for login in world.surplus.get(schema, ())]
    return {**missing, **{word: (word, None) for word in surplus}}


def _organization(hospital: HospitalFile, stored_id: str | None, world: World) -> Fields:
    if world.organizations is None:
        return {}
    part = hospital.identity
    return world.organizations.changes(Organization(part.organization, hospital.name, part.domains), stored_id)


def _stands(definition: dict[str, Any]) -> dict[str, Any]:
    """What a kept definition says today: a field that it was written before has its default."""
    try:
        return HospitalFile.model_validate(definition).as_json()
    except ValidationError:
        return definition


def _flat(definition: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Fields by dotted name; lists and what is not there are values."""
    found: dict[str, Any] = {}
    for name, value in definition.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found

"""Who may do what inside PostgreSQL, in one place.

`emr_owner` owns every schema and table and may make roles. The service's login inherits nothing and owns nothing: it
can only become `emr_directory`, `emr_cell`, `emr_audit`, `emr_archive` or one hospital. Each hospital's role has rights
on its own schema, and through `emr_hospital` may add rows, for itself alone, to the outbox and the audit journal; the
rows of its subscriptions it may also read and change, and nobody else's.
"""

from collections.abc import Mapping
from typing import Final, LiteralString

import psycopg
from sqlalchemy import Connection

from emr.db import seen
from emr.db.owning import make_role, run, run_all
from emr.db.tables import tenant as tenant_tables
from emr.kernel.errors import Conflict

PLATFORM_ROLES: Final = ("emr_directory", "emr_cell", "emr_audit", "emr_archive", "emr_hospital")
_APPEND_ONLY: Final = tenant_tables.IMMUTABLE
_NO_DELETE: Final = frozenset({"resources", "retention_holds"})
_READ_ONLY: Final = frozenset({"alembic_version"})

_DIRECTORY_GRANTS: Final[tuple[LiteralString, ...]] = (
    "GRANT USAGE ON SCHEMA directory TO emr_directory",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON directory.sessions, directory.memberships TO emr_directory",
    "GRANT SELECT, INSERT ON directory.tenant_events, directory.border_checks TO emr_directory",
    "GRANT SELECT, INSERT ON directory.fleet_requests TO emr_directory",
    "GRANT UPDATE (decided_by, decided_by_name, decided_at, outcome) ON directory.fleet_requests TO emr_directory",
    "GRANT SELECT, INSERT, UPDATE ON directory.golive_items TO emr_directory",
    "GRANT INSERT ON directory.audit_journal TO emr_directory",
    "GRANT SELECT ON directory.audit_events, directory.audit_seals TO emr_directory",
    "GRANT USAGE ON SCHEMA directory TO emr_audit",
    "GRANT SELECT, DELETE ON directory.audit_journal TO emr_audit",
    "GRANT SELECT, INSERT ON directory.audit_events, directory.audit_seals TO emr_audit",
    "GRANT SELECT, INSERT ON directory.audit_archives, directory.trail_keys TO emr_directory",
    "GRANT USAGE ON SCHEMA directory TO emr_archive",
    "GRANT SELECT (number), DELETE ON directory.audit_events TO emr_archive",
    "GRANT SELECT, INSERT, UPDATE ON directory.accounts, directory.machine_clients TO emr_directory",
    "GRANT SELECT, INSERT, UPDATE ON directory.access_reviews, directory.access_review_lines TO emr_directory",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON directory.pins TO emr_directory",
    "GRANT SELECT, INSERT, UPDATE ON directory.support_grants TO emr_directory",
    "GRANT SELECT ON directory.tenants, directory.keys TO emr_directory",
    "GRANT SELECT, INSERT, UPDATE ON directory.apps TO emr_directory",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON directory.app_grants TO emr_directory",
    "GRANT SELECT, INSERT, DELETE ON directory.app_launches, directory.app_tokens TO emr_directory",
    "GRANT SELECT, INSERT, DELETE ON directory.app_assertions TO emr_directory",
    "GRANT SELECT ON directory.backups, directory.rewinds, directory.rehearsals TO emr_directory",
    "GRANT SELECT ON directory.operators TO emr_directory",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON directory.traffic, directory.usage TO emr_directory",
    "GRANT SELECT, INSERT, UPDATE ON directory.cell_state TO emr_directory",
    "GRANT UPDATE (state, state_reason, state_since, updated_at) ON directory.tenants TO emr_directory",
    "GRANT SELECT, INSERT ON directory.proposals, directory.announcements TO emr_directory",
    "GRANT UPDATE (decided_by, decided_by_name, decided_at, outcome) ON directory.proposals TO emr_directory",
    "GRANT UPDATE (ended_at, ended_by, ended_by_name) ON directory.announcements TO emr_directory",
)
_CELL_GRANTS: Final[tuple[LiteralString, ...]] = (
    "GRANT USAGE ON SCHEMA cell TO emr_cell, emr_audit, emr_hospital",
    "GRANT SELECT, UPDATE, DELETE ON cell.outbox TO emr_cell",
    "GRANT INSERT ON cell.outbox TO emr_cell",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON cell.batches, cell.deliveries, cell.jobs TO emr_cell",
    "GRANT SELECT ON cell.migrations_status TO emr_cell",
    "GRANT SELECT, INSERT, DELETE ON cell.audit_journal TO emr_audit",
    "GRANT INSERT ON cell.outbox, cell.audit_journal TO emr_hospital",
    "GRANT SELECT ON cell.subscribers, cell.notices, cell.events TO emr_cell",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON cell.subscribers, cell.notices, cell.events TO emr_hospital",
)

_TOO_POWERFUL: Final = """
WITH RECURSIVE becomes (oid) AS (
  SELECT m.roleid FROM pg_auth_members m JOIN pg_roles l ON l.oid = m.member WHERE l.rolname = session_user
  UNION
  SELECT m.roleid FROM pg_auth_members m JOIN becomes b ON m.member = b.oid
), owners (oid) AS MATERIALIZED (
  SELECT relowner FROM pg_class UNION SELECT nspowner FROM pg_namespace UNION SELECT datdba FROM pg_database
)
SELECT r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication AS attributes,
       r.rolinherit AS inherits,
       r.oid IN (SELECT w.oid FROM owners w) AS owns,
       r.rolsuper OR EXISTS (SELECT 1 FROM pg_auth_members m WHERE m.member = r.oid AND m.admin_option)
         OR EXISTS (SELECT 1 FROM becomes b JOIN pg_roles o USING (oid) WHERE o.oid <> r.oid
           AND (o.rolsuper OR o.rolcanlogin OR o.rolcreaterole OR o.rolcreatedb OR o.rolreplication OR o.rolbypassrls
             OR o.rolname LIKE 'pg\\_%' OR o.oid IN (SELECT w.oid FROM owners w))) AS member
FROM pg_roles r WHERE r.rolname = session_user
"""
"""Sets that are made once: `pg_has_role` makes the list of all that a login may become anew for each role that it is
asked about, and asking each role for its tables reads the whole catalogue. With a thousand hospitals that took a minute
at the start of every process.
"""


class LoginTooPowerful(Exception):
    """The service's login could do more than switch to a role that has little."""


def refuse_powerful_login(url: str) -> None:
    """Raise `LoginTooPowerful` unless the login owns nothing, inherits nothing and has no attribute of power."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        row = connection.execute(_TOO_POWERFUL).fetchone()
    found = dict(zip(("attributes", "inherits", "owns", "member"), row or (True,) * 4, strict=True))
    reasons = {
        "attributes": "it is superuser, BYPASSRLS, CREATEROLE, CREATEDB or REPLICATION",
        "inherits": "it is not NOINHERIT",
        "owns": "it owns a database, a schema or a table",
        "member": "it can become an owner, another login, a role of PostgreSQL's own or one that it may pass on",
    }
    wrong = [reasons[name] for name, bad in found.items() if bad]
    if wrong:
        raise LoginTooPowerful("The service refuses this database login: " + "; ".join(wrong) + ".")


def make_platform_roles(connection: Connection, login: str) -> None:
    """The group roles, and the login's right to become those that it works as. Idempotent."""
    for role in PLATFORM_ROLES:
        make_role(connection, role)
    for role in PLATFORM_ROLES[:-1]:
        run(connection, "GRANT {role} TO {login}", role=role, login=login)


def make_schema(connection: Connection, schema: str) -> None:
    """An empty schema that nobody but its owner can use."""
    run(connection, "CREATE SCHEMA IF NOT EXISTS {schema}", schema=schema)


def make_hospital_role(connection: Connection, schema: str, login: str, *, dedicated: bool = False) -> None:
    """The NOLOGIN role of a hospital, and the login's right to become it.

    dedicated: the login is the hospital's own, and also seals its trail; no other login may become the hospital.
    """
    make_role(connection, schema)
    run(connection, "GRANT {role} TO {login}", role=schema, login=login)
    if dedicated:
        run(connection, "GRANT emr_audit TO {login}", login=login)


def leave_hospital(connection: Connection, schema: str, login: str, *, dedicated: bool = False) -> None:
    """Another login than the hospital's can become it no more. dedicated: it was the hospital's own, and seals nothing
    any more. A transaction that has become the hospital already goes on to its end.
    """
    names = {"login": login, "schema": schema, "seen": seen.seen_of(schema)}
    run_all(connection, [("REVOKE {schema} FROM {login}", names), ("REVOKE {seen} FROM {login}", names)])
    if dedicated:
        run(connection, "REVOKE emr_audit FROM {login}", login=login)


def demand_login(url: str, schema: str) -> None:
    """Raise `Conflict` unless whoever signs in at this address can become the hospital and seal its trail."""
    try:
        # Within a transaction alone: a pooler may give the connection to anybody afterwards.
        with psycopg.connect(url, connect_timeout=5) as connection:
            for role in (schema, seen.seen_of(schema), "emr_audit"):
                connection.execute("SELECT set_config('role', %s, true)", (role,))
    except psycopg.Error as error:
        rule = "The login that the hospital would work with does not answer, or cannot become the hospital."
        raise Conflict("login-refused", rule, location="tier") from error


def join_hospitals(connection: Connection, schema: str) -> None:
    """A hospital's place among the hospitals. Last in its transaction: PostgreSQL lets one at a time join a role."""
    run(connection, "GRANT emr_hospital TO {role}", role=schema)


def grant_directory(connection: Connection) -> None:
    """Rights on the directory's tables."""
    for statement in _DIRECTORY_GRANTS:
        run(connection, statement)


def grant_cell(connection: Connection) -> None:
    """Rights on the cell's tables."""
    for statement in _CELL_GRANTS:
        run(connection, statement)


def grant_hospital(connection: Connection, schema: str) -> None:
    """A hospital's rights on its own tables: versions and audit are append-only, a resource is never deleted.

    Rows of its trail that lie in an archive are removed by `emr_archive`, which reads nothing of them but numbers.
    """
    names = {"schema": schema}
    statements: list[tuple[LiteralString, Mapping[str, str]]] = [
        ("GRANT USAGE ON SCHEMA {schema} TO {schema}, emr_archive", names),
        ("GRANT SELECT (number), DELETE ON {schema}.audit_events TO emr_archive", names),
    ]
    statements += [
        ("GRANT " + _rights(name) + " ON {schema}.{table} TO {schema}", names | {"table": name})
        for name in sorted(set(tenant_tables.metadata.tables) | _READ_ONLY)
    ]
    statements.append(("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {schema}", names))
    run_all(connection, statements)


def hospital_rights() -> list[tuple[str, str]]:
    """Table and right: everything that a hospital's role has on tables of its own."""
    tables = sorted(set(tenant_tables.metadata.tables) | _READ_ONLY)
    return [(table, right) for table in tables for right in _rights(table).split(", ")]


def _rights(table: str) -> LiteralString:
    if table in _READ_ONLY:
        return "SELECT"
    if table in _APPEND_ONLY:
        return "SELECT, INSERT"
    return "SELECT, INSERT, UPDATE" if table in _NO_DELETE else "SELECT, INSERT, UPDATE, DELETE"


def drop_hospital(connection: Connection, schema: str) -> None:
    """Remove a hospital's schemas and everything in them. Nothing of it comes back."""
    seen.remove(connection, schema)
    run(connection, "DROP SCHEMA IF EXISTS {schema} CASCADE", schema=schema)


def drop_hospital_roles(connection: Connection, schema: str) -> None:
    """Remove a hospital's roles from the server: last, since one that has rights on anything cannot be dropped."""
    seen.drop_role(connection, schema)
    run(connection, "DROP ROLE IF EXISTS {schema}", schema=schema)

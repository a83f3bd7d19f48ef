"""The fence inside PostgreSQL, on the machine's server and on the embedded one (18)."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import errors, sql

from emr.db.roles import LoginTooPowerful, refuse_powerful_login
from emr_demo.postgres import temporary
from emr_demo.postgres_server import embedded
from tests.fhir.samples import mark
from tests.house import CAU_VONG, HOA_SEN, House, house

DENIED = "permission denied"
FENCED = "row-level security"
OWN_ROWS = [sql.Identifier("cell", name) for name in ("subscribers", "notices", "events")]
"""Of these a hospital sees and changes its own rows, and row security holds back all others."""
ROWS = (
    "INSERT INTO cell.subscribers (tenant, id, type, state, owner) VALUES (%(tenant)s, 'x', 'Patient', 'error', 'y')",
    "INSERT INTO cell.notices (tenant, type, id, version, deleted) VALUES (%(tenant)s, 'Patient', 'x', 1, false)",
    "INSERT INTO cell.events VALUES (%(tenant)s, 'x', 1, 'Patient', 'x', 1, 'create', now(), now())",
)
WORKING = ("emr_directory", "emr_cell", "emr_audit")


@pytest.fixture(scope="module", params=["machine", "embedded"])
def walls(request: pytest.FixtureRequest, standing: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    if request.param == "machine":
        yield standing
        return
    server = embedded()[0]
    assert server.major == 18
    with temporary(server) as cluster, house(cluster, tmp_path_factory.mktemp("embedded")) as made:
        yield made


@contextmanager
def signed_in(walls: House, role: str = "") -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The service's login, as it is or in one of the roles that it works as."""
    with psycopg.connect(walls.settings.database.url, autocommit=True) as connection:
        if role:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        yield connection


def tables(walls: House, *schemas: str) -> list[sql.Identifier]:
    query = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(%s) ORDER BY 1, 2"
    return [sql.Identifier(*row) for row in walls.sql(query, list(schemas))]


def refused(connection: psycopg.Connection[tuple[object, ...]], statement: sql.Composed | sql.SQL | str) -> str:
    """Why PostgreSQL refuses a statement; fails when it does not."""
    with pytest.raises(errors.InsufficientPrivilege) as caught:
        connection.execute(sql.SQL(statement) if isinstance(statement, str) else statement)
    return str(caught.value)


class TestTheLoginItself:
    def test_reads_nothing_without_a_role(self, walls: House) -> None:
        schemas = ["directory", "cell", *(tenant.schema for tenant in walls.tenants.values())]
        with signed_in(walls) as login:
            for table in tables(walls, *schemas):
                assert DENIED in refused(login, sql.SQL("SELECT 1 FROM {}").format(table))
                assert DENIED in refused(login, sql.SQL("DELETE FROM {}").format(table))

    def test_makes_nothing(self, walls: House) -> None:
        with signed_in(walls) as login:
            for statement in ("CREATE TABLE mine ()", "CREATE SCHEMA mine", "CREATE ROLE mine", "CREATE DATABASE mine"):
                assert DENIED in refused(login, statement)

    @pytest.mark.parametrize("role", ["postgres", "emr_owner", "pg_read_all_data"])
    def test_cannot_become_more(self, walls: House, role: str) -> None:
        with signed_in(walls) as login:
            assert "permission denied to set role" in refused(
                login, sql.SQL("SET ROLE {}").format(sql.Identifier(role))
            )


class TestAHospital:
    def test_reads_and_writes_nothing_of_another(self, walls: House) -> None:
        other = walls.tenants[CAU_VONG].schema
        with signed_in(walls, walls.tenants[HOA_SEN].schema) as own:
            every = tables(walls, other)
            assert len(every) > 10
            for table in every:
                for verb in ("SELECT 1 FROM {}", "DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES", "TRUNCATE {}"):
                    assert DENIED in refused(own, sql.SQL(verb).format(table))

    def test_reads_its_own(self, walls: House) -> None:
        schema = walls.tenants[HOA_SEN].schema
        with signed_in(walls, schema) as own:
            for table in tables(walls, schema):
                own.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(table))

    def test_puts_into_outbox_and_journal_for_itself_alone(self, walls: House) -> None:
        own_name, other = walls.tenants[HOA_SEN].schema, walls.tenants[CAU_VONG].schema
        outbox = sql.SQL("INSERT INTO cell.outbox (tenant, type, id, version) VALUES ({}, 'Patient', 'x', 1)")
        journal = sql.SQL("INSERT INTO cell.audit_journal (tenant, at, row) VALUES ({}, now(), '{{}}')")
        with signed_in(walls, own_name) as own, own.transaction(force_rollback=True):
            for statement in (outbox, journal):
                own.execute(statement.format(sql.Literal(own_name)))
        with signed_in(walls, own_name) as own:
            for statement in (outbox, journal):
                assert FENCED in refused(own, statement.format(sql.Literal(other)))

    @pytest.mark.parametrize(
        "verb", ["SELECT 1 FROM {}", "DELETE FROM {}", "TRUNCATE {}", "SELECT 1 FROM {} FOR UPDATE"]
    )
    def test_sees_nothing_of_what_is_shared(self, walls: House, verb: str) -> None:
        with signed_in(walls, walls.tenants[HOA_SEN].schema) as own:
            for table in tables(walls, "cell", "directory"):
                if table not in OWN_ROWS:
                    assert DENIED in refused(own, sql.SQL(verb).format(table))

    @pytest.mark.parametrize("table", OWN_ROWS, ids=str)
    def test_of_its_subscriptions_it_sees_and_changes_its_own_rows_alone(
        self, walls: House, table: sql.Identifier
    ) -> None:
        own_name, other = walls.tenants[HOA_SEN].schema, walls.tenants[CAU_VONG].schema
        insert = sql.SQL(ROWS[OWN_ROWS.index(table)])
        with psycopg.connect(walls.cluster.url(database="emr")) as curtain:
            for name in (own_name, other):
                curtain.execute(insert, {"tenant": name})
        try:
            with signed_in(walls, own_name) as own, own.transaction(force_rollback=True):
                seen = own.execute(sql.SQL("SELECT DISTINCT tenant FROM {}").format(table)).fetchall()
                assert seen == [(own_name,)]
                assert own.execute(sql.SQL("DELETE FROM {} WHERE tenant = %s").format(table), (other,)).rowcount == 0
                moved = own.execute(sql.SQL("UPDATE {} SET id = 'z' WHERE tenant = %s").format(table), (other,))
                assert moved.rowcount == 0
            with signed_in(walls, own_name) as own:
                for statement in (insert, sql.SQL("UPDATE {} SET tenant = %(tenant)s").format(table)):
                    with pytest.raises(errors.InsufficientPrivilege, match=FENCED):
                        own.execute(statement, {"tenant": other})
                assert DENIED in refused(own, sql.SQL("TRUNCATE {}").format(table))
        finally:
            walls.sql("DELETE FROM cell.subscribers; DELETE FROM cell.notices; DELETE FROM cell.events")

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE resource_versions SET version = 2", "DELETE FROM resource_versions",
            "UPDATE audit_events SET row = ''", "DELETE FROM audit_events", "TRUNCATE audit_events",
            "UPDATE audit_seals SET root = ''", "DELETE FROM audit_seals",
            "UPDATE audit_archives SET last = 0", "DELETE FROM audit_archives", "DELETE FROM resources",
            "UPDATE alembic_version SET version_num = ''", "ALTER TABLE resources DISABLE ROW LEVEL SECURITY",
            "DROP TABLE resources", "CREATE TABLE mine ()",
        ],
    )  # fmt: skip
    def test_history_and_audit_only_grow(self, walls: House, statement: str) -> None:
        schema = walls.tenants[HOA_SEN].schema
        with signed_in(walls, schema) as own:
            own.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
            refused(own, statement)


class TestWhoRemovesWhatLiesInFiles:
    """`emr_archive` takes rows of the trail by their numbers, and can do nothing else anywhere."""

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT row FROM {}.audit_events", "SELECT * FROM {}.audit_archives", "UPDATE {}.audit_events SET number = 1",
            "INSERT INTO {}.audit_events DEFAULT VALUES", "TRUNCATE {}.audit_events", "DELETE FROM {}.audit_seals",
            "DELETE FROM {}.audit_archives", "SELECT 1 FROM {}.resources", "SELECT 1 FROM {}.blobs",
        ],
    )  # fmt: skip
    def test_it_can_do_nothing_else_in_a_hospital(self, walls: House, statement: str) -> None:
        schema = sql.Identifier(walls.tenants[HOA_SEN].schema)
        with signed_in(walls, "emr_archive") as role:
            refused(role, sql.SQL(statement).format(schema))

    @pytest.mark.parametrize(
        "table",
        [
            "directory.tenants", "directory.audit_seals", "directory.audit_archives", "directory.audit_journal",
            "directory.trail_keys", "cell.audit_journal", "cell.jobs",
        ],
    )  # fmt: skip
    def test_nor_elsewhere(self, walls: House, table: str) -> None:
        with signed_in(walls, "emr_archive") as role:
            refused(role, f"DELETE FROM {table}")

    def test_of_the_directorys_trail_it_can_take_rows_and_read_nothing_but_numbers(self, walls: House) -> None:
        with signed_in(walls, "emr_archive") as role:
            assert role.execute("DELETE FROM directory.audit_events WHERE number < 0").rowcount == 0
            refused(role, "SELECT row FROM directory.audit_events")

    def test_it_can_take_rows_by_their_numbers(self, walls: House) -> None:
        schema = sql.Identifier(walls.tenants[HOA_SEN].schema)
        with signed_in(walls, "emr_archive") as role:
            assert role.execute(sql.SQL("DELETE FROM {}.audit_events WHERE number < 0").format(schema)).rowcount == 0


class TestThePlatformsRoles:
    @pytest.mark.parametrize("role", WORKING)
    def test_read_no_hospital(self, walls: House, role: str) -> None:
        with signed_in(walls, role) as platform:
            for table in tables(walls, *(tenant.schema for tenant in walls.tenants.values())):
                assert DENIED in refused(platform, sql.SQL("SELECT 1 FROM {}").format(table))

    @pytest.mark.parametrize(
        ("role", "statement"),
        [
            ("emr_directory", "SELECT 1 FROM cell.audit_journal"),
            ("emr_directory", "UPDATE directory.tenants SET definition = '{}'"),
            ("emr_directory", "UPDATE directory.tenants SET cell = 'x'"),
            ("emr_directory", "UPDATE directory.tenants SET schema = 'x', state = 'live'"),
            ("emr_directory", "DELETE FROM directory.tenants"), ("emr_directory", "DELETE FROM directory.tenant_events"),
            ("emr_directory", "UPDATE directory.tenant_events SET actor = 'x'"),
            ("emr_directory", "UPDATE directory.proposals SET proposed_by = 'x'"),
            ("emr_directory", "UPDATE directory.proposals SET wanted = 'x', outcome = NULL"),
            ("emr_directory", "DELETE FROM directory.proposals"),
            ("emr_directory", "UPDATE directory.fleet_requests SET state = 'waiting', second = false"),
            ("emr_directory", "UPDATE directory.fleet_requests SET detail = '{}'"),
            ("emr_directory", "DELETE FROM directory.fleet_requests"),
            ("emr_directory", "UPDATE directory.announcements SET vi = 'x'"),
            ("emr_directory", "DELETE FROM directory.announcements"),
            ("emr_cell", "UPDATE directory.tenants SET state = 'live'"),
            ("emr_audit", "UPDATE directory.tenants SET state = 'live'"),
            ("emr_directory", "DELETE FROM directory.audit_events"),
            ("emr_directory", "DELETE FROM directory.audit_archives"),
            ("emr_directory", "UPDATE directory.audit_archives SET key = 'x'"),
            ("emr_directory", "UPDATE directory.trail_keys SET wrapped = ''"),
            ("emr_directory", "DELETE FROM directory.trail_keys"), ("emr_audit", "SELECT 1 FROM directory.trail_keys"),
            ("emr_directory", "DELETE FROM directory.audit_journal"), ("emr_directory", "SELECT 1 FROM directory.audit_journal"),
            ("emr_directory", "UPDATE directory.audit_seals SET hash = root"),
            ("emr_audit", "UPDATE directory.audit_journal SET row = ''"), ("emr_audit", "DELETE FROM directory.audit_events"),
            ("emr_cell", "SELECT 1 FROM cell.audit_journal"), ("emr_cell", "SELECT 1 FROM directory.sessions"),
            ("emr_audit", "UPDATE cell.audit_journal SET row = ''"), ("emr_audit", "SELECT 1 FROM cell.outbox"),
            ("emr_audit", "SELECT 1 FROM directory.keys"),
        ],
    )  # fmt: skip
    def test_have_no_more_than_their_work_needs(self, walls: House, role: str, statement: str) -> None:
        with signed_in(walls, role) as platform:
            assert DENIED in refused(platform, statement)


class TestTheServiceRefusesToStart:
    def test_not_with_its_own_login(self, walls: House) -> None:
        refuse_powerful_login(walls.settings.database.url)

    @pytest.mark.parametrize("role", ["postgres", "emr_owner"])
    def test_as_superuser_or_owner(self, walls: House, role: str) -> None:
        with pytest.raises(LoginTooPowerful):
            refuse_powerful_login(walls.cluster.url(role=role, database="emr"))

    @pytest.mark.parametrize(
        ("options", "grant", "reason"),
        [
            ("", "", "NOINHERIT"), ("NOINHERIT CREATEROLE", "", "CREATEROLE"), ("NOINHERIT CREATEDB", "", "CREATEDB"),
            ("NOINHERIT BYPASSRLS", "", "BYPASSRLS"), ("NOINHERIT REPLICATION", "", "REPLICATION"),
            ("NOINHERIT", "GRANT emr_owner TO {}", "become"), ("NOINHERIT", "GRANT pg_read_all_data TO {}", "become"),
            ("NOINHERIT", "GRANT emr_app TO {}", "become"), ("NOINHERIT", "GRANT emr_cell TO {} WITH ADMIN OPTION", "become"),
            ("NOINHERIT", "CREATE ROLE {}_between ROLE {}; GRANT emr_owner TO {}_between", "become"),
            ("NOINHERIT", "CREATE SCHEMA {}_own AUTHORIZATION {}", "owns"),
        ],
    )  # fmt: skip
    def test_with_a_login_that_could_do_more(self, walls: House, options: str, grant: str, reason: str) -> None:
        name = mark()
        walls.cluster.create_login(name, options=options)  # type: ignore[arg-type]  # the rows above are constants
        for statement in filter(None, grant.replace("{}", name).split(";")):
            walls.sql(statement)
        with pytest.raises(LoginTooPowerful, match=reason):
            refuse_powerful_login(walls.cluster.url(role=name, database="emr"))

    def test_but_with_one_that_only_may_switch(self, walls: House) -> None:
        name = mark()
        walls.cluster.create_login(name, options="NOINHERIT")
        walls.sql(f"GRANT emr_cell, {walls.tenants[HOA_SEN].schema} TO {name}")
        refuse_powerful_login(walls.cluster.url(role=name, database="emr"))

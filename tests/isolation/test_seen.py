"""The second role of a hospital, inside PostgreSQL: it meets views, and nothing behind them."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import errors, sql

from emr.db.roles import refuse_powerful_login
from emr.db.seen import HELD_BACK, OF_A_RESOURCE, VIEWS, seen_of
from emr.db.tables import tenant as tables
from tests.house import CAU_VONG, HOA_SEN, House

AS_IT_IS = {"blobs", "idempotency_keys", "bulk_jobs", "indexing", "audit_events", "audit_seals", "audit_archives"}


@contextmanager
def looking(standing: House, slug: str = HOA_SEN) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The service's login as the one whose sight is limited, with the path that its transactions have."""
    schema = standing.tenants[slug].schema
    with psycopg.connect(standing.settings.database.url, autocommit=True) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(seen_of(schema))))
        path = sql.SQL("SET search_path TO {}, {}")
        connection.execute(path.format(sql.Identifier(seen_of(schema)), sql.Identifier(schema)))
        yield connection


class TestTheTables:
    def test_each_is_a_view_held_back_or_known_to_tell_nothing(self) -> None:
        """A new table has to be given its place: until then the role has no right on it."""
        assert set(VIEWS) | set(HELD_BACK) | AS_IT_IS == set(tables.metadata.tables)

    def test_with_a_pk_of_a_resource_each_is_seen_with_it(self) -> None:
        with_pk = {name for name, table in tables.metadata.tables.items() if "pk" in table.columns}
        assert with_pk - {"resources"} == set(OF_A_RESOURCE)


class TestTheRole:
    @pytest.mark.parametrize("table", sorted(set(VIEWS) | set(HELD_BACK)))
    def test_reads_no_table_behind_a_view(self, standing: House, table: str) -> None:
        behind = sql.Identifier(standing.tenants[HOA_SEN].schema, table)
        with looking(standing) as role:
            for verb in ("SELECT 1 FROM {}", "DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES"):
                with pytest.raises(errors.InsufficientPrivilege):
                    role.execute(sql.SQL(verb).format(behind))

    def test_sees_nothing_while_nobody_has_said_who_is_looking(self, standing: House) -> None:
        schema = standing.tenants[HOA_SEN].schema
        standing.sql(
            f"INSERT INTO {schema}.resources (type, id, version, updated, patients, body)"
            " VALUES ('Patient', 'seen-role', 1, now(), '{seen-role}', '\\x00') ON CONFLICT DO NOTHING"
        )
        somebodys = [pk for (pk,) in standing.sql(f"SELECT pk FROM {schema}.resources WHERE patients <> '{{}}'")]
        try:
            with looking(standing) as role:
                for view in OF_A_RESOURCE:
                    asked = sql.SQL("SELECT count(*) FROM {} WHERE pk = ANY (%s)").format(sql.Identifier(view))
                    assert role.execute(asked, [somebodys]).fetchone() == (0,), view
                    alone = sql.SQL("SELECT count(*) FROM {} WHERE pk NOT IN (SELECT pk FROM resources)")
                    assert role.execute(alone.format(sql.Identifier(view))).fetchone() == (0,), view
                rows = role.execute("SELECT count(*) FROM resources WHERE patients <> '{}'")
                assert rows.fetchone() == (0,)
                for view in ("dicom_series", "dicom_instances"):
                    asked = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(view))
                    assert role.execute(asked).fetchone() == (0,), view
                role.execute("SELECT set_config('emr.everybody', 'true', false)")
                role.execute("SELECT set_config('emr.unlabelled', 'true', false)")
                found = role.execute("SELECT id FROM resources WHERE id = 'seen-role'")
                assert found.fetchall() == [("seen-role",)]
        finally:
            standing.sql(f"DELETE FROM {schema}.resources WHERE id = 'seen-role'")

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO resources DEFAULT VALUES", "DELETE FROM resources", "UPDATE resources SET body = ''",
            "UPDATE resources SET patients = '{}'", "DELETE FROM tokens", "INSERT INTO cell.outbox DEFAULT VALUES",
            "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE VIEW mine AS SELECT 1",
            "SELECT 1 FROM directory.memberships", "SELECT 1 FROM cell.audit_journal",
        ],
    )  # fmt: skip
    def test_changes_and_makes_nothing(self, standing: House, statement: str) -> None:
        with looking(standing) as role, pytest.raises(errors.InsufficientPrivilege):
            role.execute(statement)  # type: ignore[arg-type]  # the statements above are constants

    def test_sees_nothing_of_another_hospital(self, standing: House) -> None:
        other = standing.tenants[CAU_VONG].schema
        with looking(standing) as role:
            for schema in (other, seen_of(other)):
                with pytest.raises(errors.InsufficientPrivilege):
                    role.execute(sql.SQL("SELECT 1 FROM {}").format(sql.Identifier(schema, "resources")))

    def test_leaves_the_login_as_powerless_as_it_was(self, standing: House) -> None:
        refuse_powerful_login(standing.settings.database.url)

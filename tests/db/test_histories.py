"""The three histories give exactly the tables that the code states, and tables that are safe to pool."""

import psycopg
import pytest
from sqlalchemy import text

from emr.db.migrate import History, Target, current, drift, head, owner_engine, upgrade
from emr.db.revisions import newest_hospital_revision
from tests.house import CAU_VONG, HOA_SEN, House


def target(standing: House, history: History, slug: str = HOA_SEN) -> Target:
    return Target(history, standing.tenants[slug].schema if history is History.TENANT else history.value)


class TestDrift:
    @pytest.mark.parametrize("history", list(History))
    def test_there_is_none(self, standing: House, history: History) -> None:
        with owner_engine(standing.settings.database.owner_url).connect() as connection:
            assert drift(connection, target(standing, history)) == []
            assert current(connection, target(standing, history)) == head(history)

    def test_a_column_too_many_is_seen(self, standing: House) -> None:
        with owner_engine(standing.settings.database.owner_url).connect() as connection:
            schema = standing.tenants[CAU_VONG].schema
            connection.execute(text(f"ALTER TABLE {schema}.blobs ADD COLUMN extra text"))
            assert drift(connection, target(standing, History.TENANT, CAU_VONG)) != []
            connection.rollback()

    def test_both_hospitals_have_the_same_tables(self, standing: House) -> None:
        query = (
            "SELECT table_name, column_name, data_type, is_nullable, column_default IS NULL"
            " FROM information_schema.columns WHERE table_schema = %s ORDER BY 1, 2"
        )
        first, second = (standing.sql(query, standing.tenants[slug].schema) for slug in (HOA_SEN, CAU_VONG))
        assert first == second != []


class TestUpgrade:
    def test_what_stands_at_the_newest_stays_there(self, standing: House) -> None:
        with owner_engine(standing.settings.database.owner_url).begin() as connection:
            assert upgrade(connection, target(standing, History.TENANT)) == newest_hospital_revision()

    def test_waits_for_no_lock_longer_than_four_seconds(self, standing: House) -> None:
        with owner_engine(standing.settings.database.owner_url).begin() as connection:
            upgrade(connection, target(standing, History.TENANT))
            assert connection.scalar(text("SHOW lock_timeout")) == "4s"


class TestTables:
    def test_no_hospital_has_more_than_twenty_four(self, standing: House) -> None:
        for tenant in standing.tenants.values():
            assert standing.sql("SELECT count(*) FROM pg_tables WHERE schemaname = %s", tenant.schema)[0][0] <= 24

    def test_none_has_an_enum_or_a_key_into_another_schema(self, standing: House) -> None:
        assert standing.sql("SELECT count(*) FROM pg_type WHERE typtype = 'e'") == [(0,)]
        crossing = (
            "SELECT count(*) FROM pg_constraint k JOIN pg_class a ON a.oid = k.conrelid"
            " JOIN pg_class b ON b.oid = k.confrelid WHERE k.contype = 'f' AND a.relnamespace <> b.relnamespace"
        )
        assert standing.sql(crossing) == [(0,)]

    def test_everything_belongs_to_the_owner(self, standing: House) -> None:
        schemas = ["directory", "cell", *(tenant.schema for tenant in standing.tenants.values())]
        owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = ANY(%s)"
        assert standing.sql(owners, schemas) == [("emr_owner",)]

    def test_what_is_shared_is_fenced_by_rows(self, standing: House) -> None:
        fenced = "SELECT relname FROM pg_class WHERE relrowsecurity AND relnamespace = 'cell'::regnamespace ORDER BY 1"
        assert [name for (name,) in standing.sql(fenced)] == [
            "audit_journal", "events", "notices", "outbox", "subscribers",
        ]  # fmt: skip


class TestPools:
    def test_the_login_leaves_nothing_behind(self, standing: House) -> None:
        """A role and a path last as long as a transaction does."""
        schema = standing.tenants[HOA_SEN].schema
        with psycopg.connect(standing.settings.database.url, autocommit=True) as connection:
            connection.execute(f"BEGIN; SET LOCAL ROLE {schema}; SET LOCAL search_path TO {schema}")
            connection.execute("COMMIT")
            assert connection.execute("SELECT current_user").fetchone() == ("emr_app",)

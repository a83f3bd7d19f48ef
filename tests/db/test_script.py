"""A hospital that is made by the script has exactly what one has that the migrations made."""

from typing import Any

from sqlalchemy import Connection, text

from emr.db.migrate import History, Target, current, drift, head, owner_engine, upgrade
from emr.db.roles import make_schema
from emr.db.script import Script
from tests.house import HOA_SEN, House

BY_SCRIPT, BY_MIGRATIONS, FIRST = "t_byscript0000", "t_bymigration0", "t_recorded0000"
CATALOGUE = {
    "columns": """
        SELECT c.relname, c.relkind, c.relpersistence, c.reloptions, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
          a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, a.attcompression, a.attstattarget, a.attisdropped,
          replace(pg_get_expr(d.adbin, d.adrelid), :schema || '.', ''), col_description(c.oid, a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind IN ('r', 'p', 'v', 'S') ORDER BY 1, 5""",
    "indexes": """
        SELECT c.relname, t.relname, c.reloptions, replace(pg_get_indexdef(c.oid), :schema || '.', ''), x.indisunique, x.indisprimary
        FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
        WHERE c.relnamespace = CAST(:schema AS regnamespace) ORDER BY 1""",
    "constraints": """
        SELECT conname, contype, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = CAST(:schema AS regnamespace) ORDER BY 1""",
    "sequences": """
        SELECT sequencename, data_type, start_value, increment_by, cycle, cache_size FROM pg_sequences
        WHERE schemaname = :schema ORDER BY 1""",
    "functions": """
        SELECT proname, replace(pg_get_functiondef(oid), :schema, '') FROM pg_proc
        WHERE pronamespace = CAST(:schema AS regnamespace) ORDER BY 1""",
    "triggers": """
        SELECT tgname, replace(pg_get_triggerdef(t.oid), :schema, '') FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = CAST(:schema AS regnamespace) AND NOT tgisinternal ORDER BY 1""",
    "statistics": """
        SELECT stxname, replace(pg_get_statisticsobjdef(oid), :schema, '') FROM pg_statistic_ext
        WHERE stxnamespace = CAST(:schema AS regnamespace) ORDER BY 1""",
}  # fmt: skip


def catalogue(connection: Connection, schema: str) -> dict[str, list[Any]]:
    return {
        name: [tuple(row) for row in connection.execute(text(query), {"schema": schema})]
        for name, query in CATALOGUE.items()
    }


class TestFill:
    def test_gives_what_the_migrations_give(self, standing: House) -> None:
        script = Script()
        with owner_engine(standing.settings.database.owner_url).connect() as connection:
            for schema in (FIRST, BY_SCRIPT, BY_MIGRATIONS):
                make_schema(connection, schema)
            assert script.fill(connection, FIRST) == head(History.TENANT)
            assert script.fill(connection, BY_SCRIPT) == head(History.TENANT)
            upgrade(connection, Target(History.TENANT, BY_MIGRATIONS))
            made, expected = (catalogue(connection, schema) for schema in (BY_SCRIPT, BY_MIGRATIONS))
            for name, rows in expected.items():
                differing = [row for row in made[name] if row not in rows]
                assert not differing, f"{name}: {differing}, {[row for row in rows if row not in made[name]]}"
                assert made[name] == rows
            assert len(expected["columns"]) > 100
            assert len(expected["indexes"]) > 30
            assert catalogue(connection, FIRST) == expected
            assert drift(connection, Target(History.TENANT, BY_SCRIPT)) == []
            assert current(connection, Target(History.TENANT, BY_SCRIPT)) == head(History.TENANT)
            connection.rollback()

    def test_of_what_is_not_empty_is_the_migrations_affair(self, standing: House) -> None:
        schema = standing.tenants[HOA_SEN].schema
        with owner_engine(standing.settings.database.owner_url).connect() as connection:
            before = catalogue(connection, schema)
            assert Script().fill(connection, schema) == head(History.TENANT)
            assert catalogue(connection, schema) == before
            connection.rollback()

    def test_no_hospitals_schema_stands_in_it(self, standing: House) -> None:
        script = Script()
        with owner_engine(standing.settings.database.owner_url).connect() as connection:
            make_schema(connection, FIRST)
            script.fill(connection, FIRST)
            connection.rollback()
        assert FIRST not in str(script._said)
        assert "%%" not in str(script._said)

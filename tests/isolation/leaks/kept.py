"""What the database holds in the end, looked through from behind the curtain."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from emr.records.codec import unpack
from tests.isolation.leaks.hospitals import Hospitals


def misplaced(found: Hospitals) -> list[str]:
    """Rows of a hospital, in its own schema or under its name in the cell's, that hold another hospital's word."""
    wrong: list[str] = []
    with psycopg.connect(found.house.cluster.url(database="emr")) as curtain:
        for here in found.all:
            for place, text in _of_schema(curtain, here.tenant.schema):
                wrong += [f"{place}: {each}" for each in found.strangers_in(here, text)]
            for table in ("outbox", "audit_journal", "notices", "events", "subscribers"):
                query = sql.SQL("SELECT t::text FROM cell.{} t WHERE tenant = %s").format(sql.Identifier(table))
                for (row,) in curtain.execute(query, (here.tenant.schema,)):
                    wrong += [f"cell.{table}: {each}" for each in found.strangers_in(here, row.encode())]
    return wrong


def _of_schema(curtain: psycopg.Connection[tuple[str]], schema: str) -> Iterator[tuple[str, bytes]]:
    tables = curtain.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,)).fetchall()
    for (table,) in tables:
        place = sql.Identifier(schema, table)
        for (row,) in curtain.execute(sql.SQL("SELECT t::text FROM {} t").format(place)):
            yield f"{schema}.{table}", row.encode()
        if table in ("resources", "resource_versions"):
            for (body,) in curtain.execute(sql.SQL("SELECT body FROM {}").format(place)):
                yield f"{schema}.{table}", unpack(body)  # type: ignore[arg-type]  # bytes


@contextmanager
def forgotten_by_the_journal(found: Hospitals) -> Iterator[None]:
    """What is journalled meanwhile is deleted: who reads through a broken pool is journalled with another's ids."""
    ((last,),) = found.house.sql("SELECT coalesce(max(seq), 0) FROM cell.audit_journal")
    try:
        yield
    finally:
        found.house.sql("DELETE FROM cell.audit_journal WHERE seq > %s", last)


def backends(found: Hospitals) -> list[tuple[str, str]]:
    """State and last statement of the service's own backends that are not idle."""
    query = "SELECT state, query FROM pg_stat_activity WHERE usename = 'emr_app' AND state <> 'idle'"
    return [(state, text) for state, text in found.house.sql(query)]

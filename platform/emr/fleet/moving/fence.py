"""The fence around a hospital's tables in the cell that it leaves: nobody writes there any more, whatever they believe.

A process that has not heard of the move is told so by PostgreSQL itself. Rights are taken, then whoever was writing is
waited for; then the outbox is held, so that no relay sends what is about to go along.
"""

import time
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.errors import LockNotAvailable
from sqlalchemy import text

from emr.db import roles, seen
from emr.db.migrate import owner_engine
from emr.db.tables import tenant as tables
from emr.fleet.moving.pair import Own
from emr.kernel.errors import Conflict
from emr.work.loop import of_cell

RELAY: Final = "relay:warehouse"
"""The lease of the default cell's relay, as the worker names it."""
_PATIENCE: Final = 20.0
_PAUSE: Final = 0.2
_NO_WRITING: Final[LiteralString] = """
REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} FROM {schema}, {seen}, emr_archive
"""
_NO_READING: Final[LiteralString] = "REVOKE USAGE ON SCHEMA {schema}, {seen} FROM {schema}, {seen}, emr_archive"
_SHARED: Final[LiteralString] = "LOCK TABLE {tables} IN SHARE MODE"
_MARK: Final = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
_OVER: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s::xid8"
_LEASE: Final = "SELECT 1 FROM cell.jobs WHERE name = %s FOR UPDATE"
_CLAIMED: Final = "SELECT count(*) FROM cell.outbox WHERE tenant = %s AND batch > 0"
_HOLD: Final = "UPDATE cell.outbox SET batch = 0 WHERE tenant = %s AND batch IS NULL"  # 0: the number of no batch
_LET_GO: Final = text("UPDATE cell.outbox SET batch = NULL WHERE tenant = :schema AND batch = 0")


def close(source: Own, schema: str, cell: str) -> None:
    """From here on nothing of the hospital changes in this cell. Raises `Conflict` when a writer, or a batch on its way
    to the city, does not come to its end in time; `open_again` then has to be called.
    """
    _run(source, _NO_WRITING, schema)
    _wait_for_writers(source, schema)
    _hold(source, schema, of_cell(RELAY, cell))


def shut(source: Own, schema: str) -> None:
    """Nobody reads the hospital in this cell any more."""
    _run(source, _NO_READING, schema)


def open_again(url: str, schema: str) -> None:
    """Everything as it was before `close` and `shut`; `url`: the owner's address of the cell."""
    with owner_engine(url).begin() as connection:
        roles.grant_hospital(connection, schema)
        seen.establish(connection, schema)
        connection.execute(_LET_GO, {"schema": schema})


def _wait_for_writers(source: Own, schema: str) -> None:
    places = sql.SQL(", ").join(sql.Identifier(schema, name) for name in sorted(tables.metadata.tables))
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with source.transaction():
                source.execute(sql.SQL(_SHARED).format(tables=places))
            break
        except LockNotAvailable as error:
            if time.monotonic() > deadline:
                rule = "A change of this hospital does not come to its end; try again later."
                raise Conflict("writer-under-way", rule) from error
    # Who wrote in the cell's tables alone, and began before the rights were taken.
    [(mark,)] = source.execute(_MARK).fetchall()
    while not _one(source.execute(_OVER, (mark,))):
        if time.monotonic() > deadline:
            raise Conflict("writer-under-way", "A change in this cell does not come to its end; try again later.")
        time.sleep(_PAUSE)


def _hold(source: Own, schema: str, relay: str) -> None:
    """Rows that no batch has; a batch under way is waited for, since only its relay knows whether the city has it."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        with source.transaction():
            source.execute(_LEASE, (relay,))
            claimed = _one(source.execute(_CLAIMED, (schema,)))
            if not claimed:
                source.execute(_HOLD, (schema,))
                return
        if time.monotonic() > deadline:
            rule = f"{claimed} versions are in a batch that the city warehouse has not taken yet; try again later."
            raise Conflict("batch-under-way", rule)
        time.sleep(_PAUSE)


def _run(connection: Own, statement: LiteralString, schema: str) -> None:
    named = {"schema": sql.Identifier(schema), "seen": sql.Identifier(seen.seen_of(schema))}
    connection.execute(sql.SQL(statement).format(**named))


def _one(cursor: psycopg.Cursor[tuple[Any, ...]]) -> Any:
    row = cursor.fetchone()
    return row[0] if row else None

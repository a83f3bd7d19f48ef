"""Statements of the owner that name roles and schemas: constant text, with identifiers quoted by the driver."""

from collections.abc import Iterable, Mapping
from typing import LiteralString

import psycopg
from psycopg import sql
from sqlalchemy import Connection


def make_role(connection: Connection, role: str) -> None:
    """A NOLOGIN role, unless there is one."""
    cursor = driver(connection).execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    if cursor.fetchone() is None:
        run(connection, "CREATE ROLE {role} NOLOGIN", role=role)


def run(connection: Connection, statement: LiteralString, **names: str) -> None:
    """Run a statement with these names in it."""
    identifiers = {key: sql.Identifier(value) for key, value in names.items()}
    driver(connection).execute(sql.SQL(statement).format(**identifiers))


def run_all(connection: Connection, statements: Iterable[tuple[LiteralString, Mapping[str, str]]]) -> None:
    """Run statements one after the other in one exchange, each with its own names in it."""
    ready = [
        sql.SQL(statement).format(**{key: sql.Identifier(value) for key, value in names.items()})
        for statement, names in statements
    ]
    driver(connection).execute(sql.SQL(";").join(ready))


def driver(connection: Connection) -> psycopg.Connection[tuple[object, ...]]:
    """The driver's own connection."""
    own = connection.connection.driver_connection
    assert isinstance(own, psycopg.Connection)
    return own

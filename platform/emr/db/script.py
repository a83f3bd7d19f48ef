"""What the migrations say to an empty schema, as one script: the thousandth hospital gets its tables in one exchange.

The script is not written down anywhere. The first new hospital of a process is brought up by Alembic, every statement
that changes something is kept, and the next ones are told the same statements. They name no schema (the search path
does), so the tables are those of the migrations by construction; `tests/db` compares the catalogues.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from psycopg import sql
from sqlalchemy import Connection, event, text

from emr.db.migrate import History, Target, head, upgrade
from emr.db.owning import driver

_EMPTY: Final = text("SELECT to_regclass(quote_ident(:schema) || '.alembic_version') IS NULL")
_PATH: Final = text("SELECT set_config('search_path', :schema, true)")
_READS: Final = ("select", "show")


class Script:
    """The statements of one history, kept after the first time; any thread may ask."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._said: str | None = None

    def fill(self, connection: Connection, schema: str) -> str:
        """Bring an empty schema to the newest revision, in the caller's transaction; gives that revision.

        A schema that is not empty is brought up by the migrations, as ever.
        """
        if not connection.scalar(_EMPTY, {"schema": schema}):
            return upgrade(connection, Target(History.TENANT, schema))
        with self._turn:
            if self._said is None:
                revision, self._said = _recorded(connection, schema)
                return revision
        connection.execute(_PATH, {"schema": schema})
        driver(connection).execute(sql.SQL(self._said))  # what the migrations said themselves
        return head(History.TENANT)


def _recorded(connection: Connection, schema: str) -> tuple[str, str]:
    statements: list[str] = []
    with _listening(connection, statements):
        revision = upgrade(connection, Target(History.TENANT, schema))
    if any(schema in statement for statement in statements):
        raise RuntimeError("a migration names the schema that it works in; what it says fits no other hospital")
    return revision, ";\n".join(statements)


@contextmanager
def _listening(connection: Connection, statements: list[str]) -> Iterator[None]:
    def kept(*said: Any) -> None:
        statement, parameters = said[2], said[3]
        if statement.lstrip().lower().startswith(_READS):
            return
        if parameters:
            raise RuntimeError("a migration has parameters beside its words; they would be lost")
        # With parameters, even none, a driver reads %% as %; a script has no parameters.
        statements.append(statement.replace("%%", "%"))

    event.listen(connection, "before_cursor_execute", kept)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", kept)

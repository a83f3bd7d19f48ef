"""Move a schema to the newest revision of its history; the same way for the first hospital and the three hundredth.

Runs as `emr_owner` over the direct address, each schema under its own advisory lock and in its own transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Final

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, create_engine, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.pool import NullPool

from emr.db.tables import cell, directory, tenant

_HERE: Final = Path(__file__).parent / "migrations"


class History(Enum):
    """One family of tables and the scripts that make it."""

    DIRECTORY = "directory"
    CELL = "cell"
    TENANT = "tenant"

    @property
    def metadata(self) -> MetaData:
        """The tables that the newest revision must give."""
        families: dict[str, MetaData] = {
            "directory": directory.metadata,
            "cell": cell.metadata,
            "tenant": tenant.metadata,
        }
        return families[self.value]


@dataclass(frozen=True, slots=True)
class Target:
    """A history and the schema that it is applied to; the same name for directory and cell."""

    history: History
    schema: str


def owner_engine(url: str) -> Engine:
    """An engine for `emr_owner`; connections are not kept, and none waits for a lock longer than 4 s."""
    return create_engine(
        owner_address(url),
        poolclass=NullPool,
        connect_args={"options": "-c lock_timeout=4s"},
    )


def owner_address(url: str) -> str:
    """The owner's URL, as SQLAlchemy wants it."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def head(history: History) -> str:
    """The newest revision of a history."""
    revision = _scripts(history).get_current_head()
    if revision is None:
        raise RuntimeError(f"the history {history.value} has no revision")
    return revision


def served_from(history: History) -> str:
    """The oldest build, by the newest revision that it knows, which serves a schema at the newest revision of this one.

    A script that only adds what older builds do not see names it in `served_from`; else it is a build of its own kind.
    """
    newest = head(history)
    return str(getattr(_scripts(history).get_revision(newest).module, "served_from", newest))


def current(connection: Connection, target: Target) -> str | None:
    """The revision that a schema stands at, or None before its first."""
    return _context(connection, target).get_current_revision()


def upgrade(connection: Connection, target: Target) -> str:
    """Bring a schema to its newest revision inside the caller's transaction and return that revision.

    Waits at most 4 s for any lock, so that a long query cannot make the hospital queue behind a migration.
    """
    connection.execute(text("SET LOCAL lock_timeout = '4s'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:schema, 0))"), {"schema": target.schema})
    connection.execute(text("SELECT set_config('search_path', :schema, true)"), {"schema": target.schema})
    scripts = _scripts(target.history)
    context = _context(connection, target, {"fn": lambda stands, _: scripts._upgrade_revs("head", stands)})  # noqa: SLF001 - what `alembic upgrade` itself calls
    with Operations.context(context):
        context.run_migrations()
    return head(target.history)


def drift(connection: Connection, target: Target) -> list[object]:
    """What autogenerate would change: empty when schema and tables agree."""
    return list(compare_metadata(_context(connection, target), target.history.metadata))


def _context(connection: Connection, target: Target, more: Mapping[str, Any] | None = None) -> MigrationContext:
    family = target.history.metadata.schema
    ischema_names.setdefault("xid8", tenant.Xid8)
    connection.execute(text("SELECT set_config('search_path', :schema, true)"), {"schema": target.schema})
    if family is None:
        connection.dialect.default_schema_name = target.schema
    return MigrationContext.configure(
        connection,
        opts={
            "version_table_schema": family,
            "include_schemas": family is not None,
            "include_name": lambda name, kind, _: kind != "schema" or name == family,
            "target_metadata": target.history.metadata,
            **(more or {}),
        },
    )


@cache
def _scripts(history: History) -> ScriptDirectory:
    """The scripts of a history, read once in a process: reading them anew takes longer than most of them run."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("version_locations", str(_HERE / history.value))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)

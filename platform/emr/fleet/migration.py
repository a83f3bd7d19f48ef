"""`emr migrate`: directory, cells, then every hospital whose revision differs, each in its own transaction."""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from typing import Final
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from emr.db import roles, seen
from emr.db.migrate import History, Target, current, head, owner_engine, upgrade
from emr.settings import Database

_PARALLEL: Final = 4
_WORTH_PROCESSES: Final = 5
_STALE: Final = text("SELECT schema, slug FROM directory.tenants WHERE revision <> :head ORDER BY slug")
_STAND: Final = text("UPDATE directory.tenants SET revision = :revision, updated_at = now() WHERE schema = :schema")
_STATUS: Final = text(
    "INSERT INTO cell.migrations_status (schema, revision, error) VALUES (:schema, :revision, :error)"
    " ON CONFLICT (schema) DO UPDATE SET revision = excluded.revision, error = excluded.error, migrated_at = now()"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One schema's way: from a revision (None: it does not exist yet) to the newest; `error` when it failed."""

    target: str
    history: str
    revision_from: str | None
    revision_to: str
    error: str | None = None


def plan(settings: Database) -> list[Step]:
    """What `migrate` would do, without doing it."""
    engine = owner_engine(settings.owner_url)
    steps: list[Step] = []
    with engine.connect() as connection:
        for history in (History.DIRECTORY, History.CELL):
            stands = _stands(connection, Target(history, history.value))
            if stands != head(history):
                steps.append(Step(history.value, history.value, stands, head(history)))
        if _exists(connection, "directory"):
            rows = connection.execute(_STALE, {"head": head(History.TENANT)}).all()
            for schema, slug in rows:
                stands = _stands(connection, Target(History.TENANT, schema))
                steps.append(Step(slug, History.TENANT.value, stands, head(History.TENANT)))
    return steps


def migrate(settings: Database) -> list[Step]:
    """Do it, going on past a failure, and tell what happened to each schema that had to move."""
    engine = owner_engine(settings.owner_url)
    login = login_of(settings)
    steps = [*_shared(engine, login, History.DIRECTORY), *_shared(engine, login, History.CELL)]
    if any(step.error for step in steps):
        return steps
    with engine.connect() as connection:
        stale = connection.execute(_STALE, {"head": head(History.TENANT)}).all()
    return steps + _hospitals(settings.owner_url, [(row[0], row[1]) for row in stale])


def login_of(settings: Database) -> str:
    """The role that the service signs in with."""
    return urlsplit(settings.url).username or ""


def migrate_hospital(connection: Connection, schema: str) -> str:
    """Bring one hospital's schema to the newest revision inside the caller's transaction."""
    seen.remove(connection, schema)
    revision = upgrade(connection, Target(History.TENANT, schema))
    roles.grant_hospital(connection, schema)
    seen.establish(connection, schema)
    connection.execute(_STAND, {"revision": revision, "schema": schema})
    connection.execute(_STATUS, {"schema": schema, "revision": revision, "error": None})
    return revision


def _shared(engine: Engine, login: str, history: History) -> Sequence[Step]:
    target = Target(history, history.value)
    with engine.connect() as connection:
        stands = _stands(connection, target)
    if stands == head(history):
        return ()
    try:
        with engine.begin() as connection:
            roles.make_platform_roles(connection, login)
            roles.make_schema(connection, target.schema)
            upgrade(connection, target)
            {History.DIRECTORY: roles.grant_directory, History.CELL: roles.grant_cell}[history](connection)
    except (SQLAlchemyError, psycopg.Error) as error:
        return (Step(history.value, history.value, stands, head(history), reason_of(error)),)
    return (Step(history.value, history.value, stands, head(history)),)


def _hospitals(url: str, stale: Sequence[tuple[str, str]]) -> list[Step]:
    """In processes and not in threads: Alembic keeps the migration that runs in a global variable."""
    if len(stale) < _WORTH_PROCESSES:
        return [_hospital(url, schema, slug) for schema, slug in stale]
    schemas, slugs = zip(*stale, strict=True)
    with ProcessPoolExecutor(_PARALLEL, mp_context=get_context("spawn")) as processes:
        return list(processes.map(_hospital, repeat(url), schemas, slugs, chunksize=4))


def _hospital(url: str, schema: str, slug: str) -> Step:
    engine = owner_engine(url)
    before: str | None = None
    try:
        with engine.begin() as connection:
            before = current(connection, Target(History.TENANT, schema))
            after = migrate_hospital(connection, schema)
    except (SQLAlchemyError, psycopg.Error) as error:
        with contextlib.suppress(SQLAlchemyError), engine.begin() as connection:
            connection.execute(_STATUS, {"schema": schema, "revision": before or "", "error": reason_of(error)})
        return Step(slug, History.TENANT.value, before, head(History.TENANT), reason_of(error))
    return Step(slug, History.TENANT.value, before, after)


def _stands(connection: Connection, target: Target) -> str | None:
    return current(connection, target) if _exists(connection, target.schema) else None


def _exists(connection: Connection, schema: str) -> bool:
    return bool(connection.scalar(text("SELECT to_regnamespace(:schema) IS NOT NULL"), {"schema": schema}))


def reason_of(error: Exception) -> str:
    """The first line of what the database said."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).strip().splitlines()[0]


def steps_of(steps: Sequence[Step]) -> Iterator[dict[str, str | None]]:
    """Rows for a table or for JSON."""
    for step in steps:
        yield {
            "target": step.target,
            "history": step.history,
            "from": step.revision_from,
            "to": step.revision_to,
            "error": step.error,
        }

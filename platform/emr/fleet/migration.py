"""`emr migrate`: directory, cells, then every hospital whose revision differs, each in its own transaction."""

from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from emr.db import roles
from emr.db.migrate import History, Target, current, head, owner_engine, upgrade
from emr.fleet.campaign import Hospital, Rules, Step, Told, move_all, reason_of
from emr.settings import Database

_STALE: Final = text("SELECT schema, slug, revision FROM directory.tenants WHERE revision <> :head ORDER BY slug")


def plan(settings: Database) -> list[Step]:
    """What `migrate` would do, without doing it. Where a hospital stands is what the directory says."""
    steps: list[Step] = []
    with owner_engine(settings.owner_url).connect() as connection:
        for history in (History.DIRECTORY, History.CELL):
            stands = _stands(connection, Target(history, history.value))
            if stands != head(history):
                steps.append(Step(history.value, history.value, stands, head(history), outcome="planned"))
        if _exists(connection, "directory"):
            newest = head(History.TENANT)
            steps += [
                Step(row.slug, History.TENANT.value, row.revision or None, newest, outcome="planned")
                for row in connection.execute(_STALE, {"head": newest})
            ]
    return steps


def migrate(settings: Database, rules: Rules | None = None, told: Told = lambda _: None) -> list[Step]:
    """Do it, going on past a failure as far as the rules let, and tell what became of each schema that had to move.

    Raises `Invalid` for a canary that is not behind.
    """
    engine = owner_engine(settings.owner_url)
    login = login_of(settings)
    steps = [*_shared(engine, login, History.DIRECTORY), *_shared(engine, login, History.CELL)]
    if any(step.error for step in steps):
        return steps
    with engine.connect() as connection:
        stale = connection.execute(_STALE, {"head": head(History.TENANT)}).all()
    behind = [Hospital(row.schema, row.slug) for row in stale]
    return steps + move_all(settings.owner_url, behind, rules or Rules(), told)


def login_of(settings: Database) -> str:
    """The role that the service signs in with."""
    return urlsplit(settings.url).username or ""


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
        return (Step(history.value, history.value, stands, head(history), reason_of(error), "failed"),)
    return (Step(history.value, history.value, stands, head(history)),)


def _stands(connection: Connection, target: Target) -> str | None:
    return current(connection, target) if _exists(connection, target.schema) else None


def _exists(connection: Connection, schema: str) -> bool:
    return bool(connection.scalar(text("SELECT to_regnamespace(:schema) IS NOT NULL"), {"schema": schema}))


def steps_of(steps: Sequence[Step]) -> Iterator[dict[str, Any]]:
    """Rows for a table or for JSON."""
    for step in steps:
        yield {
            "target": step.target,
            "history": step.history,
            "from": step.revision_from,
            "to": step.revision_to,
            "outcome": step.outcome,
            "seconds": round(step.seconds, 3),
            "attempts": step.attempts,
            "error": step.error,
        }

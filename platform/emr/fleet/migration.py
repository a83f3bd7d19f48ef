"""`emr migrate`: directory, cells, then every hospital whose revision differs, each in its own transaction."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from emr.db import roles
from emr.db.cells import DEFAULT_CELL, login_urls, owner_urls
from emr.db.migrate import History, Target, current, head, owner_engine, upgrade
from emr.fleet.campaign import Hospital, Rules, Step, Told, move_all, reason_of
from emr.settings import Database

_STALE: Final = text("SELECT schema, slug, cell, revision FROM directory.tenants WHERE revision < :head ORDER BY slug")


def plan(settings: Database) -> list[Step]:
    """What `migrate` would do, without doing it. Where a hospital stands is what the directory says.

    Raises `Invalid` for a cell that has only one of its two addresses.
    """
    shared = [(History.DIRECTORY, History.DIRECTORY.value, settings.owner_url)]
    shared += [(History.CELL, _named(cell), url) for cell, url in owner_urls(settings).items()]
    steps: list[Step] = []
    for history, name, url in shared:
        with owner_engine(url).connect() as connection:
            stands = _stands(connection, Target(history, history.value))
        if _is_behind(stands, history):
            steps.append(Step(name, history.value, stands, head(history), outcome="planned"))
    with owner_engine(settings.owner_url).connect() as connection:
        if _exists(connection, "directory"):
            newest = head(History.TENANT)
            steps += [
                Step(row.slug, History.TENANT.value, row.revision or None, newest, outcome="planned")
                for row in connection.execute(_STALE, {"head": newest})
            ]
    return steps


def migrate(settings: Database, rules: Rules | None = None, told: Told = lambda _: None) -> list[Step]:
    """Do it, going on past a failure as far as the rules let, and tell what became of each schema that had to move.

    A cell that fails, or does not answer, keeps its own hospitals where they are, and nobody else's. Raises `Invalid`
    for a canary that is not behind, and for a cell that has only one of its two addresses.
    """
    login = login_of(settings.url)
    steps = [*_shared(settings.owner_url, login, History.DIRECTORY, History.DIRECTORY.value)]
    if any(step.error for step in steps):
        return steps
    broken: set[str] = set()
    for cell, url in owner_urls(settings).items():
        moved = _shared(url, login_of(login_urls(settings)[cell]), History.CELL, _named(cell))
        steps += moved
        broken |= {cell for step in moved if step.error}
    behind, left = _behind(settings, broken)
    return steps + left + move_all(settings.owner_url, behind, rules or Rules(), told)


def login_of(url: str) -> str:
    """The role that the service signs in with at this address."""
    return urlsplit(url).username or ""


def cell_stands(url: str) -> str | None:
    """The revision of a cell's own tables at this address of the owner's; None before its first migration."""
    with owner_engine(url).connect() as connection:
        return _stands(connection, Target(History.CELL, History.CELL.value))


def _behind(settings: Database, broken: set[str]) -> tuple[list[Hospital], list[Step]]:
    """Who is behind; and of those whose cell is broken, or not configured, that nothing was begun with them."""
    newest, urls = head(History.TENANT), owner_urls(settings)
    with owner_engine(settings.owner_url).connect() as connection:
        stale = connection.execute(_STALE, {"head": newest}).all()
    reached = urls.keys() - broken
    behind = [Hospital(row.schema, row.slug, urls[row.cell]) for row in stale if row.cell in reached]
    left = [
        Step(row.slug, History.TENANT.value, row.revision or None, newest, outcome="not begun")
        for row in stale
        if row.cell not in reached
    ]
    return behind, left


def _named(cell: str) -> str:
    """What a step of a cell is called."""
    return History.CELL.value if cell == DEFAULT_CELL else f"{History.CELL.value} {cell}"


_GRANTS: Final[Mapping[History, Any]] = {
    History.DIRECTORY: roles.grant_directory,
    History.CELL: roles.grant_cell,
}


def _shared(url: str, login: str, history: History, name: str) -> Sequence[Step]:
    target, engine = Target(history, history.value), owner_engine(url)
    stands: str | None = None
    try:
        with engine.connect() as connection:
            stands = _stands(connection, target)
        if not _is_behind(stands, history):
            return ()
        with engine.begin() as connection:
            roles.make_platform_roles(connection, login)
            roles.make_schema(connection, target.schema)
            upgrade(connection, target)
            _GRANTS[history](connection)
    except (SQLAlchemyError, psycopg.Error) as error:
        return (Step(name, history.value, stands, head(history), reason_of(error), "failed"),)
    return (Step(name, history.value, stands, head(history)),)


def _stands(connection: Connection, target: Target) -> str | None:
    return current(connection, target) if _exists(connection, target.schema) else None


def _is_behind(stands: str | None, history: History) -> bool:
    """Whether there is something to do: what a newer build has brought further is left as it is."""
    return stands is None or stands < head(history)


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

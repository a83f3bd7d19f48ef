"""Many hospitals brought to the newest revision: side by side, canaries first, tried again, stopped when too many fail.

Each hospital moves in its own transaction under its own advisory lock, so a run that is cut off is gone on with by the
next one, and two at a time harm nobody. In processes and not in threads: Alembic keeps the migration that runs in a
global variable.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from typing import Final, Literal

import psycopg
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from emr.db import roles, seen
from emr.db.migrate import History, Target, current, head, owner_address, served_from, upgrade
from emr.db.script import Script
from emr.kernel.errors import Invalid

_STAND: Final = text("""
UPDATE directory.tenants SET revision = :revision, served_from = :served_from, updated_at = now() WHERE schema = :schema
""")
_STATUS: Final = text("""
INSERT INTO cell.migrations_status (schema, revision, revision_from, error, attempts, seconds)
VALUES (:schema, :revision, :before, :error, :attempts, :seconds)
ON CONFLICT (schema) DO UPDATE SET revision = excluded.revision, revision_from = excluded.revision_from,
  error = excluded.error, attempts = excluded.attempts, seconds = excluded.seconds, migrated_at = now()
""")
_WORTH_PROCESSES: Final = 5
_FEWEST: Final = 5
"""So many failures at least are needed before their share stops a run."""
_RECYCLE_SECONDS: Final = 20
"""A backend that has seen many schemas never gives the memory back: a connection is used so long and not longer."""

_SCRIPT: Final = Script()

Outcome = Literal["moved", "failed", "not begun", "planned"]


@dataclass(frozen=True, slots=True)
class Step:
    """One schema's way: from a revision (None: it does not exist yet) to the newest; `error` when it failed."""

    target: str
    history: str
    revision_from: str | None
    revision_to: str
    error: str | None = None
    outcome: Outcome = "moved"
    seconds: float = 0.0
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Rules:
    """How hospitals are moved. canaries: slugs that go first; when one fails, nobody else is begun. parallel: so many
    at a time. attempts: of a hospital that another one's lock held up. stop_at: the share of failures, of those that
    were tried, at which nothing more is begun.
    """

    canaries: tuple[str, ...] = ()
    parallel: int = 4
    attempts: int = 3
    stop_at: float = 0.1


@dataclass(frozen=True, slots=True)
class Hospital:
    """One that is behind: its schema, its slug, the owner's address of its cell, and how often it was tried."""

    schema: str
    slug: str
    url: str
    tried: int = 0


Told = Callable[[Step], None]


def move_all(url: str, behind: Sequence[Hospital], rules: Rules, told: Told = lambda _: None) -> list[Step]:
    """Move them and tell of each. Raises `Invalid` for a canary that is not behind or not there."""
    canaries = [each for each in behind if each.slug in rules.canaries]
    missing = sorted(set(rules.canaries) - {each.slug for each in canaries})
    if missing:
        raise Invalid("canary-unknown", f"Not a hospital that is behind: {', '.join(missing)}.", location="canary")
    others = [each for each in behind if each.slug not in rules.canaries]
    run = _Run(url, rules, told)
    run.go(canaries)
    if any(step.error for step in run.steps):
        run.leave(others)
    else:
        run.go(others)
    return run.steps


def migrate_hospital(connection: Connection, schema: str) -> str:
    """Bring one hospital's schema to the newest revision inside the caller's transaction in its cell.

    The directory has to hear of it by `stand`.
    """
    began = time.monotonic()
    before = current(connection, Target(History.TENANT, schema))
    seen.remove(connection, schema)
    revision = upgrade(connection, Target(History.TENANT, schema))
    roles.grant_hospital(connection, schema)
    seen.establish(connection, schema)
    _note(connection, schema, revision, before=before, seconds=time.monotonic() - began)
    return revision


def fill_hospital(connection: Connection, schema: str) -> str:
    """Give a new hospital's empty schema its tables, rights and views inside the caller's transaction in its cell."""
    began = time.monotonic()
    revision = _SCRIPT.fill(connection, schema)
    roles.grant_hospital(connection, schema)
    seen.establish(connection, schema)
    _note(connection, schema, revision, seconds=time.monotonic() - began)
    return revision


def stand(directory: Connection, schema: str, revision: str) -> None:
    """Write down in the directory at which revision a hospital's schema stands, and which builds serve it there."""
    facts = {"revision": revision, "served_from": served_from(History.TENANT), "schema": schema}
    directory.execute(_STAND, facts)


class _Run:
    """A run over hospitals of any cell; `url`: the owner's address of the directory."""

    def __init__(self, url: str, rules: Rules, told: Told) -> None:
        self._url, self._rules, self._told = url, rules, told
        self.steps: list[Step] = []
        self._failed = 0

    def go(self, hospitals: Sequence[Hospital]) -> None:
        """Side by side where that is worth the processes."""
        waiting = deque(hospitals)
        if len(hospitals) < _WORTH_PROCESSES or self._rules.parallel == 1:
            while waiting and not self._broken():
                self._take(_move(self._url, waiting.popleft()), waiting)
            for url in {self._url, *(each.url for each in hospitals)}:
                _engine(url).dispose()
        else:
            self._side_by_side(waiting)
        self.leave(waiting)

    def leave(self, hospitals: Sequence[Hospital] | deque[Hospital]) -> None:
        """Tell of those that nothing was begun with."""
        for each in hospitals:
            step = Step(each.slug, History.TENANT.value, None, head(History.TENANT), outcome="not begun")
            self.steps.append(step)
            self._told(step)

    def _side_by_side(self, waiting: deque[Hospital]) -> None:
        with ProcessPoolExecutor(self._rules.parallel, mp_context=get_context("spawn")) as processes:
            flying: set[Future[_Moved]] = set()
            while flying or (waiting and not self._broken()):
                while waiting and len(flying) < 2 * self._rules.parallel and not self._broken():
                    flying.add(processes.submit(_move, self._url, waiting.popleft()))
                done, flying = wait(flying, return_when=FIRST_COMPLETED)
                for each in done:
                    self._take(each.result(), waiting)

    def _take(self, moved: "_Moved", waiting: deque[Hospital]) -> None:
        """Keep the result; who was only held up by a lock goes to the end of the queue."""
        if moved.held_up and moved.hospital.tried < self._rules.attempts:
            waiting.append(moved.hospital)
            return
        self._failed += moved.step.error is not None
        self.steps.append(moved.step)
        self._told(moved.step)

    def _broken(self) -> bool:
        return self._failed >= _FEWEST and self._failed > self._rules.stop_at * len(self.steps)


@dataclass(frozen=True, slots=True)
class _Moved:
    hospital: Hospital
    step: Step
    held_up: bool = False


def _move(url: str, hospital: Hospital) -> _Moved:
    """One attempt at one hospital; `url`: the owner's address of the directory."""
    tried, began = replace(hospital, tried=hospital.tried + 1), time.monotonic()
    before: str | None = None
    try:
        with _both(url, hospital.url) as (directory, connection):
            before = current(connection, Target(History.TENANT, hospital.schema))
            after = migrate_hospital(connection, hospital.schema)
            stand(directory, hospital.schema, after)
    except (SQLAlchemyError, psycopg.Error) as error:
        reason, seconds = reason_of(error), time.monotonic() - began
        with contextlib.suppress(SQLAlchemyError), _engine(hospital.url).begin() as connection:
            _note(connection, hospital.schema, before or "", error=reason, attempts=tried.tried, seconds=seconds)
        step = Step(
            hospital.slug, History.TENANT.value, before, head(History.TENANT), reason, "failed", seconds, tried.tried
        )
        return _Moved(tried, step, held_up=is_lock(error))
    seconds = time.monotonic() - began
    step = Step(hospital.slug, History.TENANT.value, before, after, seconds=seconds, attempts=tried.tried)
    return _Moved(tried, step)


@contextlib.contextmanager
def _both(url: str, cell: str) -> Iterator[tuple[Connection, Connection]]:
    """Transactions in the directory and in a cell. The cell's commits first: whom the directory takes for one that is
    behind although it is not, the next run moves by doing nothing.
    """
    with _engine(url).begin() as directory:
        if cell == url:
            yield directory, directory
            return
        with _engine(cell).begin() as connection:
            yield directory, connection


def _note(connection: Connection, schema: str, revision: str, **more: object) -> None:
    facts = {"before": "", "error": None, "attempts": 1} | more
    connection.execute(_STATUS, {"schema": schema, "revision": revision} | facts | {"before": facts["before"] or ""})


@cache
def _engine(url: str) -> Engine:
    """One connection for each process and database, made anew now and then."""
    return create_engine(
        owner_address(url),
        pool_size=1,
        max_overflow=0,
        pool_recycle=_RECYCLE_SECONDS,
        connect_args={"options": "-c lock_timeout=4s"},
    )


def is_lock(error: Exception) -> bool:
    """Whether somebody else's lock was in the way."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected)


def reason_of(error: Exception) -> str:
    """The first line of what the database said."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).strip().splitlines()[0]

"""`emr tenants requests`: what was asked for in pages, done by the login that may do it, one after the other.

Each request is taken by one process, under a lock that ends with it: one that was cut off is found running with nobody
at it, and is begun again. All that it does is safe to repeat.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Engine, text

from emr.db.migrate import owner_engine
from emr.fleet.sandbox.resetting import reset
from emr.kernel.errors import Refusal
from emr.settings import Database, Settings
from emr.work.runtime import Runtime, runtime

_NEXT: Final = text("""
SELECT id, kind, slug, detail, asked_by_name FROM directory.fleet_requests
WHERE state IN ('waiting', 'running') AND id <> ALL (CAST(:done AS text[])) ORDER BY asked_at, id
""")
_LOCK: Final = text("SELECT pg_try_advisory_lock(hashtextextended('fleet request ' || :id, 0))")
_UNLOCK: Final = text("SELECT pg_advisory_unlock(hashtextextended('fleet request ' || :id, 0))")
_STILL: Final = text("SELECT state IN ('waiting', 'running') FROM directory.fleet_requests WHERE id = :id")
_TELL: Final = text("""
UPDATE directory.fleet_requests SET state = :state, progress = CAST(:progress AS jsonb), changed_at = now()
WHERE id = :id
""")
Progress = Callable[[Mapping[str, Any]], None]
Act = Callable[[Any, Progress], None]
"""Does one request (id, kind, slug, detail, asked_by_name), and tells how far it is."""


def carry_out(settings: Database, acts: Mapping[str, Act]) -> list[dict[str, Any]]:
    """Everything that waits, by the acts of each kind; what became of each."""
    engine, seen, outcomes = owner_engine(settings.owner_url), list[str](), list[dict[str, Any]]()
    while True:
        with engine.connect() as connection:
            rows = connection.execute(_NEXT, {"done": seen}).all()
        if not rows:
            return outcomes
        row = rows[0]
        seen.append(row.id)
        with _taken(engine, row.id) as ours:
            if ours:
                outcomes.append(_do(engine, row, acts))


def acts_of(settings: Settings) -> Mapping[str, Act]:
    """What each kind of request is."""

    def reset_sandbox(row: Any, told: Progress) -> None:
        told({"step": "sandbox"})
        asyncio.run(_with_parts(settings, lambda parts: reset(parts, row.slug, row.asked_by_name, _counting(told))))

    return {"reset-sandbox": reset_sandbox}


def _counting(told: Progress) -> Callable[[int, int], None]:
    return lambda done, of: told({"step": "sandbox", "done": done, "total": of})


async def _with_parts(settings: Settings, act: Callable[[Runtime], Awaitable[object]]) -> None:
    parts = runtime(settings)
    await parts.open()
    try:
        await act(parts)
    finally:
        await parts.close()


def _do(engine: Engine, row: Any, acts: Mapping[str, Act]) -> dict[str, Any]:
    def told(progress: Mapping[str, Any]) -> None:
        _tell(engine, row.id, "running", progress)

    told({})
    try:
        acts[row.kind](row, told)
    except Refusal as refusal:
        progress = {"error": "; ".join(each.message for each in refusal.issues), "code": refusal.code}
        _tell(engine, row.id, "failed", progress)
        return {"request": row.kind, "hospital": row.slug, "state": "failed", "error": progress["error"]}
    _tell(engine, row.id, "done", {})
    return {"request": row.kind, "hospital": row.slug, "state": "done", "error": ""}


@contextmanager
def _taken(engine: Engine, key: str) -> Iterator[bool]:
    """Whether the request is ours until the end; a process that dies lets go of it with its connection."""
    with engine.connect() as connection:
        ours = bool(connection.scalar(_LOCK, {"id": key})) and bool(connection.scalar(_STILL, {"id": key}))
        connection.commit()
        try:
            yield ours
        finally:
            connection.execute(_UNLOCK, {"id": key})
            connection.commit()


def _tell(engine: Engine, key: str, state: str, progress: Mapping[str, Any]) -> None:
    with engine.begin() as connection:
        connection.execute(_TELL, {"id": key, "state": state, "progress": json.dumps(progress)})

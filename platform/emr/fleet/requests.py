"""`emr tenants requests`: what was asked for in pages, done by the login that may do it, one after the other.

Each request is taken by one process, under a lock that ends with it: one that was cut off is found running with nobody
at it, and is begun again. All that it does is safe to repeat. What takes a second person waits for one, or is put away.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import Engine, text

from emr.db.migrate import owner_engine
from emr.fleet.applying import Manner, Stepped, apply_one
from emr.fleet.files import definition_of
from emr.fleet.joining_steps import STEPS
from emr.fleet.organizations import organizations_of
from emr.fleet.rewind.asked import bring_asked
from emr.fleet.sandbox.resetting import reset
from emr.kernel.errors import Conflict, Invalid, Issue, Refusal, Unavailable
from emr.settings import Database, Settings
from emr.tenancy.definition import HospitalFile
from emr.tenancy.requests import LIFETIME
from emr.work.runtime import Runtime, runtime

R = TypeVar("R")
_NEXT: Final = text("""
SELECT id, kind, slug, detail, asked_by, asked_by_name, second, decided_by, decided_by_name, outcome
  FROM directory.fleet_requests
 WHERE state IN ('waiting', 'running') AND id <> ALL (CAST(:done AS text[]))
   AND (NOT second OR outcome IS NOT NULL OR asked_at <= now() - CAST(:lifetime AS interval))
 ORDER BY asked_at, id
""")
_LOCK: Final = text("SELECT pg_try_advisory_lock(hashtextextended('fleet request ' || :id, 0))")
_UNLOCK: Final = text("SELECT pg_advisory_unlock(hashtextextended('fleet request ' || :id, 0))")
_STILL: Final = text("SELECT state IN ('waiting', 'running') FROM directory.fleet_requests WHERE id = :id")
_TELL: Final = text("""
UPDATE directory.fleet_requests SET state = :state, progress = CAST(:progress AS jsonb), changed_at = now()
WHERE id = :id
""")
Progress = Callable[[Mapping[str, Any]], None]
Act = Callable[[Any, Progress], Mapping[str, Any]]
"""Does one request (a row of `_NEXT`), tells how far it is, and gives what came of it."""
_AT_THE_PROVIDER: Final = ("organization", "administrator")


def carry_out(settings: Database, acts: Mapping[str, Act]) -> list[dict[str, Any]]:
    """Everything that waits, by the acts of each kind; what became of each."""
    engine, seen, outcomes = owner_engine(settings.owner_url), list[str](), list[dict[str, Any]]()
    while True:
        with engine.connect() as connection:
            rows = connection.execute(_NEXT, {"done": seen, "lifetime": LIFETIME}).all()
        if not rows:
            return outcomes
        row = rows[0]
        seen.append(row.id)
        with _taken(engine, row.id) as ours:
            if ours:
                outcomes.append(_do(engine, row, acts))


def acts_of(settings: Settings) -> Mapping[str, Act]:
    """What each kind of request is."""

    def reset_sandbox(row: Any, told: Progress) -> Mapping[str, Any]:
        told({"step": "sandbox"})
        asyncio.run(_with_parts(settings, lambda parts: reset(parts, row.slug, row.asked_by_name, _counting(told))))
        return {}

    def bring_back(row: Any, told: Progress) -> Mapping[str, Any]:
        return asyncio.run(_with_parts(settings, lambda parts: bring_asked(parts, row, told)))

    def onboard(row: Any, told: Progress) -> Mapping[str, Any]:
        hospital = definition_of(row.detail)
        if hospital.slug != row.slug:
            raise Invalid("hospital-file", f"is not {row.slug}", location="slug")
        steps = _steps(settings, hospital)
        manner = Manner(1, stepped=_following(steps, told), again="ask again on its page; it goes on from here")
        outcomes = apply_one(settings, organizations_of(settings), hospital, manner)
        after = "; ".join(each.after for each in outcomes if each.after)
        errors = "; ".join(each.error for each in outcomes if each.error).replace(".;", ";").removesuffix(".")
        if errors:
            raise Unavailable("hospital-not-finished", f"{errors}. {after}".strip())
        return {"steps": steps, "next": after}

    return {"onboard": onboard, "reset-sandbox": reset_sandbox, "bring-back": bring_back}


def _steps(settings: Settings, hospital: HospitalFile) -> dict[str, str]:
    """The steps that a hospital takes: done, unless it turns out that they are not, or left out where there is no
    identity provider that is administered.
    """
    away = () if settings.identity.admin_url else _AT_THE_PROVIDER
    return {
        name: "left-out" if name in away else "done" for name, step in STEPS.items() if step.of_new(hospital)
    }  # fmt: skip


def _following(steps: dict[str, str], told: Progress) -> Stepped:
    def stepped(name: str, state: str) -> None:
        if steps.get(name) != "left-out":
            steps[name] = state
            told({"steps": steps})

    return stepped


def _counting(told: Progress) -> Callable[[int, int], None]:
    return lambda done, of: told({"step": "sandbox", "done": done, "total": of})


async def _with_parts(settings: Settings, act: Callable[[Runtime], Awaitable[R]]) -> R:
    parts = runtime(settings)
    await parts.open()
    try:
        return await act(parts)
    finally:
        await parts.close()


def _do(engine: Engine, row: Any, acts: Mapping[str, Act]) -> dict[str, Any]:
    last: Mapping[str, Any] = {}

    def told(progress: Mapping[str, Any]) -> None:
        nonlocal last
        last = progress
        _tell(engine, row.id, "running", progress)

    told({})
    try:
        _demand_second(row)
        if row.kind not in acts:
            raise Invalid("request-kind", f"Nobody here knows how to do {row.kind}.")
        came = acts[row.kind](row, told)
    except Refusal as refusal:
        error = "; ".join(_named(each) for each in refusal.issues)
        _tell(engine, row.id, "failed", {**last, "error": error, "code": refusal.code})
        return {"request": row.kind, "hospital": row.slug, "state": "failed", "error": error}
    _tell(engine, row.id, "done", came)
    return {"request": row.kind, "hospital": row.slug, "state": "done", "error": ""}


def _demand_second(row: Any) -> None:
    """Raise `Conflict` unless a second person has approved what takes one."""
    if row.second and (row.outcome != "approved" or row.decided_by == row.asked_by):
        raise Conflict(f"second-{row.outcome or 'lapsed'}", "No second person has approved this; nothing was done.")


def _named(issue: Issue) -> str:
    return f"{issue.location}: {issue.message}" if issue.location else issue.message


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

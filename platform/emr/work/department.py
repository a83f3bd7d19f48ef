"""A use case of the department: one operator, one transaction in the directory, one row in the directory's trail.

There is no hospital in it and no way to one's data: what the department is shown comes from the directory, from cells
as platform roles that read no hospital, and from what processes tell.
"""

import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from emr.access.permissions import demand
from emr.audit.rows import AuditRow
from emr.db.connection import Connection
from emr.identity.principal import Principal
from emr.kernel.clock import Clock
from emr.kernel.errors import Refusal
from emr.telemetry import metrics
from emr.telemetry.spans import span
from emr.work.runtime import Runtime
from emr.work.unit import Request, in_our_words, refused

P = ParamSpec("P")
R = TypeVar("R")
_JOURNAL: Final = """
INSERT INTO directory.audit_journal (at, row) SELECT * FROM unnest($1::timestamptz[], $2::text[])
"""
DepartmentUseCase = Callable[Concatenate["DepartmentWork", P], Awaitable[R]]


@dataclass(frozen=True, slots=True)
class DepartmentWork:
    """Who asks, and the transaction as `emr_directory`. `facts` and `rows` become rows of the directory's trail."""

    runtime: Runtime
    principal: Principal
    db: Connection
    clock: Clock
    request: Request
    facts: dict[str, Any] = field(default_factory=dict)
    rows: list[AuditRow] = field(default_factory=list)

    def note(self, **facts: Any) -> None:
        """Figures, slugs and stable codes for the row of the use case under way."""
        self.facts.update(facts)


@asynccontextmanager
async def department_work(runtime: Runtime, principal: Principal, request: Request) -> AsyncIterator[DepartmentWork]:
    """One transaction, with its rows of the trail in it; a refusal rolls back and leaves a row of its own."""
    try:
        async with in_our_words(runtime.databases.directory.transaction()) as connection:
            work = DepartmentWork(runtime, principal, connection, runtime.clock, request)
            yield work
            texts = [row.canonical() for row in work.rows]
            await connection.execute(_JOURNAL, [row.at for row in work.rows], texts, name="audit")
    except Refusal as refusal:
        row = refused(work_of=(None, principal, request), refusal=refusal, at=runtime.clock())
        await runtime.audit.record_directory([row])
        raise


def department_use_case(permission: str, event: str) -> Callable[[DepartmentUseCase[P, R]], DepartmentUseCase[P, R]]:
    """Demand `permission`, trace and count what follows, and leave a row for `event` when it has succeeded."""

    def decorate(action: DepartmentUseCase[P, R]) -> DepartmentUseCase[P, R]:
        @functools.wraps(action)
        async def run(work: DepartmentWork, /, *args: P.args, **kwargs: P.kwargs) -> R:
            began, outcome = time.perf_counter(), "failed"
            try:
                demand(work.principal, permission)
                with span("use case", use_case=event, permission=permission):
                    result = await action(work, *args, **kwargs)
                outcome = "ok"
            except Refusal as refusal:
                outcome = type(refusal).__name__
                raise
            finally:
                metrics.use_case(event, outcome, time.perf_counter() - began)
            work.rows.append(_row(work, event))
            return result

        return run

    return decorate


def _row(work: DepartmentWork, event: str) -> AuditRow:
    detail = dict(work.facts)
    work.facts.clear()
    return AuditRow(
        tenant=None,
        at=work.clock(),
        action=event,
        outcome="success",
        principal=work.principal,
        request_id=work.request.id,
        detail=detail,
    )

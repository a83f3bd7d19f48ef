"""The decorator that every verb wears: permission, span, metric, audit."""

import functools
import time
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

from emr.access.permissions import demand
from emr.audit.rows import AuditRow
from emr.kernel.errors import Refusal
from emr.telemetry import metrics
from emr.telemetry.spans import span
from emr.work.unit import UnitOfWork

P = ParamSpec("P")
R = TypeVar("R")
UseCase = Callable[Concatenate[UnitOfWork, P], Awaitable[R]]


def use_case(permission: str, event: str) -> Callable[[UseCase[P, R]], UseCase[P, R]]:
    """Demand `permission`, trace and count what follows, and leave an audit row for `event` when it has succeeded.

    A use case that another one calls adds to that one's row.
    """

    def decorate(action: UseCase[P, R]) -> UseCase[P, R]:
        @functools.wraps(action)
        async def run(work: UnitOfWork, /, *args: P.args, **kwargs: P.kwargs) -> R:
            trail = work.trail
            began, outcome = time.perf_counter(), "failed"
            trail.depth += 1
            try:
                demand(work.principal, permission)
                with span("use case", use_case=event, permission=permission):
                    result = await action(work, *args, **kwargs)
                outcome = "ok"
            except Refusal as refusal:
                outcome = type(refusal).__name__
                raise
            finally:
                trail.depth -= 1
                metrics.use_case(event, outcome, time.perf_counter() - began)
            if trail.depth == 0:
                trail.rows.append(_row(work, event))
            return result

        return run

    return decorate


def _row(work: UnitOfWork, event: str) -> AuditRow:
    touched, patients, detail = work.trail.take()
    if work.principal.app is not None:
        detail |= {"app": work.principal.app}
    return AuditRow(
        tenant=work.tenant.schema,
        at=work.clock(),
        action=event,
        outcome="success",
        principal=work.principal,
        request_id=work.request.id,
        touched=touched,
        patients=patients,
        detail=detail,
    )

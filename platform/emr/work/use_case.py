"""The decorator that every verb wears: permission, the hospital's state, span, metric, audit."""

import functools
import time
from collections.abc import Awaitable, Callable
from typing import Concatenate, Final, ParamSpec, TypeVar

from emr.access.care import PERSON
from emr.access.hours import outside_hours
from emr.access.permissions import AT_ANY_HOUR, CHANGES_THE_RECORD, demand
from emr.access.pilot import demand_feature
from emr.audit.rows import AuditRow
from emr.kernel.errors import Forbidden, Refusal
from emr.telemetry import metrics
from emr.telemetry.spans import span
from emr.work.unit import UnitOfWork, looked_at

P = ParamSpec("P")
R = TypeVar("R")
_GLASS: Final = """
SELECT EXISTS (SELECT 1 FROM grants WHERE grantee = $1 AND basis = 'break-glass' AND since <= $2 AND until > $2)
"""
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
            if trail.depth == 0:
                trail.event, trail.told = event, False
            trail.depth += 1
            try:
                demand(work.principal, permission)
                if permission in CHANGES_THE_RECORD:
                    work.tenant.demand_writable()
                    demand_feature(work.tenant, work.principal, permission)
                if work.tenant.access.windows and permission not in AT_ANY_HOUR:
                    await _refuse_outside_hours(work)
                with span("use case", use_case=event, permission=permission):
                    result = await action(work, *args, **kwargs)
                outcome = "ok"
            except Refusal as refusal:
                outcome = type(refusal).__name__
                raise
            finally:
                trail.depth -= 1
                metrics.use_case(event, outcome, time.perf_counter() - began)
            if trail.depth == 0 and not trail.told:
                trail.rows.append(_row(work, event))
            elif trail.depth == 0 and any(trail.take()):
                raise RuntimeError(f"{event} touched something after its row was written")
            return result

        return run

    return decorate


def last_row(work: UnitOfWork) -> AuditRow | None:
    """The row of the use case under way, for a statement that carries it; None where another one began it, and leaves
    its row itself. After this, nothing more may be touched.
    """
    if work.trail.depth != 1:
        return None
    row = _row(work, work.trail.event)
    work.trail.told = True
    return row


async def _refuse_outside_hours(work: UnitOfWork) -> None:
    """Raise `Forbidden` outside of the role's hours, unless a glass is broken: then only its patient is seen."""
    if not outside_hours(work.tenant, work.principal, work.clock()):
        return
    async with work.db.whole() as own:
        glass = await own.fetchval(_GLASS, PERSON + work.principal.subject, work.clock(), name="glass")
    if not glass:
        raise Forbidden("outside-hours", "The hospital does not let this role work at this hour.")


def _row(work: UnitOfWork, event: str) -> AuditRow:
    touched, patients, detail = work.trail.take()
    detail |= work.principal.marks() | looked_at(work.tenant)
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

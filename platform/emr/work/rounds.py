"""Rounds of the hospitals: one at which something fails is told of, and holds up no other."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

from emr.telemetry import metrics
from emr.telemetry.logs import exception_facts, get_logger
from emr.work.leases import LeaseLost


class _Named(Protocol):
    @property
    def slug(self) -> str: ...


Named = TypeVar("Named", bound=_Named)
"""A hospital, or what has a turn beside hospitals."""


async def go_round(job: str, hospitals: Iterable[Named], act: Callable[[Named], Awaitable[bool | None]]) -> bool:
    """Act at one hospital after the other; whether any of them has more to do at once.

    Whatever goes wrong at one is logged and counted under its name, and is tried again with the next round. A lost
    lease ends the round: another process goes it.
    """
    more = False
    for tenant in hospitals:
        try:
            more |= bool(await act(tenant))
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong at one hospital, the others have their turn
            metrics.JOB_HOSPITAL_FAILURES.labels(job, metrics.hospital_label(tenant.slug)).inc()
            get_logger().error("job failed at a hospital", job=job, hospital=tenant.slug, **exception_facts(error))
    return more

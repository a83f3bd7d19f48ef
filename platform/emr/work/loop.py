"""The worker's loop: jobs under leases, each at its own pace, until the process is asked to stop."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from emr.db.cells import DEFAULT_CELL
from emr.telemetry import activity, metrics
from emr.telemetry.logs import exception_facts, get_logger
from emr.telemetry.spans import root_span
from emr.work.leases import Lease, LeaseLost, Leases

_LONGEST_WAIT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done again and again.

    `turn` does one piece and says whether there is more to do at once. `every` is the pause in seconds otherwise. With
    `leases`, one process at a time does it; a job without must be safe to do in several. `last` is awaited once, still
    under the lease, when no turn follows.
    """

    name: str
    every: float
    turn: Callable[[Lease | None], Awaitable[bool]]
    leases: Leases | None = None
    last: Callable[[], Awaitable[None]] | None = None


def of_cell(name: str, cell: str) -> str:
    """What a job is called that there is one of for each cell, where the default cell's has the name alone."""
    return name if cell == DEFAULT_CELL else f"{name}:{cell}"


class Loop:
    """Runs jobs side by side. A job that fails is tried again later and later, and does not disturb the others."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._stopping = asyncio.Event()
        self.failing: dict[str, str] = {}
        """Jobs whose last turn failed, with the type of what went wrong; for the readiness report."""

    def stop(self) -> None:
        """Let each job finish the turn that it is in, and no more."""
        self._stopping.set()

    async def run(self, *, drain_seconds: float) -> bool:
        """Until `stop`; then wait so long at most for the turns under way. False when one had to be cut off."""
        tasks = [asyncio.create_task(self._repeat(job), name=job.name) for job in self._jobs]
        await self._stopping.wait()
        done, late = await asyncio.wait(tasks, timeout=drain_seconds) if tasks else (set(), set())
        for task in late:
            task.cancel()
        await asyncio.gather(*done, *late, return_exceptions=True)
        return not late

    async def _repeat(self, job: Job) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                await self._hold(job)
                failures = 0
            except LeaseLost:
                get_logger().warning("lease lost", job=job.name)
            except Exception as error:  # noqa: BLE001 - whatever a job meets, the others go on and it is tried again
                failures += 1
                self.failing[job.name] = type(error).__name__
                get_logger().error("job failed", job=job.name, attempt=failures, **exception_facts(error))
            await self._pause(_back_off(job.every, failures))

    async def _hold(self, job: Job) -> None:
        """Do turn after turn while the lease lasts; nothing while another process has it."""
        if job.leases is None:
            await self._turns(job, None)
            return
        lease = await job.leases.acquire(job.name)
        if lease is None:
            return
        async with job.leases.renewed(lease):
            await self._turns(job, lease)

    async def _turns(self, job: Job, lease: Lease | None) -> None:
        while not self._stopping.is_set():
            more = await _turn(job, lease)
            self.failing.pop(job.name, None)
            if not more:
                await self._pause(job.every)
        if job.last is not None:
            await job.last()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


async def _turn(job: Job, lease: Lease | None) -> bool:
    began, outcome = time.perf_counter(), "failed"
    try:
        with activity.activity(job.name), root_span("job", job=job.name):
            more = await job.turn(lease)
        outcome = "ok"
    finally:
        metrics.JOB_SECONDS.labels(job.name, outcome).observe(time.perf_counter() - began)
    metrics.JOB_LAST_SUCCESS.labels(job.name).set_to_current_time()
    return more


def _back_off(every: float, failures: int) -> float:
    """The pause after so many failures: doubled each time, at most half a minute, and never quite the same."""
    if failures == 0:
        return every
    longest: float = min(max(every, 0.5) * 2**failures, _LONGEST_WAIT)
    return longest * random.uniform(0.7, 1.0)  # noqa: S311 - only to spread

"""When a hospital's doors are tried again: every night, and when another build serves."""

import asyncio
import hashlib
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import emr
from emr.access.hours import outside_hours
from emr.db.cells import DEFAULT_CELL
from emr.identity.principal import Principal
from emr.identity.visits import LONGEST, OWN
from emr.kernel.tenant import Tenant
from emr.light.results import Result, Results, Standing, signer_of
from emr.telemetry import metrics
from emr.telemetry.logs import get_logger
from emr.work.leases import Lease, Leases
from emr.work.loop import Job
from emr.work.runtime import Runtime

_LOOK: Final = 60.0
_TURN: Final = 2.0
"""The longest that a turn waits for a trial under way, so that a worker that is to stop does not wait for all of it."""
_LEAVE: Final = 10.0
"""What a trial that is ended is given to take its visitors away."""
_NIGHT: Final = timedelta(hours=20)
"""No hospital is tried twice in one night."""
_LONGEST: Final = timedelta(hours=6)
_AGAIN: Final = timedelta(minutes=15)
"""A hospital whose trial came to no result waits so long, and others are tried meanwhile."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_OUTCOMES: Final = {0: "green", 1: "red"}
"""What `emr border check` says by its exit code; anything else is no result."""


@cache
def build_id() -> str:
    """Twelve hexadecimal digits of a digest over this build's code: what is tried again when it changes."""
    root = Path(emr.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def due(tenant: Tenant, last: Result | None, now: datetime, hour: int) -> bool:
    """Whether to try this hospital now: never tried, or not by this build, or it is night and last night is over.

    Where hours keep its own people out, nothing could be proved: such a hospital is tried when they let them in.
    """
    if not _lets_in(tenant, now):
        return False
    if last is None or last.build != build_id():
        return True
    local = now.astimezone(ZoneInfo(tenant.time_zone))
    night = hour <= local.hour < hour + _LONGEST // timedelta(hours=1)
    return now - last.ended_at > _NIGHT and (night or bool(tenant.access.windows))


def _lets_in(tenant: Tenant, now: datetime) -> bool:
    return not any(outside_hours(tenant, Principal("", "", each.role, "person", tenant.id), now) for each in OWN)


def border_jobs(parts: Runtime, leases: dict[str, Leases]) -> list[Job]:
    """Trials, one after the other for the whole city: hospitals are tried by each other, whatever their cells. And what
    every worker tells of the results. None where the settings say so.
    """
    if not parts.settings.border.nightly:
        return []
    trials = Trials(parts)
    return [
        Job("border", _LOOK, trials.turn, leases[DEFAULT_CELL], last=trials.end),
        Job("border-results", _LOOK, lambda _: _tell(parts)),
    ]


async def _tell(parts: Runtime) -> bool:
    """Every worker tells, whoever holds the lease: a gauge of a former holder would stand still."""
    standings = await standing_of_each(parts)
    for tenant in parts.registry.all():
        standing = standings.get(tenant.id)
        if standing is None:
            continue
        label = metrics.hospital_label(tenant.slug)
        metrics.BORDER_AGE.labels(label).set((parts.clock() - standing.since).total_seconds())
        if standing.last is not None:
            metrics.BORDER_RED.labels(label).set(0 if standing.last.green else 1)
    return False


async def standing_of_each(parts: Runtime) -> Mapping[str, Standing]:
    """How every hospital stands, by its id, by one query."""
    return await Results(parts.databases.directory, signer_of(parts.signing_key)).of_each()


@dataclass(frozen=True, slots=True)
class Trial:
    """A hospital that is being tried, by a process that knows the whole application and gives its memory back."""

    slug: str
    process: Process
    began_at: datetime


class Trials:
    """Tries the hospitals that are due, one at a time, in turns that are short however long a trial is."""

    def __init__(self, parts: Runtime) -> None:
        self._parts = parts
        self._under_way: Trial | None = None
        self._begun: dict[str, datetime] = {}

    async def turn(self, lease: Lease | None) -> bool:
        """Begin a trial, or wait a moment for the one under way. Whether there is more to do at once."""
        if lease is None:
            return False
        try:
            if self._under_way is None:
                return await self._begin()
            await self._look_after(self._under_way)
        except asyncio.CancelledError:
            # The lease is lost: whoever has it now begins anew.
            await self.end()
            raise
        return True

    async def end(self) -> None:
        """End the trial under way. It takes its visitors away, and nothing is kept of it."""
        if (trial := self._under_way) is None:
            return
        if trial.process.returncode is None:
            trial.process.terminate()
        await self._wait(trial, _LEAVE)
        if self._under_way is not None:
            trial.process.kill()
            await self._wait(trial, _LEAVE)

    async def _begin(self) -> bool:
        slug = self._next(await standing_of_each(self._parts))
        if slug is None:
            return False
        now = self._begun[slug] = self._parts.clock()
        command = (sys.executable, "-m", "emr.cli", "border", "check", slug)
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL)
        self._under_way = Trial(slug, process, now)
        return True

    async def _look_after(self, trial: Trial) -> None:
        await self._wait(trial, _TURN)
        if self._parts.clock() - trial.began_at > LONGEST:
            # Its visitors are nobody any more.
            await self.end()

    async def _wait(self, trial: Trial, seconds: float) -> None:
        try:
            code = await asyncio.wait_for(trial.process.wait(), seconds)
        except TimeoutError:
            return
        self._under_way = None
        get_logger().info("border tried", hospital=trial.slug, outcome=_OUTCOMES.get(code, "none"))

    def _next(self, standings: Mapping[str, Standing]) -> str | None:
        """The hospital that is due and that nobody has tried for the longest time."""
        now, hour = self._parts.clock(), self._parts.settings.border.hour
        waiting = [
            (self._begun.get(each.slug, _NEVER), each.slug)
            for each in self._parts.registry.all()
            if each.open and each.id in standings and due(each, standings[each.id].last, now, hour)
        ]
        since, slug = min(waiting, default=(now, None))
        return slug if now - since > _AGAIN else None

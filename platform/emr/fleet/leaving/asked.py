"""Exit packages that were asked for in a page, written by a worker and put into the hospital's part of the store.

What is made of tables lies in a folder of the worker's until it is packed; documents and images never do. The folder
is the job's: a worker that was cut off goes on in it, and one that does not have it begins anew, at a new moment.
"""

import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Final

from emr.access.permissions import demand
from emr.db.pools import RolePool
from emr.fleet.leaving.export import Writing, exporter_of, tell_finished, write_package
from emr.fleet.leaving.packing import Packing, is_packed, pack
from emr.fleet.leaving.progress import Progress
from emr.kernel.tenant import Tenant
from emr.records.bulk.exits import ROUND
from emr.records.bulk.jobs import Job, begin_anew, tell
from emr.records.bulk.rounds import JobRounds, Mine
from emr.work.faults import kill_points
from emr.work.leases import Leases
from emr.work.loop import Job as LoopJob
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr.work.use_case import use_case

_LOOK: Final = 2.0
_TOLD_EVERY: Final = 2.0
_STRETCHES: Final = 4
"""How much longer a stretch of a package is than a file of an export: fewer rows for what is fetched as one."""


def exit_jobs(parts: Runtime, leases: dict[str, Leases]) -> list[LoopJob]:
    """For every cell, the packages that wait there. They take long, and so have a round of their own."""
    return [
        LoopJob(f"{ROUND}:{cell}", _LOOK, ExitWorker(parts, parts.databases.cell(cell).relay, own).turn)
        for cell, own in leases.items()
    ]


class ExitWorker(JobRounds):
    """The exit packages of one cell; `stretch`: bytes of one object of theirs, as the settings say unless told."""

    def __init__(self, parts: Runtime, relay: RolePool, leases: Leases, *, stretch: int = 0) -> None:
        super().__init__(ROUND, parts, relay, leases)
        bulk = parts.settings.bulk
        self._root = (bulk.package_folder or Path(gettempdir())) / "emr-packages"
        self._stretch = stretch or _STRETCHES * bulk.part_mib << 20
        self._reached = kill_points(parts.settings)

    def kinds(self, tenant: Tenant) -> Sequence[str]:
        """See `JobRounds`: a package only reads, whatever state the hospital is in."""
        del tenant
        return ("exit",)

    async def do(self, mine: Mine, job: Job) -> None:
        """Write the package to its end, in the name of the platform, while who asked for it may still do so."""
        demand(await self.requester(mine.tenant, job), "package:request")
        folder, parts, tenant = self._root / mine.tenant.schema / job.id, self._parts, mine.tenant
        changing = partial(unit_of_work, parts, tenant, exporter_of(tenant))
        if is_packed(job, folder):
            digest = str(job.progress["package"])
        else:
            if job.files:
                async with changing() as work:
                    await start_anew(work, job, mine.lease.fence)
                job = replace(job, files=(), progress={})
            digest = await self._write(mine, job, folder)
        packing = Packing(parts, tenant, job, mine.lease.fence, changing, folder, self._stretch, self._reached)
        await pack(packing, digest)

    async def rest(self, tenant: Tenant) -> None:
        """See `JobRounds`: folders of jobs that are over go."""
        shutil.rmtree(self._root / tenant.schema, ignore_errors=True)

    async def _write(self, mine: Mine, job: Job, folder: Path) -> str:
        telling = _Telling(self._parts, mine, job)
        progress = Progress.of(folder)
        digest = await write_package(
            Writing(
                self._parts, mine.tenant, progress, telling.opened, telling.watch, fetched=False, begun=telling.begun
            )
        )
        await tell_finished(self._parts, mine.tenant, digest)
        return digest


class _Telling:
    """Says in the job's row how far the writing is, every few seconds; a job that was removed ends the writing."""

    def __init__(self, parts: Runtime, mine: Mine, job: Job) -> None:
        self._parts, self._mine, self._job = parts, mine, job
        self._step, self._done, self._at = "", 0, time.monotonic()

    async def begun(self, step: str) -> None:
        """A step begins. Raises `JobMoved`."""
        self._step, self._done = step, 0
        await self._tell()

    def watch(self, step: str, more: int) -> None:
        """See `Watch`."""
        del step
        self._done += more

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[UnitOfWork]:
        """See `Opened`. Raises `JobMoved`."""
        if time.monotonic() - self._at > _TOLD_EVERY:
            await self._tell()
        tenant = self._mine.tenant
        async with unit_of_work(self._parts, tenant, exporter_of(tenant), to_read=True) as work:
            yield work

    async def _tell(self) -> None:
        self._at = time.monotonic()
        async with self._parts.databases.hospital(self._mine.tenant) as connection:
            await tell(connection, self._job.id, self._mine.lease.fence, {"step": self._step, "done": self._done})


@use_case("hospital:export", "hospital.package-begun-anew")
async def start_anew(work: UnitOfWork, job: Job, runner: int) -> None:
    """What another worker packed is of another moment, and goes. Raises `JobMoved`."""
    await begin_anew(work, job, runner)
    work.trail.note(job=job.id, files=len(job.files))

"""What a hospital's administrators may do about its exit package: ask for it, see how far it is, fetch it, remove it.

The package is written by `emr.fleet.leaving` in a worker. It is the whole hospital's, not one person's: every one of
its administrators finds it. It holds all patients' data, so it is fetched only after signing in anew.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from emr.identity.errors import RecentSignInNeeded
from emr.kernel.errors import Conflict, Gone, NotFound
from emr.records.bulk import jobs
from emr.records.bulk.jobs import Job, NewJob
from emr.records.bulk.rounds import wake
from emr.records.bulk.worker import ROUND as BULK
from emr.storage.blobs import Blob
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

ROUND: Final = "exit"
"""The round of the hospitals in which packages are written."""
ROLE: Final = "package"
"""The role of the stretches of a package's archive among the files of a job, in their order."""
FRESH: Final = timedelta(minutes=5)
"""How long ago somebody who fetches a package may have signed in."""


@dataclass(frozen=True, slots=True)
class Exit:
    """A package that was asked for. name: of its file. until: when it is removed; None while it is not whole."""

    job: Job
    name: str
    size: int
    until: datetime | None

    @property
    def open(self) -> bool:
        """Whether it is still being written."""
        return self.job.state in jobs.OPEN


@dataclass(frozen=True, slots=True)
class Fetched:
    """A package on its way out: `size` bytes of one zip file."""

    name: str
    digest: str
    size: int
    _work: UnitOfWork
    _parts: Sequence[Blob]

    async def open(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to but not including `end`. Raises as `BlobStore.open` does."""
        at = 0
        for blob in self._parts:
            low, high = max(start - at, 0), min(end - at, blob.size)
            at += blob.size
            if low < high:
                async with aclosing(self._work.blobs.open(blob, low, high)) as chunks:
                    async for chunk in chunks:
                        yield chunk


@use_case("package:request", "package.requested")
async def request_package(work: UnitOfWork, request: str) -> str:
    """Let a package of the whole hospital be written, and give the job's name.

    Raises `Conflict` while one is being written or waits to be fetched, `TooManyRequests`.
    """
    # Until this transaction ends nobody else gets in, so that who comes second sees the first.
    await jobs.take_turn(work)
    other = await jobs.newest(work, "exit")
    if other is not None and other.state != "failed" and not _is_over(_exit(work, other), work.clock()):
        raise Conflict("package-open", "A package is being written, or is there to be fetched; remove it first.")
    name = await jobs.add(work, NewJob("exit", "waiting", request, {}), most_open=work.runtime.settings.bulk.open_jobs)
    await wake(work.runtime.databases.cell(work.tenant.cell).relay, ROUND, work.tenant)
    work.trail.note(job=name)
    return name


@use_case("package:request", "package.looked-at")
async def latest_package(work: UnitOfWork) -> Exit | None:
    """The newest package and how far it is; None where there is none, or where it has expired."""
    job = await jobs.newest(work, "exit")
    if job is None:
        return None
    found = _exit(work, job)
    return None if _is_over(found, work.clock()) else found


@use_case("package:request", "package.removed")
async def remove_package(work: UnitOfWork, name: str) -> None:
    """Stop it, or take it away before its time. Raises `NotFound`."""
    job = await _get(work, name)
    await jobs.end(work, job)
    await wake(work.runtime.databases.cell(work.tenant.cell).relay, BULK, work.tenant)
    work.trail.note(job=job.id)


@use_case("package:download", "package.downloaded")
async def fetch_package(work: UnitOfWork, name: str) -> Fetched:
    """The archive, for whoever has just shown who they are. Raises `RecentSignInNeeded`, `NotFound`, `Gone`."""
    at = work.principal.authenticated_at
    if at is None or at < work.clock() - FRESH:
        raise RecentSignInNeeded
    job = await _get(work, name)
    found = _exit(work, job)
    if job.state != "done":
        raise NotFound("package-unfinished", "The package is not whole.")
    if _is_over(found, work.clock()):
        raise Gone("package-expired", "The package has expired; ask for another one.")
    keys = [file.blob for file in job.files if file.role == ROLE]
    blobs = await work.blobs.find_many(keys)
    digest = str(job.progress["package"])
    work.trail.note(job=job.id, bytes=found.size, package=digest)
    return Fetched(found.name, digest, found.size, work, [blobs[key] for key in keys])


async def _get(work: UnitOfWork, name: str) -> Job:
    job = await jobs.newest(work, "exit")
    if job is None or job.id != name:
        raise NotFound("package-unknown", "There is no such package here, or it has expired.")
    return job


def _is_over(found: Exit, now: datetime) -> bool:
    return found.until is not None and found.until <= now


def _exit(work: UnitOfWork, job: Job) -> Exit:
    kept = timedelta(hours=work.runtime.settings.bulk.keep_hours)
    until = job.finished_at + kept if job.state == "done" and job.finished_at else None
    name = f"{work.tenant.slug}-{job.moment.strftime('%Y%m%dT%H%M%SZ')}.zip"
    return Exit(job, name, sum(file.size for file in job.files if file.role == ROLE), until)

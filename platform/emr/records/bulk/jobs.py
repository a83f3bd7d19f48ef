"""The rows of `bulk_jobs`: what was asked, by whom, how far it has come, and the files that belong to it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from emr.db.connection import Connection, Row
from emr.identity.principal import Principal, kind_of
from emr.kernel.errors import Conflict, NotFound, TooManyRequests
from emr.kernel.ids import opaque
from emr.work.unit import UnitOfWork

Kind = Literal["export", "import", "upload", "exit"]
OPEN: Final = ("waiting", "running")
_ALLOWED: Final = "allowed"
"""Where `asked` says what the token of the kick-off allowed."""
_NAME: Final = 24
"""Characters of a job's name: 124 bits, so that an address of a file cannot be guessed."""

_ADD: Final = """
INSERT INTO bulk_jobs (id, kind, state, subject, name, role, request, asked, moment, snapshot, progress, files)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, statement_timestamp(), pg_current_snapshot()::text, '{}', $9)
RETURNING id
"""
_COLUMNS: Final = """
SELECT id, kind, state, subject, name, role, request, asked, date_trunc('milliseconds', moment) AS moment, snapshot,
  progress, files, attempts, error, created_at, finished_at FROM bulk_jobs
"""
_FIND: Final = _COLUMNS + " WHERE id = $1 AND subject = $2 AND kind = $3 AND state <> 'forgotten'"
_READ: Final = _COLUMNS + " WHERE id = $1"
_NEWEST: Final = _COLUMNS + " WHERE kind = $1 AND state NOT IN ('ending', 'forgotten') ORDER BY created_at DESC LIMIT 1"
_NEXT: Final = _COLUMNS + (
    " WHERE state IN ('waiting', 'running') AND kind = ANY ($1) AND not_before <= clock_timestamp()"
    " ORDER BY not_before, id LIMIT 1"
)
_OPEN_COUNT: Final = "SELECT count(*) FROM bulk_jobs WHERE state IN ('waiting', 'running')"
_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended(current_user || ' bulk', 0))"
_TAKE: Final = """
UPDATE bulk_jobs SET state = 'running', runner = $2, not_before = clock_timestamp()
WHERE id = $1 AND state IN ('waiting', 'running')
"""
_ADVANCE: Final = """
UPDATE bulk_jobs SET progress = $3, files = files || $4::jsonb, attempts = 0, error = NULL, state = $5,
  finished_at = CASE WHEN $5 = 'running' THEN NULL ELSE clock_timestamp() END
WHERE id = $1 AND runner = $2 AND state = 'running'
"""
_TELL: Final = "UPDATE bulk_jobs SET progress = $3 WHERE id = $1 AND runner = $2 AND state = 'running'"
_ANEW: Final = """
UPDATE bulk_jobs SET progress = '{}', files = '[]' WHERE id = $1 AND runner = $2 AND state = 'running'
"""
_TROUBLE: Final = """
UPDATE bulk_jobs SET attempts = attempts + 1, error = $3, state = CASE WHEN $5 THEN 'failed' ELSE 'running' END,
  not_before = clock_timestamp() + $4 * interval '1 second',
  finished_at = CASE WHEN $5 THEN clock_timestamp() END
WHERE id = $1 AND runner = $2 AND state = 'running'
"""
_POLL: Final = """
UPDATE bulk_jobs SET polled_at = clock_timestamp()
WHERE id = $1 AND coalesce(polled_at, '-infinity') < clock_timestamp() - $2 * interval '1 second'
"""
_END: Final = """
UPDATE bulk_jobs SET state = 'ending', finished_at = coalesce(finished_at, clock_timestamp()) WHERE id = $1
"""
_LATE: Final = (
    _COLUMNS
    + """
 WHERE state = 'ending'
    OR (state IN ('done', 'failed')
        AND coalesce(finished_at, created_at) < clock_timestamp() - $1 * interval '1 second')
 ORDER BY id LIMIT 20
"""
)
_FORGET: Final = """
UPDATE bulk_jobs SET state = 'forgotten', request = '', asked = '{}', progress = '{}', files = '[]', error = NULL
WHERE id = $1
"""
_MARK: Final = """
SELECT snapshot FROM bulk_jobs
WHERE kind = 'export' AND date_trunc('milliseconds', moment) = date_trunc('milliseconds', $1::timestamptz)
ORDER BY created_at LIMIT 1
"""


class JobMoved(Conflict):
    """The job was cancelled or is another worker's by now; what was just done for it is undone."""

    def __init__(self) -> None:
        super().__init__("bulk-job-moved", "The job is no longer this worker's.")


@dataclass(frozen=True, slots=True)
class File:
    """A file of a job: `role` is output, deleted or error of an export, input of an upload, report of an import.

    `blob` is its key in the hospital's part of the object store, `lines` its lines, `size` its bytes. An exit package
    has the role package, and a file for each stretch of its archive.
    """

    role: str
    type: str
    blob: str
    lines: int
    size: int


@dataclass(frozen=True, slots=True)
class Job:
    """One row. `moment` is an export's transactionTime and `snapshot` what PostgreSQL showed just then.

    `principal`: who began it, with the role of that time; a worker does it as `BulkWorker` finds them now.
    """

    id: str
    kind: str
    state: str
    principal: Principal
    request: str
    asked: Mapping[str, Any]
    moment: datetime
    snapshot: str
    progress: dict[str, Any] = field(repr=False)
    files: tuple[File, ...] = field(repr=False)
    attempts: int = 0
    error: str | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a job begins with."""

    kind: Kind
    state: str
    request: str
    asked: Mapping[str, Any]
    files: Sequence[File] = ()


async def add(work: UnitOfWork, new: NewJob, *, most_open: int) -> str:
    """Write a job down and give its name. Raises `TooManyRequests` when so many are open in the hospital already."""
    if new.state in OPEN:
        await take_turn(work)
        if await work.db.fetchval(_OPEN_COUNT, name="bulk.open") >= most_open:
            raise TooManyRequests("bulk-jobs-open", f"At most {most_open} bulk jobs are open at a time; try later.")
    who = work.principal
    token = {"scopes": sorted(who.scopes), "patient": who.patient, "app": who.app}
    texts = (json.dumps(dict(new.asked) | {_ALLOWED: token}), json.dumps([asdict(file) for file in new.files]))
    return str(
        await work.db.fetchval(
            _ADD, opaque(_NAME), new.kind, new.state, who.subject, who.name, who.role, new.request, *texts,
            name="bulk.add",
        )
    )  # fmt: skip


async def take_turn(work: UnitOfWork) -> None:
    """Let nobody else add an open job here until the transaction ends."""
    await work.db.execute(_TURN, name="bulk.turn")


async def find(work: UnitOfWork, kind: Kind, job_id: str) -> Job:
    """A job of the caller's own; `NotFound` for everybody else's, for one that was cancelled or has expired."""
    row = await work.db.fetchrow(_FIND, job_id[:64], work.principal.subject, kind, name="bulk.find")
    if row is None or row["state"] == "ending":
        raise NotFound("bulk-job-unknown", "There is no such job here, or it has expired.")
    return _job(row, work.tenant.id)


async def read(work: UnitOfWork, job_id: str) -> Job:
    """A job by its name, for a worker. Raises `NotFound`."""
    row = await work.db.fetchrow(_READ, job_id, name="bulk.read")
    if row is None:
        raise NotFound("bulk-job-unknown", "There is no such job here.")
    return _job(row, work.tenant.id)


async def newest(work: UnitOfWork, kind: Kind) -> Job | None:
    """The hospital's last job of a kind, whoever began it."""
    row = await work.db.fetchrow(_NEWEST, kind, name="bulk.newest")
    return None if row is None else _job(row, work.tenant.id)


async def next_open(connection: Connection, tenant_id: str, kinds: Sequence[str]) -> Job | None:
    """The open job of these kinds that has waited longest and may be tried now."""
    row = await connection.fetchrow(_NEXT, kinds, name="bulk.next")
    return None if row is None else _job(row, tenant_id)


async def count_open(connection: Connection) -> int:
    """How many are not at their end, also those that wait to be tried again."""
    return int(await connection.fetchval(_OPEN_COUNT, name="bulk.open"))


async def take(connection: Connection, job_id: str, runner: int) -> bool:
    """Make it this worker's: `runner` is the fence of its lease, so an earlier holder can record nothing any more."""
    return await connection.execute(_TAKE, job_id, runner, name="bulk.take") == "UPDATE 1"


@dataclass(frozen=True, slots=True)
class Piece:
    """What a piece of a job has come to: how far, files that it made, and the state that follows."""

    progress: Mapping[str, Any]
    files: Sequence[File] = ()
    state: str = "running"


async def advance(work: UnitOfWork, job_id: str, runner: int, piece: Piece) -> None:
    """Record a piece in the transaction that stored what it made. Raises `JobMoved`."""
    texts = (json.dumps(piece.progress), json.dumps([asdict(file) for file in piece.files]))
    if await work.db.execute(_ADVANCE, job_id, runner, *texts, piece.state, name="bulk.advance") != "UPDATE 1":
        raise JobMoved


async def tell(connection: Connection, job_id: str, runner: int, progress: Mapping[str, Any]) -> None:
    """Say how far it is. Raises `JobMoved`."""
    if await connection.execute(_TELL, job_id, runner, json.dumps(progress), name="bulk.tell") != "UPDATE 1":
        raise JobMoved


async def begin_anew(work: UnitOfWork, job: Job, runner: int) -> None:
    """Take away what a job has made so far. Raises `JobMoved`."""
    if await work.db.execute(_ANEW, job.id, runner, name="bulk.anew") != "UPDATE 1":
        raise JobMoved
    for blob in (await work.blobs.find_many([file.blob for file in job.files])).values():
        await work.blobs.delete(blob)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a piece failed, when to try again, and whether that was the last attempt."""

    why: str
    again_in: float
    last: bool


async def trouble(connection: Connection, job_id: str, runner: int, met: Trouble) -> None:
    """Remember what went wrong."""
    await connection.execute(_TROUBLE, job_id, runner, met.why, met.again_in, met.last, name="bulk.trouble")


async def demand_patience(work: UnitOfWork, job_id: str, seconds: float) -> None:
    """Raise `TooManyRequests` when the job was asked after less than so many seconds ago."""
    if await work.db.execute(_POLL, job_id, seconds, name="bulk.poll") != "UPDATE 1":
        raise TooManyRequests("bulk-polled", "The job was asked after a moment ago; wait as Retry-After says.")


async def end(work: UnitOfWork, job: Job) -> None:
    """From now on nobody finds it, and a worker takes its files away."""
    await work.db.execute(_END, job.id, name="bulk.end")


async def late(connection: Connection, tenant_id: str, kept: timedelta) -> list[Job]:
    """Some of the jobs whose files may go: cancelled ones, and those that ended longer ago than `kept`."""
    rows = await connection.fetch(_LATE, kept.total_seconds(), name="bulk.late")
    return [_job(row, tenant_id) for row in rows]


async def forget(work: UnitOfWork, job: Job) -> None:
    """Keep nothing of a job but the moment of an export and what was visible then, for a later `_since`."""
    await work.db.execute(_FORGET, job.id, name="bulk.forget")


async def snapshot_at(work: UnitOfWork, moment: datetime) -> str | None:
    """What was visible at the transactionTime of an export of this hospital; None for any other moment, "" for one
    before the hospital moved to another cell, where nobody knows any more.
    """
    found: str | None = await work.db.fetchval(_MARK, moment, name="bulk.mark")
    return found


def _job(row: Row, tenant_id: str) -> Job:
    asked = json.loads(row["asked"])
    return Job(
        id=row["id"],
        kind=row["kind"],
        state=row["state"],
        principal=_principal(row, tenant_id, asked.pop(_ALLOWED, {})),
        request=row["request"],
        asked=asked,
        moment=row["moment"],
        snapshot=row["snapshot"],
        progress=json.loads(row["progress"]),
        files=tuple(File(**each) for each in json.loads(row["files"])),
        attempts=row["attempts"],
        error=row["error"],
        finished_at=row["finished_at"],
    )


def _principal(row: Row, tenant_id: str, token: Mapping[str, Any]) -> Principal:
    """Who began it, with what the token allowed; the membership is the worker's to read anew."""
    role = row["role"]
    return Principal(
        row["subject"],
        row["name"],
        role,
        kind_of(role),
        tenant_id,
        scopes=frozenset(token.get("scopes", ())),
        patient=token.get("patient"),
        app=token.get("app"),
    )

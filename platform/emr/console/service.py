"""Looking at the fleet: all hospitals at once, and one with what became of it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from emr.console import repository
from emr.console.figures import Cell, Fleet, Hospital, Lag, Light, Rehearsal, Requests, Storage, Users
from emr.console.states import repository as states
from emr.console.states.repository import Proposal
from emr.db.connection import FAILURES, Row
from emr.db.revisions import newest_hospital_revision
from emr.fleet.transitions import followers
from emr.kernel.tenant import Tenant
from emr.light.results import Results, Standing, signer_of, state_of
from emr.tenancy.golive import Checklists, Progress, progress_of, untouched
from emr.work.department import DepartmentWork, department_use_case
from emr.work.runtime import Runtime

RECENT: Final = timedelta(minutes=15)
"""Over how long p95 and the share of errors are told."""
DAY: Final = timedelta(hours=24)
SEASON: Final = timedelta(days=90)
_CELL_SECONDS: Final = 2.0
_MOST_EVENTS: Final = 60
_FEWEST_DAYS: Final = 7
_given_up: Final[set[asyncio.Task[Cell]]] = set()


@dataclass(frozen=True, slots=True)
class Event:
    """A row of a hospital's history. actor: the account or command that did it, as it was written down."""

    at: datetime
    event: str
    actor: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Course:
    """One hospital with its last day, its last season and its history, newest first.

    follows: states that may come next. waiting: the proposal that waits for a second person.
    """

    fleet: Fleet
    hospital: Hospital
    cell: Cell
    requests: Sequence[tuple[datetime, Requests]]
    usage: Sequence[tuple[date, int, int]]
    events: Sequence[Event]
    follows: Sequence[str]
    waiting: Proposal | None


@department_use_case("fleet:look", "fleet.shown")
async def look(work: DepartmentWork) -> Fleet:
    """Every hospital. A cell that does not answer within two seconds is told as such; the others are shown."""
    await work.runtime.registry.refresh()
    fleet = await _fleet(work, work.runtime.registry.all())
    work.note(hospitals=len(fleet.hospitals))
    return fleet


@department_use_case("fleet:look", "hospital.shown-to-department")
async def look_at(work: DepartmentWork, slug: str) -> Course:
    """One hospital. Raises `NotFound`."""
    await work.runtime.registry.refresh()
    tenant = work.runtime.registry.by_slug(slug)
    fleet, now = await _fleet(work, [tenant]), work.clock()
    stands = await states.standing(work.db, slug)
    rows = await repository.events_of(work.db, tenant.id, _MOST_EVENTS)
    course = Course(
        fleet=fleet,
        hospital=fleet.hospitals[0],
        cell=next((each for each in fleet.cells if each.name == tenant.cell), _silent(tenant.cell)),
        requests=await repository.traffic_of(work.db, tenant.id, now - DAY),
        usage=await repository.usage_of(work.db, tenant.id, (now - SEASON).date()),
        events=[Event(row["at"], row["event"], row["actor"], json.loads(row["detail"])) for row in rows],
        follows=followers(stands),
        waiting=await states.open_of(work.db, slug),
    )
    work.note(hospital=slug)
    return course


async def _fleet(work: DepartmentWork, tenants: Sequence[Tenant]) -> Fleet:
    now = work.clock()
    cells, known = await asyncio.gather(_cells(work.runtime, {each.cell for each in tenants}), _known(work, now))
    told = await repository.cells(work.db)
    cells = [_with(each, told.get(each.name)) for each in cells]
    by_name = {each.name: each for each in cells}
    hospitals = [_hospital(work.runtime, each, by_name[each.cell], known) for each in tenants]
    return Fleet(now, newest_hospital_revision(), hospitals, cells)


def _with(cell: Cell, told: tuple[datetime | None, datetime] | None) -> Cell:
    return cell if told is None else replace(cell, anchored_at=told[0], told_at=told[1])


@dataclass(frozen=True, slots=True)
class _Known:
    """What the directory knows, by a hospital's id."""

    at: datetime
    users: Mapping[str, int]
    usage: Mapping[str, Row]
    traffic: Mapping[str, Requests]
    lights: Mapping[str, Standing]
    backups: Mapping[str, datetime]
    rehearsals: Mapping[str, Rehearsal]
    ways: Mapping[str, Progress]
    untouched: Progress


async def _known(work: DepartmentWork, now: datetime) -> _Known:
    runtime = work.runtime
    return _Known(
        at=now,
        users=await repository.users(work.db, now),
        usage=await repository.usage(work.db, now.date()),
        traffic=await repository.traffic(work.db, now - RECENT),
        lights=await Results(runtime.databases.directory, signer_of(runtime.signing_key)).of_each(),
        backups=await repository.backups(work.db),
        rehearsals=await repository.rehearsals(work.db),
        ways=await Checklists(work.db).progress(now.date()),
        untouched=progress_of(untouched(), now.date()),
    )


async def _cells(runtime: Runtime, names: set[str]) -> list[Cell]:
    return list(await asyncio.gather(*(_ask(runtime, name) for name in sorted(names))))


async def _ask(runtime: Runtime, name: str) -> Cell:
    """What a cell tells in time. One that hangs is not waited for, not even for the end of what was begun there."""
    asking = asyncio.create_task(_figures(runtime, name), name=f"ask {name}")
    done, _ = await asyncio.wait([asking], timeout=_CELL_SECONDS)
    if not done:
        asking.cancel()
        _given_up.add(asking)
        asking.add_done_callback(_given_up.discard)
        return _silent(name)
    return asking.result()


async def _figures(runtime: Runtime, name: str) -> Cell:
    try:
        return await repository.cell_figures(name, runtime.databases.cell(name))
    except FAILURES:
        return _silent(name)


def _silent(name: str) -> Cell:
    return Cell(name, answered=False, outbox={}, unsealed={})


def _hospital(runtime: Runtime, tenant: Tenant, cell: Cell, known: _Known) -> Hospital:
    standing = known.lights.get(tenant.id)
    last = standing.last if standing else None
    return Hospital(
        tenant=tenant,
        served=runtime.knows(tenant),
        answered=cell.answered,
        requests=known.traffic.get(tenant.id, Requests()),
        lag=cell.outbox.get(tenant.schema, Lag()) if cell.answered else None,
        unsealed=cell.unsealed.get(tenant.schema, 0.0) if cell.answered else None,
        anchored_at=cell.anchored_at,
        storage=_storage(tenant, known.usage.get(tenant.id)),
        users=Users(known.users.get(tenant.id, 0), tenant.quotas.users),
        light=Light(state_of(last, known.at), last.ended_at if last else None),
        backup_at=known.backups.get(tenant.cell),
        rehearsal=known.rehearsals.get(tenant.id),
        way=known.ways.get(tenant.id, known.untouched),
    )


def _storage(tenant: Tenant, row: Row | None) -> Storage | None:
    if row is None:
        return None
    per_day = row["per_day"] if row["days"] >= _FEWEST_DAYS else None
    return Storage(row["storage"], tenant.quotas.storage_gib << 30, per_day, row["measured_at"])

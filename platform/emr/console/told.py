"""What the JSON API answers: the same figures as the pages, in SI units, with null for what is not known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from emr.administration.golive.pilot import departments_of
from emr.console.asking import Line
from emr.console.figures import Cell, Fleet
from emr.console.policy import Sign, cell_signs, signs
from emr.console.service import Course
from emr.console.views import told
from emr.kernel.tenant import Pilot


@dataclass(frozen=True, slots=True)
class SignTold:
    """grade: `bad` or `warn`."""

    grade: str
    code: str


@dataclass(frozen=True, slots=True)
class HospitalTold:
    """One hospital. p95, share of errors and requests: of the last 15 minutes. sync: what waits for the city."""

    slug: str
    name: str
    facility_code: str
    state: str
    state_reason: str
    state_since: datetime | None
    cell: str
    tier: str
    revision: str
    served: bool
    answered: bool
    requests: int
    p95_seconds: float | None
    error_share: float | None
    sync_seconds: float | None
    sync_pending: int | None
    sync_set_aside: int | None
    unsealed_seconds: float | None
    anchored_at: datetime | None
    storage_bytes: int | None
    storage_limit_bytes: int
    storage_full_on: date | None
    users: int
    users_limit: int
    light: str
    light_at: datetime | None
    backup_at: datetime | None
    rehearsal_at: datetime | None
    rehearsal_passed: bool | None
    golive_settled: int
    golive_total: int
    golive_overdue: int
    signs: Sequence[SignTold]


@dataclass(frozen=True, slots=True)
class CellTold:
    """A database cluster. told_at: when a worker last spoke for it."""

    name: str
    answered: bool
    told_at: datetime | None
    signs: Sequence[SignTold]


@dataclass(frozen=True, slots=True)
class FleetTold:
    """All hospitals that were asked for, in their order. revision: the newest that this build knows."""

    at: datetime
    revision: str
    hospitals: Sequence[HospitalTold]
    cells: Sequence[CellTold]


@dataclass(frozen=True, slots=True)
class SpanTold:
    """Five minutes."""

    begin: datetime
    requests: int
    errors: int
    p95_seconds: float | None


@dataclass(frozen=True, slots=True)
class DayTold:
    """One day's last measure."""

    day: date
    storage_bytes: int
    users: int


@dataclass(frozen=True, slots=True)
class EventTold:
    """A row of a hospital's history."""

    at: datetime
    event: str
    actor: str
    detail: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DepartmentTold:
    """A department that is in a hospital's pilot, by the id of its Location. features: that are on there."""

    ward: str
    name: str
    features: Sequence[str]


@dataclass(frozen=True, slots=True)
class CourseTold:
    """One hospital with its last 24 hours, its last 90 days and its history, newest first. pilot: the departments that
    it begins with, null where all are in.
    """

    hospital: HospitalTold
    pilot: Sequence[DepartmentTold] | None
    requests: Sequence[SpanTold]
    usage: Sequence[DayTold]
    history: Sequence[EventTold]


def fleet_told(fleet: Fleet, lines: Sequence[Line]) -> FleetTold:
    """The list."""
    return FleetTold(
        fleet.at,
        fleet.revision,
        [hospital_told(line, fleet.at) for line in lines],
        [_cell(each, fleet.at) for each in fleet.cells],
    )


def hospital_told(line: Line, now: datetime) -> HospitalTold:
    """One hospital."""
    each, tenant = line.hospital, line.hospital.tenant
    storage, lag = each.storage, each.lag
    return HospitalTold(
        slug=tenant.slug, name=tenant.name, facility_code=tenant.facility_code, state=tenant.state,
        state_reason=tenant.state_reason, state_since=tenant.state_since, cell=tenant.cell, tier=tenant.tier,
        revision=tenant.revision, served=each.served, answered=each.answered, requests=each.requests.requests,
        p95_seconds=each.requests.p95, error_share=each.requests.error_share,
        sync_seconds=round(lag.seconds, 1) if lag else None,
        sync_pending=lag.pending if lag else None,
        sync_set_aside=lag.broken if lag else None,
        unsealed_seconds=each.unsealed, anchored_at=each.anchored_at,
        storage_bytes=storage.used if storage else None, storage_limit_bytes=tenant.quotas.storage_gib << 30,
        storage_full_on=storage.full_on(now.date()) if storage else None,
        users=each.users.used, users_limit=each.users.most,
        light=each.light.state, light_at=each.light.at, backup_at=each.backup_at,
        rehearsal_at=each.rehearsal.at if each.rehearsal else None,
        rehearsal_passed=each.rehearsal.passed if each.rehearsal else None,
        golive_settled=each.way.settled, golive_total=each.way.total, golive_overdue=each.way.overdue,
        signs=_signs(line.signs),
    )  # fmt: skip


def course_told(course: Course) -> CourseTold:
    """One hospital with what became of it."""
    now, pilot = course.fleet.at, course.hospital.tenant.pilot
    return CourseTold(
        hospital=hospital_told(Line(course.hospital, signs(course.hospital, now)), now),
        pilot=_pilot(pilot) if pilot else None,
        requests=[SpanTold(at, each.requests, each.errors, each.p95) for at, each in course.requests],
        usage=[DayTold(*each) for each in course.usage],
        history=[EventTold(each.at, each.event, each.actor, told(each.detail)) for each in course.events],
    )


def _pilot(pilot: Pilot) -> list[DepartmentTold]:
    return [DepartmentTold(each.ward, each.name, sorted(each.features)) for each in departments_of(pilot).departments]


def _cell(cell: Cell, now: datetime) -> CellTold:
    return CellTold(cell.name, cell.answered, cell.told_at, _signs(cell_signs(cell, now)))


def _signs(found: Sequence[Sign]) -> list[SignTold]:
    return [SignTold(each.grade, each.code) for each in found]

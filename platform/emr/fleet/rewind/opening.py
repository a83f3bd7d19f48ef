"""Open a hospital's past, and close it again.

Whatever can be refused is refused before anything is restored; what breaks off afterwards leaves a row that says so
and nothing else.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from emr.db.migrate import owner_engine
from emr.db.past import drop_past
from emr.fleet.backups.repository import BaseBackup, Repository
from emr.fleet.rewind.copying import copy_hospital
from emr.fleet.rewind.restored import Source, Told, owner_of_cell, restored
from emr.fleet.rewind.rows import Hospital, Rewind, add, cell_at, hospital_of, rewind_of, settle, standing, tell
from emr.kernel.clock import Clock, utc_now
from emr.kernel.errors import Conflict, Invalid, Unavailable
from emr.kernel.ids import opaque
from emr.settings import Settings

OPENED: Final = "rewind.opened"
CLOSED: Final = "rewind.dropped"
_LONGEST_REASON: Final = 500
_LOOK_SECONDS: Final = 0.1
_MARK: Final = "SELECT pg_current_xact_id()"
_HERE: Final = "SELECT clock_timestamp(), pg_walfile_name(pg_current_wal_insert_lsn())"
_SWITCH: Final = "SELECT pg_switch_wal()"
_ARCHIVED: Final = """
SELECT coalesce(left(last_archived_wal, 24) >= %s, false), last_failed_time, last_failed_wal FROM pg_stat_archiver
"""
_SEGMENT: Final = 24
_SECOND: Final = timedelta(seconds=1)
"""pgBackRest tells whole seconds: a backup that ended within one is whole only after it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which hospital, to which moment, who wants it, and why."""

    slug: str
    moment: datetime
    by: str
    reason: str


def moment_of(text: str, zone: str) -> datetime:
    """A moment as a person writes it: `2026-11-21 14:05`, seconds or not, an offset or the hospital's own time.

    Raises `Invalid`.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        rule = f"{text!r} is no moment; write it as 2026-11-21 14:05 or 2026-11-21T14:05:30+07:00."
        raise Invalid("rewind-moment", rule, location="to") from error
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


def weigh(settings: Settings, wish: Wish, clock: Clock = utc_now) -> BaseBackup:
    """The backup from which the past would be restored. Raises what forbids it, and changes nothing."""
    hospital = hospital_of(settings, wish.slug)
    reason = " ".join(wish.reason.split())
    if not reason or len(reason) > _LONGEST_REASON:
        raise Invalid("rewind-reason", f"Say why, in at most {_LONGEST_REASON} characters.", location="reason")
    if wish.moment > clock():
        raise Invalid("rewind-future", "That moment has not come yet.", location="to")
    if wish.moment < hospital.created_at:
        born = f"{hospital.created_at.astimezone(ZoneInfo(hospital.time_zone)):%Y-%m-%d %H:%M:%S}"
        raise Conflict("rewind-before-hospital", f"{wish.slug} is here since {born} only.", location="to")
    _demand_place(settings, wish)
    return backup_before(settings, cell_at(settings, hospital, wish.moment), wish.moment)


def backup_before(settings: Settings, cell: str, moment: datetime) -> BaseBackup:
    """The newest backup that was whole before the moment. Raises `Conflict`."""
    held = Repository(settings.backup, cell).backups()
    fitting = [each for each in held if each.ended + _SECOND <= moment]
    if not fitting:
        first = (
            f"the first one that is kept ended {held[0].ended:%Y-%m-%d %H:%M:%S %Z}" if held else "there is none yet"
        )
        raise Conflict("rewind-before-backups", f"No backup reaches back to that moment: {first}.", location="to")
    return fitting[-1]


def open_past(settings: Settings, wish: Wish, told: Told, clock: Clock = utc_now) -> Rewind:
    """Restore the hospital's cell to the moment, and put this hospital beside the live one. Raises what forbids it."""
    backup = weigh(settings, wish, clock)
    hospital = hospital_of(settings, wish.slug)
    source = Source(cell_at(settings, hospital, wish.moment), backup, wish.moment.astimezone(UTC))
    told("archive")
    settle_log(settings, source.cell, wish.moment)
    now = clock()
    closes = now + timedelta(hours=settings.backup.rewind_hours)
    rewind = Rewind(
        id=opaque(12), slug=wish.slug, schema=f"t_{opaque(12)}", cell=hospital.cell, moment=wish.moment.astimezone(UTC),
        state="opening", backup=backup.label, revision="", reason=" ".join(wish.reason.split()), opened_by=wish.by,
        asked_at=now, opened_at=None, closes_at=closes, dropped_at=None, error=None,
    )  # fmt: skip
    add(settings, rewind)
    try:
        return _filled(settings, rewind, (hospital, source), told, clock)
    except BaseException as error:
        _remove(settings, rewind)
        with owner_engine(settings.database.owner_url).begin() as connection:
            settle(connection, rewind, state="failed", error=str(error)[:_LONGEST_REASON] or type(error).__name__)
        raise


def _filled(settings: Settings, rewind: Rewind, place: tuple[Hospital, Source], told: Told, clock: Clock) -> Rewind:
    hospital, source = place
    with restored(settings, source, told) as then:
        told("copy")
        revision = copy_hospital(settings, then, cell=hospital.cell, live=hospital.schema, past=rewind.schema)
    with owner_engine(settings.database.owner_url).begin() as connection:
        opened = settle(connection, rewind, state="open", revision=revision, opened_at=clock())
        tell(connection, opened, OPENED, by=rewind.opened_by, at=clock())
    return opened


def close_past(settings: Settings, rewind_id: str, by: str, clock: Clock = utc_now) -> Rewind:
    """Take a past away; one that is gone already stays gone. Raises `NotFound`."""
    rewind = rewind_of(settings, rewind_id)
    if rewind.state == "dropped":
        return rewind
    _remove(settings, rewind)
    with owner_engine(settings.database.owner_url).begin() as connection:
        closed = settle(connection, rewind, state="dropped", dropped_at=clock())
        tell(connection, closed, CLOSED, by=by, at=clock())
    return closed


def close_expired(settings: Settings, by: str, clock: Clock = utc_now) -> list[Rewind]:
    """Take away every past whose time is over, and what was cut off while it was opened."""
    over = [each for each in standing(settings) if each.closes_at <= clock()]
    return [close_past(settings, each.id, by, clock) for each in over]


def settle_log(settings: Settings, cell: str, moment: datetime) -> None:
    """Until the repository holds the log up to a change that was made after the moment: recovery stops at the first
    change that is later, and has to find one. Raises `Conflict` when the log does not arrive.

    A role that may not switch segments waits for the cell's `archive_timeout`.
    """
    with psycopg.connect(owner_of_cell(settings, cell), autocommit=True) as connection:
        connection.execute(_MARK)
        here = connection.execute(_HERE).fetchone()
        assert here is not None
        if here[0] <= moment:
            raise Invalid("rewind-future", "That moment has not come yet, by the clock of the database.", location="to")
        with suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute(_SWITCH)
        _await_archived(connection, here[1], settings.backup.archive_seconds)


def _remove(settings: Settings, rewind: Rewind) -> None:
    with owner_engine(owner_of_cell(settings, rewind.cell)).begin() as connection:
        drop_past(connection, rewind.schema)


def _await_archived(connection: psycopg.Connection[Any], segment: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        row = connection.execute(_ARCHIVED, (segment[:_SEGMENT],)).fetchone()
        if row is not None and row[0]:
            return
        if time.monotonic() > deadline:
            failed = f" Archiving {row[2]} failed last at {row[1]:%H:%M:%S}." if row is not None and row[1] else ""
            rule = f"The write-ahead log of now has not arrived in the repository within {seconds:.0f} s.{failed}"
            raise Conflict("rewind-after-log", f"{rule} Nothing was changed; emr backup check says why.", location="to")
        time.sleep(_LOOK_SECONDS)


def _demand_place(settings: Settings, wish: Wish) -> None:
    open_ones = standing(settings, wish.slug)
    if len(open_ones) >= settings.backup.rewinds:
        names = ", ".join(each.id for each in open_ones)
        rule = f"{len(open_ones)} pasts of {wish.slug} are open already ({names}); drop one: emr rewind drop ID."
        raise Conflict("rewind-too-many", rule)
    scratch = settings.backup.scratch
    if scratch is not None and not Path(scratch).is_dir():
        raise Unavailable("scratch-missing", f"There is no folder {scratch}.", location="EMR_BACKUP__SCRATCH")

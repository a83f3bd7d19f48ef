"""`emr tenants move`: a hospital's tables into another cell, with a minute at most in which nothing can be written.

    copying   tables are copied and caught up while everybody works
    closed    nothing is written: every process has heard it, and PostgreSQL refuses who has not; the rest is copied,
              both sides are compared and must be equal; what waits in the cell goes along
    flipped   the directory names the other cell; everybody has heard it; nobody reads the old copy
    done      everything can be written; the old copy stands until its time is over

Each step may be done again. Who was killed starts the same command, which goes on; before it has flipped, `undo` takes
the move back.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import Engine

from emr.db import roles
from emr.db.cells import login_url, owner_url
from emr.db.migrate import owner_engine
from emr.fleet.campaign import migrate_hospital
from emr.fleet.leaving.forgetting import drop_copy
from emr.fleet.migration import login_of
from emr.fleet.moving import carrying, fence, moves
from emr.fleet.moving.copying import Found, bring
from emr.fleet.moving.moves import Move
from emr.fleet.moving.pair import Pair, connected, pair_of
from emr.fleet.moving.parts import parts_of
from emr.kernel.errors import Conflict, NotFound
from emr.kernel.tenant import DEDICATED
from emr.settings import Database
from emr.tenancy.registry import REFRESH_SECONDS

_HEARD: Final = 2.5 * REFRESH_SECONDS
"""Seconds after which every process that reaches the directory has read it anew."""
_FEW: Final = 2_000
_ROUNDS: Final = 6
_ALONE: Final = "SELECT pg_try_advisory_lock(hashtextextended('emr.move.' || %s, 0))"
_JOURNAL: Final = "INSERT INTO cell.audit_journal (tenant, at, row) VALUES (%s, %s, %s)"
_TOLD: Final = """
SELECT EXISTS (SELECT 1 FROM cell.jobs WHERE name = %s AND state ? 'told')
"""
_TELL: Final = """
INSERT INTO cell.jobs AS j (name, state) VALUES (%s, '{"rows": [], "told": true}')
ON CONFLICT (name) DO UPDATE SET state = j.state || '{"told": true}'
"""
_MEASURE: Final = sql.SQL("ANALYZE {}")
_SIZE: Final = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relkind = 'r'
"""

Watch = Callable[[str, int], None]
"""Hears of each step by name, and of tables with how many groups of rows more were copied."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants which hospital where. window: seconds for which nothing can be written at most, before it is given up
    for this time. keep: how long the old copy stands. heard: seconds in which every process hears of a change.
    """

    slug: str
    target: str
    by: str
    window: float = 60.0
    keep: timedelta = timedelta(days=7)
    heard: float = _HEARD


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of it. seconds: for which nothing could be written. rows: by table, as compared on both sides."""

    slug: str
    source: str
    target: str
    seconds: float
    rows: dict[str, int]


def weigh(settings: Database, wish: Wish) -> dict[str, Any]:
    """What a move would be, without doing it. Raises what `move` would."""
    with owner_engine(settings.owner_url).begin() as connection:
        of = moves.hospital(connection, wish.slug)
        open_ = _same(moves.under_way(connection, of, wish.by), wish)
        if open_ is None:
            moves.demand_possible(connection, settings, of, wish.target)
    source = open_.source if open_ else of.cell
    with connected(owner_url(settings, source)) as own:
        [(size,)] = own.execute(_SIZE, (of.schema,)).fetchall()
    return {
        "hospital": of.slug, "from": source, "to": wish.target, "bytes": size,
        "phase": open_.phase if open_ else None, "done": False,
    }  # fmt: skip


def move(settings: Database, wish: Wish, watch: Watch = lambda *_: None) -> Moved:
    """Do it, or go on with it. Raises `NotFound`; `Invalid` and `Conflict` with the reason, when nothing has changed
    but that the copy may go on another time.
    """
    engine = owner_engine(settings.owner_url)
    with _alone(settings, wish.slug):
        with engine.begin() as connection:
            of = moves.hospital(connection, wish.slug)
            found = _same(moves.under_way(connection, of, wish.by), wish)
            if found is None:
                moves.demand_possible(connection, settings, of, wish.target)
                found = moves.begin(connection, of, wish.target, wish.by)
        watch("begun", 0)
        run = _Run(settings, engine, found, wish, watch)
        with pair_of(owner_url(settings, found.source), owner_url(settings, found.target), of.schema) as pair:
            return run.go(pair)


def undo(settings: Database, slug: str, by: str) -> Move:
    """Take a move back that has not flipped: the hospital works where it is, and the copy is dropped.

    Raises `NotFound` where none is under way, `Conflict` for one that has flipped and can only be gone on with.
    """
    engine = owner_engine(settings.owner_url)
    with _alone(settings, slug):
        with engine.begin() as connection:
            found = moves.under_way(connection, moves.hospital(connection, slug), by)
        if found is None:
            raise NotFound("move-unknown", f"No move of {slug} is under way.")
        if found.phase == "flipped":
            rule = (
                f"{slug} is the cell {found.target}'s already; start the same move again to end it, then move it back."
            )
            raise Conflict("move-flipped", rule)
        schema = found.hospital.schema
        fence.open_again(owner_url(settings, found.source), schema)
        with engine.begin() as connection:
            moves.open_again(connection, found, for_good=True)
        _drop(settings, found.target, schema)
        return found


def drop_copies(settings: Database, slug: str, by: str, *, early: bool = False) -> list[str]:
    """Drop the old copies whose time is over, or all with `early`; gives the cells that had one.

    Raises `NotFound` where there is none, `Conflict` while a move is under way, or none may go yet.
    """
    engine = owner_engine(settings.owner_url)
    gone: list[str] = []
    with _alone(settings, slug):
        with engine.begin() as connection:
            of = moves.hospital(connection, slug)
            if moves.under_way(connection, of, by) is not None:
                raise Conflict("move-under-way", f"A move of {slug} is under way.")
            standing = moves.kept(connection, of)
        if not standing:
            raise NotFound("copy-unknown", f"There is no old copy of {slug}.")
        due = [each for each in standing if early or each.keep_until.timestamp() <= time.time()]
        if not due:
            first = min(each.keep_until for each in standing)
            raise Conflict("copy-kept", f"The old copy is kept until {first:%Y-%m-%d %H:%M %Z}; --now drops it before.")
        for copy in due:
            with pair_of(owner_url(settings, copy.cell), owner_url(settings, of.cell), of.schema) as pair:
                carrying.carry_journal(pair, copy.move)
            _drop(settings, copy.cell, of.schema)
            with engine.begin() as connection:
                moves.dropped(connection, of, copy, by)
            gone.append(copy.cell)
    return gone


class _Run:
    """One move, from the phase that it is in."""

    def __init__(self, settings: Database, engine: Engine, found: Move, wish: Wish, watch: Watch) -> None:
        self._settings, self._engine, self._move = settings, engine, found
        self._wish, self._watch = wish, watch
        self._checked: dict[str, Found] = {}

    def go(self, pair: Pair) -> Moved:
        """To its end."""
        if self._move.phase != "flipped":
            self._make_room()
            carrying.prepare(pair.target, pair.tenant)
            if self._move.phase == "copying":
                self._copy(pair)
            try:
                self._close(pair)
            except BaseException:
                self._back()
                raise
        self._end(pair)
        with self._engine.begin() as connection:
            seconds = moves.finish(connection, self._move)
        self._watch("done", 0)
        # Who was late has left its rows by now.
        time.sleep(self._wish.heard)
        carrying.carry_journal(pair, self._move.id)
        rows = {name: found.rows for name, found in self._checked.items()}
        return Moved(self._move.hospital.slug, self._move.source, self._move.target, seconds, rows)

    def _make_room(self) -> None:
        """Schema, roles and empty tables in the target, where they are not."""
        of, schema, target = self._move.hospital, self._move.hospital.schema, self._move.target
        login = login_of(login_url(self._settings, target, of.slug, of.tier))
        with owner_engine(owner_url(self._settings, target)).begin() as connection:
            roles.make_schema(connection, schema)
            roles.make_hospital_role(connection, schema, login, dedicated=of.tier == DEDICATED)
            migrate_hospital(connection, schema)
            roles.join_hospitals(connection, schema)
        self._watch("room", 0)

    def _copy(self, pair: Pair) -> None:
        """Again and again until little is left, or nothing more is gained."""
        before = 0
        for _ in range(_ROUNDS):
            left = self._round(pair)
            if left <= _FEW or (before and left > before / 2):
                break
            before = left
        # Nobody there knows yet how many rows a table has; the first who asks should not pay for it.
        for part in parts_of(pair.tenant):
            pair.target.execute(_MEASURE.format(part.place))

    def _round(self, pair: Pair) -> int:
        """Compare every table and copy what differs; gives how many groups differed."""
        for part in parts_of(pair.tenant):
            self._checked[part.name] = bring(pair, part, self._watch)
            self._watch(f"compared {part.name}", 0)
        return sum(found.differing for found in self._checked.values())

    def _close(self, pair: Pair) -> None:
        """The window up to the flip. Raises `Conflict` when it becomes too long."""
        began = time.monotonic()
        with self._engine.begin() as connection:
            moves.close(connection, self._move)
        self._watch("closing", 0)
        time.sleep(self._wish.heard)
        fence.close(pair.source, pair.tenant, self._move.source)
        self._watch("closed", 0)
        while self._round(pair):
            if time.monotonic() - began > self._wish.window:
                rule = f"Not all was copied within {self._wish.window:g} s; the hospital works where it was. Try again."
                raise Conflict("window-over", rule)
        self._watch("checked", 0)
        carrying.settle(pair)
        self._watch("settled", 0)
        checked = {name: {"rows": each.rows, "digest": str(each.digest)} for name, each in self._checked.items()}
        with self._engine.begin() as connection:
            moves.flip(connection, self._move, checked, self._wish.keep)
        self._watch("flipped", 0)

    def _back(self) -> None:
        """The hospital works where it was; what was copied stays for the next time."""
        with self._engine.begin() as connection:
            found = moves.under_way(connection, self._move.hospital, self._move.by)
        if found is None or found.phase == "flipped":
            return
        fence.open_again(owner_url(self._settings, self._move.source), self._move.hospital.schema)
        with self._engine.begin() as connection:
            moves.open_again(connection, self._move, for_good=False)

    def _end(self, pair: Pair) -> None:
        """Everybody reads the new one; what is left in the old cell goes along, and it is shut."""
        time.sleep(self._wish.heard)
        fence.shut(pair.source, pair.tenant)
        self._watch("shut", 0)
        carrying.carry_journal(pair, self._move.id)
        carrying.clear(pair.source, pair.tenant)
        self._watch("carried", 0)
        name = f"move:{self._move.id}"
        row = moves.trail_row(self._move, "hospital.moved", pair.tenant)
        with pair.target.transaction():
            [(told,)] = pair.target.execute(_TOLD, (name,)).fetchall()
            if not told:
                pair.target.execute(_JOURNAL, (pair.tenant, row.at, row.canonical()))
                pair.target.execute(_TELL, (name,))


@contextmanager
def _alone(settings: Database, slug: str) -> Iterator[None]:
    """One command at a time for a hospital."""
    with connected(settings.owner_url) as connection:
        [(mine,)] = connection.execute(_ALONE, (slug,)).fetchall()
        if not mine:
            raise Conflict("move-under-way", f"Another command is moving {slug} just now.")
        yield


def _same(found: Move | None, wish: Wish) -> Move | None:
    """The move under way, if it is the one that is wished for."""
    if found is not None and found.target != wish.target:
        rule = f"{wish.slug} is on its way to the cell {found.target}; go on with that, or --undo it."
        raise Conflict("move-under-way", rule, location="to")
    return found


def _drop(settings: Database, cell: str, schema: str) -> None:
    """The copy of a hospital in one cell, and its roles if no other database of that server needs them."""
    engine = owner_engine(owner_url(settings, cell))
    with engine.begin() as connection:
        drop_copy(connection, schema)
    try:
        with engine.begin() as connection:
            roles.drop_hospital_roles(connection, schema)
    except psycopg.errors.DependentObjectsStillExist:
        return

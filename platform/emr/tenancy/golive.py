"""How far a hospital is on its way to going live: one template for all, and what each has written to it.

The template is data (`data/golive.json`, with its sources). What nobody has touched yet is open and has no row.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from emr.db.connection import Connection, Row
from emr.kernel.errors import Invalid, NotFound

HOSPITAL: Final = "hospital"
DEPARTMENT: Final = "department"
STATES: Final = ("open", "doing", "done", "not-needed")
_TEMPLATE: Final = Path(__file__).parent / "data" / "golive.json"
LONGEST_OWNER: Final = 120
LONGEST_NOTE: Final = 2000
MOST_FILES: Final = 20
_OF: Final = """
SELECT item, state, owner, due, note, evidence, changed_at, changed_by_name FROM directory.golive_items
WHERE tenant_id = $1
"""
_ALL: Final = """
SELECT tenant_id, item, state, owner, due FROM directory.golive_items
"""
_WRITE: Final = """
INSERT INTO directory.golive_items (tenant_id, item, state, owner, due, note, changed_by, changed_by_name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (tenant_id, item) DO UPDATE SET state = excluded.state, owner = excluded.owner, due = excluded.due,
  note = excluded.note, changed_by = excluded.changed_by, changed_by_name = excluded.changed_by_name, changed_at = now()
"""
_FILE: Final = """
INSERT INTO directory.golive_items AS i (tenant_id, item, state, evidence, changed_by, changed_by_name)
VALUES ($1, $2, 'doing', jsonb_build_array($3::jsonb), $4, $5)
ON CONFLICT (tenant_id, item) DO UPDATE SET evidence = i.evidence || excluded.evidence,
  changed_by = excluded.changed_by, changed_by_name = excluded.changed_by_name, changed_at = now()
WHERE jsonb_array_length(i.evidence) < $6 RETURNING true
"""


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to be done, of the template. basis: the rule that asks for it, "" for good practice. by: whose task it
    is, the hospital's or the department's.
    """

    code: str
    group: str
    vi: str
    en: str
    basis: str
    by: str = HOSPITAL


@dataclass(frozen=True, slots=True)
class Group:
    """A milestone and its points, in order."""

    code: str
    vi: str
    en: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """A point as it stands in one hospital. evidence: files, as key, title, type, size, at and by; `of` is there
    where the department has kept one in its own store.
    """

    point: Point
    state: str = "open"
    owner: str = ""
    due: date | None = None
    note: str = ""
    evidence: Sequence[Mapping[str, Any]] = ()
    changed_at: datetime | None = None
    changed_by: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done."""
        return self.state in ("done", "not-needed")

    def overdue(self, today: date) -> bool:
        """Whether it should have been settled before this day."""
        return self.due is not None and self.due < today and not self.settled


@dataclass(frozen=True, slots=True)
class Progress:
    """A hospital's way in figures: points settled and in all, those overdue, the next day. milestones: by code, how
    many are settled and in all. late: by code, how many are overdue, where any is.
    """

    settled: int
    total: int
    overdue: int
    next_due: date | None
    milestones: Mapping[str, tuple[int, int]]
    late: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody writes to a point. by: subject and name."""

    code: str
    state: str
    owner: str
    due: date | None
    note: str
    by: tuple[str, str]


@cache
def template() -> tuple[Group, ...]:
    """The milestones with their points."""
    groups = json.loads(_TEMPLATE.read_text("utf-8"))["groups"]
    return tuple(
        Group(
            each["code"], each["vi"], each["en"], tuple(Point(group=each["code"], **point) for point in each["items"])
        )
        for each in groups
    )


def point_of(code: str) -> Point:
    """A point of the template. Raises `NotFound`."""
    for group in template():
        for point in group.points:
            if point.code == code:
                return point
    raise NotFound("golive-unknown", "There is no such point of the checklist.")


class Checklists:
    """The rows of `directory.golive_items`, as `emr_directory`."""

    def __init__(self, directory: Connection) -> None:
        self._directory = directory

    async def of(self, tenant_id: str) -> list[tuple[Group, list[Item]]]:
        """A hospital's whole checklist."""
        rows = {row["item"]: row for row in await self._directory.fetch(_OF, tenant_id, name="golive.of")}
        return [(group, [_item(point, rows.get(point.code)) for point in group.points]) for group in template()]

    async def of_each(self) -> Mapping[str, Sequence[Item]]:
        """State, owner and date of every point of every hospital that has touched its checklist, by its id."""
        touched: dict[str, dict[str, Row]] = {}
        for row in await self._directory.fetch(_ALL, name="golive.all"):
            touched.setdefault(row["tenant_id"], {})[row["item"]] = row
        return {key: [_bare(point, found) for point in _points()] for key, found in touched.items()}

    async def progress(self, today: date) -> Mapping[str, Progress]:
        """Of every hospital that has touched its checklist, by its id."""
        return {key: progress_of(items, today) for key, items in (await self.of_each()).items()}

    async def write(self, tenant_id: str, change: Change) -> None:
        """Change a point. Raises `NotFound`, `Invalid` by field."""
        point_of(change.code)
        demand_sound(change)
        said = change.state, change.owner.strip(), change.due, change.note.strip()
        await self._directory.execute(_WRITE, tenant_id, change.code, *said, *change.by, name="golive.write")

    async def attach(self, tenant_id: str, code: str, file: Mapping[str, Any], by: tuple[str, str]) -> None:
        """Add a file to a point. Raises `NotFound`, `Invalid` when it has as many as it may have."""
        point_of(code)
        row = tenant_id, code, json.dumps(file), *by, MOST_FILES
        if await self._directory.fetchval(_FILE, *row, name="golive.attach") is None:
            raise Invalid("golive-files", f"A point has at most {MOST_FILES} files.", location="file")


def is_offices(file: Mapping[str, Any]) -> bool:
    """Whether the department has kept this file itself, in its own store; else it is the hospital's."""
    return file.get("of") == DEPARTMENT


def untouched() -> list[Item]:
    """The checklist of a hospital that has done nothing yet."""
    return [Item(point) for point in _points()]


def progress_of(items: Sequence[Item], today: date) -> Progress:
    """The figures of a checklist."""
    milestones: dict[str, tuple[int, int]] = {}
    for item in items:
        done, total = milestones.get(item.point.group, (0, 0))
        milestones[item.point.group] = done + item.settled, total + 1
    late = Counter(item.point.group for item in items if item.overdue(today))
    dues = [item.due for item in items if item.due is not None and not item.settled]
    return Progress(
        settled=sum(item.settled for item in items),
        total=len(items),
        overdue=late.total(),
        next_due=min(dues, default=None),
        milestones=milestones,
        late=late,
    )


def demand_sound(change: Change) -> None:
    """Raise `Invalid` by field."""
    if change.state not in STATES:
        raise Invalid("golive-state", f"A state is one of {', '.join(STATES)}.", location="state")
    if len(change.owner) > LONGEST_OWNER:
        raise Invalid("golive-owner", f"An owner has at most {LONGEST_OWNER} characters.", location="owner")
    if len(change.note) > LONGEST_NOTE:
        raise Invalid("golive-note", f"A note has at most {LONGEST_NOTE} characters.", location="note")
    if change.state == "not-needed" and not change.note.strip():
        raise Invalid("golive-reason", "What is not needed says why.", location="note")


def _points() -> list[Point]:
    return [point for group in template() for point in group.points]


def _item(point: Point, row: Row | None) -> Item:
    if row is None:
        return Item(point)
    return Item(
        point=point,
        state=row["state"],
        owner=row["owner"],
        due=row["due"],
        note=row["note"],
        evidence=tuple(json.loads(row["evidence"])),
        changed_at=row["changed_at"],
        changed_by=row["changed_by_name"],
    )


def _bare(point: Point, rows: Mapping[str, Row]) -> Item:
    row = rows.get(point.code)
    return Item(point) if row is None else Item(point, state=row["state"], owner=row["owner"], due=row["due"])

"""The verbs of the department on the way to going live: the whole city, one hospital, a point that is its own task."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from emr.administration.golive.evidence import Evidence, media_type_of
from emr.fleet.golive import OnItsWay, overview
from emr.kernel.errors import Forbidden, NotFound
from emr.kernel.tenant import Tenant
from emr.tenancy.golive import (
    DEPARTMENT,
    Change,
    Checklists,
    Group,
    Item,
    Progress,
    is_offices,
    point_of,
    progress_of,
)
from emr.work.department import DepartmentWork, department_use_case
from emr.work.office_files import office_file, open_office_file

_ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True, slots=True)
class Checklist:
    """A hospital's checklist on a day."""

    hospital: Tenant
    groups: Sequence[tuple[Group, Sequence[Item]]]
    progress: Progress
    today: date


@department_use_case("fleet:look", "golive.city-shown")
async def city(work: DepartmentWork) -> Sequence[OnItsWay]:
    """Every hospital with patients of its own."""
    await work.runtime.registry.refresh()
    found = await overview(work.db, work.runtime.registry.all(), today(work))
    work.note(hospitals=len(found))
    return found


@department_use_case("fleet:look", "golive.shown-to-department")
async def checklist(work: DepartmentWork, slug: str) -> Checklist:
    """One hospital's. Raises `NotFound`."""
    hospital = await _hospital(work, slug)
    groups = await Checklists(work.db).of(hospital.id)
    progress = progress_of([item for _, items in groups for item in items], today(work))
    return Checklist(hospital, groups, progress, today(work))


@department_use_case("fleet:look", "golive.point-shown-to-department")
async def point(work: DepartmentWork, slug: str, code: str) -> tuple[Tenant, Item]:
    """One point of one hospital. Raises `NotFound`."""
    hospital = await _hospital(work, slug)
    work.note(point=code)
    return hospital, await _item(work, hospital, code)


@department_use_case("fleet:golive", "golive.changed-by-department")
async def write(work: DepartmentWork, slug: str, change: Change) -> Item:
    """Change a point that is the department's task. Raises `NotFound`, `Forbidden` for one of the hospital's, `Invalid`
    by field.
    """
    hospital = await _hospital(work, slug)
    before = await _item(work, hospital, change.code)
    _demand_ours(before)
    await Checklists(work.db).write(hospital.id, change)
    work.note(point=change.code, before=before.state, after=change.state)
    return await _item(work, hospital, change.code)


@department_use_case("fleet:golive", "golive.evidence-added-by-department")
async def add(work: DepartmentWork, slug: str, code: str, title: str, content: bytes) -> Item:
    """Keep a file at a point that is the department's task. Raises `NotFound`, `Forbidden` for one of the hospital's,
    `Invalid` by field, `StoreUnavailable`.
    """
    hospital = await _hospital(work, slug)
    _demand_ours(await _item(work, hospital, code))
    media_type = media_type_of(title, content)
    async with office_file(work.runtime, content, media_type) as blob:
        file = {"key": blob.key, "title": title, "type": media_type, "size": blob.size, "at": work.clock().isoformat(),
                "by": work.principal.name, "of": DEPARTMENT}  # fmt: skip
        await Checklists(work.db).attach(hospital.id, code, file, (work.principal.subject, work.principal.name))
    work.note(point=code, sha256=blob.digest, size=blob.size)
    return await _item(work, hospital, code)


@department_use_case("fleet:look", "golive.evidence-read-by-department")
async def open_evidence(work: DepartmentWork, slug: str, code: str, number: int) -> Evidence:
    """A file that the department has kept itself, by its place from 1; a hospital's is not there for it. Raises
    `NotFound`.
    """
    hospital = await _hospital(work, slug)
    files = (await _item(work, hospital, code)).evidence
    work.note(point=code, file=number)
    if not 1 <= number <= len(files) or not is_offices(files[number - 1]):
        raise NotFound("evidence-unknown", "There is no such file.")
    file = files[number - 1]
    return Evidence(file["title"], file["type"], await open_office_file(work.runtime, file["key"], file["size"]))


def today(work: DepartmentWork) -> date:
    """The department's day."""
    return work.clock().astimezone(_ZONE).date()


def _demand_ours(item: Item) -> None:
    if item.point.by != DEPARTMENT:
        raise Forbidden("golive-hospitals-own", "This point is the hospital's own task; its administrator keeps it.")


async def _hospital(work: DepartmentWork, slug: str) -> Tenant:
    await work.runtime.registry.refresh()
    hospital = work.runtime.registry.by_slug(slug)
    if hospital.sandbox:
        raise NotFound("golive-sandbox", "A hospital for training does not go live.")
    work.note(hospital=slug)
    return hospital


async def _item(work: DepartmentWork, hospital: Tenant, code: str) -> Item:
    point_of(code)
    items = [item for _, each in await Checklists(work.db).of(hospital.id) for item in each]
    return next(item for item in items if item.point.code == code)

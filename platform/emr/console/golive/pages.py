"""The pages of going live at `/ops/golive`: the city, one hospital, one point."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request, Response

from emr.access.permissions import may
from emr.administration.answers import explain, handed_out
from emr.administration.golive.evidence import LONGEST_TITLE
from emr.administration.golive.form import STATES, TONES, change_of, filled
from emr.console import views
from emr.console.answers import ZONE, FormWithFile, Office, done, parameters, show
from emr.console.golive import service
from emr.console.golive.asking import PARAMETERS, Asked, asked_of, listed
from emr.fleet.golive import OnItsWay
from emr.kernel.errors import Invalid
from emr.kernel.tenant import Tenant
from emr.tenancy.golive import DEPARTMENT, Item, is_offices, template
from emr.web.answers import read_form
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.work.department import DepartmentWork

router = APIRouter(prefix="/ops/golive", include_in_schema=False)
_COLUMNS: Final = (
    ("name", mark("Bệnh viện")),
    ("state", mark("Trạng thái")),
    ("settled", mark("Đã xong")),
    ("late", mark("Quá hạn")),
    ("due", mark("Hạn gần nhất")),
)
"""Key to sort by, and heading; the milestones stand between."""


@router.get("")
async def city(request: Request, work: Office) -> Response:
    """Every hospital that the filters leave, by milestone."""
    given = parameters(request, PARAMETERS)
    asked = asked_of(given)
    every = await service.city(work)
    return show(
        request, work, "console/golive_city.html", ways=listed(every, asked), every=every, asked=asked, views=views,
        groups=template(), sorting=_sorting(asked, given), columns=_COLUMNS, today=service.today(work),
        reached=_reached(every),
    )  # fmt: skip


@router.get("/{slug}")
async def checklist(request: Request, work: Office, slug: str) -> Response:
    """One hospital's whole checklist."""
    parameters(request, ())
    found = await service.checklist(work, slug)
    return show(
        request, work, "console/golive_one.html", found=found, states=STATES, tones=TONES, views=views,
        department=DEPARTMENT,
    )  # fmt: skip


@router.get("/{slug}/{code}")
async def point(request: Request, work: Office, slug: str, code: str) -> Response:
    """One point; what is the department's task can be changed."""
    parameters(request, ())
    hospital, item = await service.point(work, slug, code)
    return _point(request, work, (hospital, item), filled(item))


@router.post("/{slug}/{code}")
async def write(request: Request, work: Office, slug: str, code: str) -> Response:
    """Another state, owner, date or note."""
    form = await read_form(request, work)
    change = change_of(form, code, (work.principal.subject, work.principal.name))
    if form.ok:
        await service.write(work, slug, change)
        return done(request, f"/golive/{slug}", "golive-saved")
    return _point(request, work, await service.point(work, slug, code), form, status=422)


@router.post("/{slug}/{code}/evidence")
async def add(request: Request, sent: FormWithFile, work: Office, slug: str, code: str) -> Response:
    """A file that shows that a point of the department's is done."""
    form = sent.form
    title = form.text("title", required=mark("Ghi tên tài liệu"), limit=LONGEST_TITLE)
    if not sent.content:
        form.refuse("file", mark("Chọn một tệp"))
    if form.ok:
        try:
            await service.add(work, slug, code, title, sent.content)
        except Invalid as refusal:
            explain(form, refusal, "file")
        else:
            return done(request, f"/golive/{slug}/{code}", "golive-saved")
    hospital, item = await service.point(work, slug, code)
    shown = filled(item)
    shown.refusals.update(form.refusals)
    return _point(request, work, (hospital, item), shown, status=422)


@router.get("/{slug}/{code}/evidence/{number}")
async def evidence(request: Request, work: Office, slug: str, code: str, number: int) -> Response:
    """A file that the department has kept, never shown in place."""
    parameters(request, ())
    return handed_out(await service.open_evidence(work, slug, code, number), code, number)


def _point(
    request: Request, work: DepartmentWork, place: tuple[Tenant, Item], form: Form, *, status: int = 200
) -> Response:
    hospital, item = place
    ours = item.point.by == DEPARTMENT and may(work.principal, "fleet:golive")
    return show(
        request, work, "console/golive_point.html", status=status, hospital=hospital, item=item, form=form, ours=ours,
        states=STATES, tones=TONES, zone=ZONE, department=DEPARTMENT, is_offices=is_offices, day=datetime.fromisoformat,
        theirs=not all(map(is_offices, item.evidence)),
    )  # fmt: skip


def _sorting(asked: Asked, given: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Of each column the address that sorts by it, and how it is sorted now, as `aria-sort` says it."""
    found = {}
    for key in (*(key for key, _ in _COLUMNS), *(group.code for group in template())):
        up, down = asked.sort == key, asked.sort == f"-{key}"
        wanted = key if down or (not up and key in ("name", "state", "due")) else f"-{key}"
        found[key] = views.link(given, sort=wanted), "ascending" if up else "descending" if down else "none"
    return found


def _reached(every: Sequence[OnItsWay]) -> dict[str, int]:
    """How many hospitals have finished each milestone."""
    return {
        group.code: sum(done == total for done, total in (way.progress.milestones[group.code] for way in every))
        for group in template()
    }

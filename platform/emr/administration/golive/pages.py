"""The pages of a hospital's way to going live, at `/h/{slug}/admin/golive`."""

from datetime import date, datetime
from typing import Final

from fastapi import APIRouter, Request, Response

from emr.administration.answers import explain, handed_out, zone_of
from emr.administration.golive import service
from emr.administration.golive.evidence import FORM_BYTES, LARGEST, LONGEST_TITLE
from emr.administration.golive.form import STATES, TONES, change_of, filled
from emr.administration.golive.pilot import PilotTold, told
from emr.administration.service import is_current, list_members, list_wards
from emr.kernel.errors import Conflict, Invalid
from emr.tenancy.golive import Item, progress_of
from emr.web.answers import FEATURE_NAMES, read_form, read_form_and_file, render, saved
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.web.work import Visiting, Work
from emr.work.unit import UnitOfWork
from emr.work.visit import Visit

router = APIRouter(prefix="/h/{slug}/admin/golive", include_in_schema=False)
_HERE: Final = "/admin/golive"


@router.get("")
async def checklist(request: Request, work: Work) -> Response:
    """All milestones."""
    found, today = await service.show(work), _today(work)
    progress = progress_of([item for _, items in found for item in items], today)
    return render(
        request, work, "administration/golive.html", groups=found, progress=progress, today=today, states=STATES,
        tones=TONES, zone=zone_of(work), pilot=await _pilot(work), features=FEATURE_NAMES,
    )  # fmt: skip


@router.get("/{code}")
async def point(request: Request, work: Work, code: str) -> Response:
    """One point, to be changed."""
    found = await service.point(work, code)
    return _point(request, work, found, filled(found))


@router.post("/{code}")
async def write(request: Request, work: Work, code: str) -> Response:
    """Another state, owner, date or note."""
    form = await read_form(request, work)
    found = await service.point(work, code)
    change = change_of(form, code, (work.principal.subject, work.principal.name))
    if form.ok:
        try:
            await service.write(work, change)
        except Invalid as refusal:
            explain(form, refusal)
        else:
            return saved(request, work, _HERE, "golive-saved")
    return _point(request, work, found, form, status=422)


@router.post("/{code}/evidence")
async def add(request: Request, visit: Visiting, code: str) -> Response:
    """A file that shows it."""
    form, content = await read_form_and_file(request, visit, "file", LARGEST + FORM_BYTES)
    title = form.text("title", required=mark("Ghi tên tài liệu"), limit=LONGEST_TITLE)
    if not content:
        form.refuse("file", mark("Chọn một tệp"))
    if form.ok:
        try:
            async with visit.begin() as work:
                file = await service.keep(work, code, title, content)
            async with visit.begin() as work:
                await service.attach(work, code, file)
        except (Conflict, Invalid) as refusal:
            explain(form, refusal, "file")
        else:
            return saved(request, visit, f"{_HERE}/{code}", "golive-saved")
    async with visit.begin() as work:
        found = await service.point(work, code)
        shown = filled(found)
        shown.refusals.update(form.refusals)
        return _point(request, work, found, shown, status=422)


@router.get("/{code}/evidence/{number}")
async def evidence(work: Work, code: str, number: int) -> Response:
    """A file as it was kept, never shown in place."""
    return handed_out(await service.open_evidence(work, code, number), code, number)


def _point(request: Request, where: UnitOfWork | Visit, found: Item, form: Form, *, status: int = 200) -> Response:
    return render(
        request, where, "administration/golive_point.html", status=status, item=found, form=form, states=STATES,
        zone=zone_of(where), day=datetime.fromisoformat,
    )  # fmt: skip


async def _pilot(work: UnitOfWork) -> PilotTold | None:
    if work.tenant.pilot is None:
        return None
    members = [each for each in await list_members(work) if is_current(each, work.clock())]
    return told(work.tenant, await list_wards(work), members)


def _today(work: UnitOfWork) -> date:
    return work.clock().astimezone(zone_of(work)).date()

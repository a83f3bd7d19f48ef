"""Pages at `/h/{slug}/emergency`, and the same for clients that ask for JSON."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from emr.emergency import policy, service
from emr.emergency.service import BreakGlass
from emr.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from emr.records.people import patients_of
from emr.web.answers import ROLE_NAMES, read_form, render, saved
from emr.web.forms import Form, fhir_date
from emr.web.i18n import mark
from emr.web.paths import home_of
from emr.web.patient import called
from emr.web.work import Work
from emr.work.unit import UnitOfWork

router = APIRouter(prefix="/h/{slug}/emergency", include_in_schema=False)
_SAID: Final = {
    "recent-sign-in-needed": mark("Hãy xác thực lại trước: truy cập khẩn cấp cần xác minh danh tính mới."),
    "glass-needless": mark("Bạn đang xem được người bệnh này; không cần truy cập khẩn cấp."),
    "not-found": mark("Không có người bệnh này."),
    "reason-unknown": mark("Hãy chọn một lý do."),
    "reason-length": mark("Ghi lý do bằng lời, từ 10 đến 500 ký tự."),
    "finding-length": mark("Ghi nhận xét, từ 10 đến 500 ký tự."),
    "verdict-unknown": mark("Hãy chọn kết luận."),
}


@router.get("")
async def begin(request: Request, work: Work) -> Response:
    """The search, and what one has open."""
    return await _page(request, work, Form())


@router.post("")
async def seek(request: Request, work: Work) -> Response:
    """Who has this number, or this full name and birth date."""
    form = await read_form(request, work)
    text = form.text("text", required=mark("Nhập mã người bệnh, CCCD, BHYT, hoặc họ tên đầy đủ"), limit=120)
    born = fhir_date(form.values.get("born", "").strip()) or ""
    found = await service.find_in_emergency(work, text, born) if form.ok else None
    return await _page(request, work, form, found=found)


@router.post("/break")
async def break_glass(request: Request, work: Work) -> Response:
    """Break it: then the chart."""
    form = await read_form(request, work)
    patient = form.values.get("patient", "")[:64]
    reason, words = (form.values.get(f"{name}-{patient}", "") for name in ("reason", "words"))
    wanted = BreakGlass(patient, reason, words)
    try:
        broken = await service.break_glass(work, wanted)
    except (Conflict, Forbidden, Invalid, NotFound) as refusal:
        _explain(form, refusal, patient)
        chosen = {"id": wanted.patient, "name": form.values.get("name", ""), "born": "", "number": ""}
        return await _page(request, work, form, status=422, chosen=chosen)
    if "json" in request.headers.get("accept", ""):
        told = {"grant": broken.id, "patient": broken.patient, "until": broken.until.isoformat()}
        return JSONResponse(told, status_code=201)
    return RedirectResponse(f"{home_of(work.tenant)}/patients/{broken.patient}", status_code=303)


@router.post("/{id}/end")
async def end(request: Request, work: Work, id: str) -> Response:  # noqa: A002 - the name in the path
    """End one's own before its time."""
    await read_form(request, work)
    await service.end_glass(work, id)
    return saved(request, work, "/emergency", "glass-ended")


@router.get("/reviews")
async def reviews(request: Request, work: Work) -> Response:
    """The queue."""
    return await _queue(request, work, Form())


@router.get("/reviews/count")
async def count(work: Work) -> Response:
    """How many wait, as a sign beside a label; nothing when none does."""
    waiting = await service.count_reviews(work)
    return HTMLResponse(f'<span class="chip bad">{waiting}</span>' if waiting else "")


@router.post("/reviews/{id}")
async def review(request: Request, work: Work, id: str) -> Response:  # noqa: A002 - the name in the path
    """One is reviewed."""
    form = await read_form(request, work)
    try:
        await service.review_glass(work, id, *(form.values.get(f"{name}-{id}", "") for name in ("verdict", "finding")))
    except Invalid as refusal:
        _explain(form, refusal, id)
        return await _queue(request, work, form, status=422)
    return saved(request, work, "/emergency/reviews", "glass-reviewed")


async def _page(request: Request, work: UnitOfWork, form: Form, *, status: int = 200, **context: Any) -> Response:
    context = {"found": None, "chosen": None} | context
    return render(
        request, work, "emergency/begin.html", status=status, form=form, own=await service.list_own(work),
        reasons=policy.reasons(), zone=ZoneInfo(work.tenant.time_zone),
        fresh=policy.proved(work.principal, work.clock()), **context,
    )  # fmt: skip


async def _queue(request: Request, work: UnitOfWork, form: Form, *, status: int = 200) -> Response:
    waiting, done = await service.list_reviews(work)
    people = await patients_of(work, {each.patient for each in (*waiting, *done)})
    zone, now = ZoneInfo(work.tenant.time_zone), work.clock()
    return render(
        request, work, "emergency/reviews.html", status=status, form=form, done=done,
        waiting=[(each, policy.due(each.since, zone)) for each in waiting], now=now, zone=zone,
        hours=lambda since: int((now - since).total_seconds() // 3600),
        reasons=policy.reasons(), verdicts=policy.VERDICTS, roles=ROLE_NAMES,
        names={key: called(each.resource()) for key, each in people.items()},
    )  # fmt: skip


def _explain(form: Form, refusal: Refusal, key: str) -> None:
    """Say it at the field of the form with this key: several forms stand on a page."""
    said = _SAID.get(refusal.code)
    if said is None:
        raise refusal
    form.refuse(f"{refusal.issues[0].location or 'form'}-{key}", said)

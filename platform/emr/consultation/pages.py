"""The forms of the consultation over HTTP: shown, read, stored, and back to the chart."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from emr.consultation import policy, service
from emr.consultation.codes import find_codes
from emr.consultation.resources import Entry
from emr.kernel.errors import Invalid, Malformed
from emr.kernel.json import dumps
from emr.web.answers import new_key, read_form, render, saved, say_once
from emr.web.forms import Form
from emr.web.i18n import Said, mark
from emr.web.idempotency import once
from emr.web.patient import Banner
from emr.web.strip import Strip, load_strip
from emr.web.work import Work
from emr.work.unit import UnitOfWork

router = APIRouter(prefix="/h/{slug}", include_in_schema=False)
_PATIENT = "/patients/{patient}"


@dataclass(frozen=True)
class _Sheet:
    """One form in front of one patient."""

    request: Request
    work: UnitOfWork
    strip: Strip
    form: Form
    now: datetime
    zone: ZoneInfo

    @property
    def entry(self) -> Entry:
        """Whose form it is."""
        return Entry(self.strip.banner.id, self.work.principal.name, self.strip.encounter)

    def show(self, name: str, *, status: int = 200, **context: Any) -> Response:
        """The page of this form."""
        banner: Banner = self.strip.banner
        key = self.form.key or new_key()
        return render(
            self.request, self.work, f"consultation/{name}.html", status=status,
            **context, banner=banner, here=name, form=self.form, key=key, policy=policy,
        )  # fmt: skip


@dataclass(frozen=True)
class _Task:
    """What a form does: store, say so; and its page, should it have to be shown again."""

    store: Callable[[], Awaitable[object]]
    notice: str
    show: Callable[[int], Awaitable[Response]]


async def _sheet(request: Request, work: UnitOfWork, patient: str) -> _Sheet:
    zone = ZoneInfo(work.tenant.time_zone)
    now = work.clock().astimezone(zone)
    strip = await load_strip(work, patient)
    if request.method == "POST":
        form = await read_form(request, work)
    else:
        form = Form({"when": now.strftime("%d/%m/%Y %H:%M"), "kind": "exam", "certainty": "confirmed"})
    return _Sheet(request, work, strip, form, now, zone)


async def _page(sheet: _Sheet, name: str, status: int) -> Response:
    return sheet.show(name, status=status)


async def _problem_page(sheet: _Sheet, status: int) -> Response:
    return sheet.show("problem", status=status, found=find_codes(sheet.form.values.get("find", "")))


async def _vitals_page(sheet: _Sheet, status: int) -> Response:
    last = await service.last_figures(sheet.work, sheet.strip.banner.id)
    return sheet.show("vitals", status=status, last=last, ranges=policy.ranges(sheet.strip.months))


async def _finish(sheet: _Sheet, task: _Task) -> Response:
    """Store once, however often the form arrives. Raises `Malformed` for a form without a key."""
    if not sheet.form.key:
        raise Malformed("no-idempotency-key", "The form carries no Idempotency-Key.", location="_key")

    async def produce() -> Response:
        await task.store()
        return saved(sheet.request, sheet.work, f"/patients/{sheet.strip.banner.id}", task.notice)

    typed = dumps(dict(sorted(sheet.form.values.items())))
    try:
        answer = await once(sheet.request, sheet.work, produce, key=sheet.form.key, body=typed)
    except Invalid as refusal:
        if refusal.code != "idempotency-key-reused":
            raise
        # The first sending arrived and its answer got lost; what is typed now is something new.
        sheet.form.key = ""
        sheet.form.refuse(
            "text", mark("Lần gửi trước đã được lưu, với nội dung khác. Hãy xem bệnh án rồi mới lưu thêm.")
        )
        return await task.show(422)
    say_once(answer, sheet.request, sheet.work, task.notice)
    return answer


@router.get(_PATIENT + "/vitals/new")
async def vitals_form(request: Request, work: Work, patient: str) -> Response:
    """The vital signs form beside the last values."""
    return await _vitals_page(await _sheet(request, work, patient), 200)


@router.post(_PATIENT + "/vitals/new")
async def save_vitals(request: Request, work: Work, patient: str) -> Response:
    """Store vital signs."""
    sheet = await _sheet(request, work, patient)
    vitals = policy.vitals_of(sheet.form, months=sheet.strip.months, now=sheet.now, zone=sheet.zone)
    task = _Task(
        lambda: service.record_vitals(work, vitals, sheet.entry),
        "vitals-saved",
        lambda status: _vitals_page(sheet, status),
    )
    return await _finish(sheet, task) if sheet.form.ok else await task.show(422)


@router.get(_PATIENT + "/notes/new")
async def note_form(request: Request, work: Work, patient: str) -> Response:
    """The note form."""
    return (await _sheet(request, work, patient)).show("note")


@router.post(_PATIENT + "/notes/new")
async def save_note(request: Request, work: Work, patient: str) -> Response:
    """Store a note."""
    sheet = await _sheet(request, work, patient)
    note = policy.note_of(sheet.form, now=sheet.now, zone=sheet.zone)
    task = _Task(
        lambda: service.write_note(work, note, sheet.entry), "note-saved", lambda status: _page(sheet, "note", status)
    )
    return await _finish(sheet, task) if sheet.form.ok else await task.show(422)


@router.get(_PATIENT + "/problems/new")
async def problem_form(request: Request, work: Work, patient: str) -> Response:
    """The problem form."""
    return await _problem_page(await _sheet(request, work, patient), 200)


@router.post(_PATIENT + "/problems/new")
async def save_problem(request: Request, work: Work, patient: str) -> Response:
    """Store a problem; the button that looks for codes comes here too, for browsers without script."""
    sheet = await _sheet(request, work, patient)
    if sheet.form.values.get("act") == "find":
        return await _problem_page(sheet, 200)
    problem = policy.problem_of(sheet.form, now=sheet.now)
    task = _Task(
        lambda: service.add_problem(work, problem, sheet.entry),
        "problem-saved",
        lambda status: _problem_page(sheet, status),
    )
    return await _finish(sheet, task) if sheet.form.ok else await task.show(422)


@router.get(_PATIENT + "/allergies/new")
async def allergy_form(request: Request, work: Work, patient: str) -> Response:
    """The allergy form."""
    return (await _sheet(request, work, patient)).show("allergy")


@router.post(_PATIENT + "/allergies/new")
async def save_allergy(request: Request, work: Work, patient: str) -> Response:
    """Store an allergy, or that there is none."""
    sheet = await _sheet(request, work, patient)
    allergy = policy.allergy_of(sheet.form, now=sheet.now)
    if not allergy.substance and sheet.strip.banner.allergies:
        sheet.form.refusals.setdefault("none", Said(mark("Người bệnh đang có dị ứng được ghi; hãy xem lại trước")))
    task = _Task(
        lambda: service.add_allergy(work, allergy, sheet.entry),
        "allergy-saved",
        lambda status: _page(sheet, "allergy", status),
    )
    return await _finish(sheet, task) if sheet.form.ok else await task.show(422)


@router.post("/codes")
async def codes(request: Request, work: Work) -> Response:
    """The diagnoses that fit what was typed so far, as a part of the problem form."""
    form = await read_form(request, work)
    return render(request, work, "consultation/codes.html", found=find_codes(form.values.get("find", "")), form=form)

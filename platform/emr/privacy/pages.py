"""The privacy officer's pages: the trail searched, one patient's report, and who looked in from outside.

What is searched for names people, and so is posted and never stands in an address.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, cast
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from emr.audit.archives import Stored
from emr.audit.reading import Wanted
from emr.kernel.errors import NotFound
from emr.kernel.text import fold
from emr.privacy.hints import gather
from emr.privacy.support import count_support, list_support, note_support, stop_support
from emr.privacy.trail import NAMED, Entry, Fits, Found, named, names_in, report_on_patient, search_trail
from emr.privacy.words import KINDS, Kind, from_outside, kind_of, lines
from emr.records.people import patient_numbered
from emr.web.answers import read_form, render, saved
from emr.web.forms import Form, fhir_date
from emr.web.i18n import mark
from emr.web.moments import shown
from emr.web.support import OFFICES, SCOPES
from emr.web.work import Work
from emr.work.unit import UnitOfWork

router = APIRouter(prefix="/h/{slug}/privacy", include_in_schema=False)

_PAGE: Final = 50
_REPORT: Final = 200


@router.get("")
async def newest(request: Request, work: Work) -> Response:
    """What was done last."""
    return await _search(request, work, Form())


@router.post("")
async def seek(request: Request, work: Work) -> Response:
    """By person, patient, kind of act and days."""
    return await _search(request, work, await read_form(request, work))


@router.get("/watchers")
async def watchers(request: Request, work: Work) -> Response:
    """Each look, and each try, by the department, support or another hospital's people."""
    found = await search_trail(work, Wanted(), count=_REPORT, fits=from_outside)
    rows = lines(found.entries, _zone(work), await gather(work, found.entries))
    return render(
        request, work, "privacy/watchers.html", rows=rows, more=found.before is not None,
        grants=await list_support(work), now=work.clock(), zone=_zone(work), offices=OFFICES, scopes=SCOPES,
        names=await names_in(work, found), most=NAMED,
    )  # fmt: skip


@router.get("/support/count")
async def count(work: Work) -> Response:
    """How many support grants nobody has seen, as a sign beside a label; nothing when there is none."""
    waiting = await count_support(work)
    return HTMLResponse(f'<span class="chip bad">{waiting}</span>' if waiting else "")


@router.post("/support/{grant}/note")
async def note(request: Request, work: Work, grant: str) -> Response:
    """A support grant was seen."""
    await read_form(request, work)
    await note_support(work, grant)
    return saved(request, work, "/privacy/watchers", "support-noted")


@router.post("/support/{grant}/end")
async def stop(request: Request, work: Work, grant: str) -> Response:
    """A support grant is over."""
    await read_form(request, work)
    await stop_support(work, grant)
    return saved(request, work, "/privacy/watchers", "support-ended")


@router.get("/patients/{patient}")
async def report(request: Request, work: Work, patient: str, before: int = Wanted().before) -> Response:
    """Who looked at this patient, when, as what, why; to be printed and handed over. `before`: where a page begins."""
    wanted = Wanted(before=min(before, Wanted().before))
    found, whom = await report_on_patient(work, patient, wanted, count=_REPORT), await named(work, patient)
    if whom is None and not found.entries and found.before is None:
        raise NotFound("not-found", "Nothing in the trail concerns this id.")
    rows = lines(found.entries, _zone(work), await gather(work, found.entries))
    return render(
        request, work, "privacy/report.html", patient=patient, named=whom,
        born=shown(whom.born, _zone(work)) if whom else "", rows=rows, before=found.before,
        later=wanted.before != Wanted().before, stored=_local(found, work),
        printed=work.clock().astimezone(_zone(work)),
    )  # fmt: skip


async def _search(request: Request, work: UnitOfWork, form: Form) -> Response:
    wanted, fits = _wanted(form, _zone(work))
    if wanted.patient:
        wanted = replace(wanted, patient=await patient_numbered(work, wanted.patient) or wanted.patient)
    found = await search_trail(work, wanted, count=_PAGE, fits=fits) if form.ok else None
    rows = lines(found.entries, _zone(work), await gather(work, found.entries)) if found else ()
    return render(
        request, work, "privacy/search.html", form=form, kinds=list(KINDS.items()), rows=rows,
        before=found.before if found else None, stored=_local(found, work), status=200 if form.ok else 422,
        names=await names_in(work, found) if found else {}, most=NAMED,
    )  # fmt: skip


def _wanted(form: Form, zone: ZoneInfo) -> tuple[Wanted, Fits | None]:
    """What the fields ask for: what columns tell, and what each row is asked."""
    first, last = (_day(form, name) for name in ("since", "until"))
    kind = cast("Kind", form.text("kind", limit=20))
    who = fold(form.text("who", limit=120))
    if kind not in KINDS:
        form.refuse("kind", mark("Hãy chọn một loại việc trong danh sách."))
    before = form.values.get("before", "")
    wanted = Wanted(
        patient=form.text("patient", limit=64) or None,
        since=_start(first, zone) if first else Wanted().since,
        until=_start(last + timedelta(days=1), zone) if last else Wanted().until,
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 19 else Wanted().before,
    )
    if not who and not kind:
        return wanted, None

    def fits(entry: Entry) -> bool:
        name = fold(str((entry.text["actor"] or {}).get("name") or ""))
        return all(word in name for word in who.split()) and (not kind or kind_of(entry) == kind)

    return wanted, fits


def _day(form: Form, name: str) -> date | None:
    typed = form.text(name, limit=20)
    found = fhir_date(typed) if typed else None
    if typed and (found is None or len(found) != len("2026-11-22")):
        form.refuse(name, mark("Ghi ngày theo dạng ngày/tháng/năm, ví dụ 22/11/2026."))
        return None
    return date.fromisoformat(found) if found else None


def _start(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _local(found: Found | None, work: UnitOfWork) -> Stored | None:
    """What lies in files, with its days in the hospital's own time."""
    stored, zone = found.stored if found else None, _zone(work)
    return stored and replace(stored, since=stored.since.astimezone(zone), until=stored.until.astimezone(zone))


def _zone(work: UnitOfWork) -> ZoneInfo:
    return ZoneInfo(work.tenant.time_zone)

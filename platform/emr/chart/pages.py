"""The chart over HTTP: find a patient, the whole chart, and a page for each of its parts."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from emr.access.permissions import may
from emr.chart import service, story
from emr.chart.care import medicines, problems
from emr.chart.finding import hits
from emr.chart.readings import readings
from emr.chart.results import grouped, result_rows
from emr.chart.trend import PANELS, trend_view
from emr.chart.views import by_category, vital_signs
from emr.kernel.errors import NotFound
from emr.web.answers import read_form, render
from emr.web.paths import home_of, patient_path
from emr.web.strip import load_banner, load_strip
from emr.web.work import Work

router = APIRouter(prefix="/h/{slug}", include_in_schema=False)
Code = Annotated[str, Path(max_length=64)]
Cursor = Annotated[str, Query(max_length=400)]


@router.get("/")
async def home(request: Request, work: Work) -> Response:
    """The hospital's first page: find a patient, or choose one of those who were seen last.

    Who finds no patients and administers goes on to that.
    """
    if not may(work.principal, "patient:find") and may(work.principal, "member:manage"):
        return RedirectResponse(f"{home_of(work.tenant)}/admin", status_code=303)
    people = await service.recent_patients(work) if may(work.principal, "patient:find") else ()
    found = hits(people, today=service.now_in(work).date(), zone=service.zone_of(work))
    return render(request, work, "chart/find.html", found=found, text="", fresh=True)


@router.post("/find")
async def find(request: Request, work: Work) -> Response:
    """Patients who fit what was typed: rows alone for htmx, else the whole page."""
    form = await read_form(request, work)
    text = form.text("text", limit=120)
    people = await service.find_patients(work, text) if len(text) >= 2 else ()
    found = hits(people, today=service.now_in(work).date(), zone=service.zone_of(work))
    template = "chart/hits.html" if "hx-request" in request.headers else "chart/find.html"
    return render(request, work, template, found=found, text=text, fresh=False)


@router.get("/patients/{patient}")
async def chart(request: Request, work: Work, patient: str) -> Response:
    """One patient on one page."""
    view = await service.read_chart(work, patient)
    return render(request, work, "chart/chart.html", view=view, banner=view.banner, here="chart")


@router.get("/patients/{patient}/results")
async def results(
    request: Request, work: Work, patient: str, after: Cursor = "", only: Literal["", "abnormal"] = ""
) -> Response:
    """All results under the laboratory's headings, or the abnormal ones only."""
    banner = await load_banner(work, patient)
    found, onward = await service.read_results(work, patient, cursor=after)
    rows = [row for row in result_rows(found, service.now_in(work)) if not only or row.latest.flag]
    here = f"{patient_path(work.tenant, patient)}/results"
    return render(
        request, work, "chart/results.html", banner=banner, here="results", groups=grouped(rows), only=only,
        count=len(rows), onward=_onward(here, onward) + ("&only=abnormal" if only and onward else ""),
    )  # fmt: skip


@router.get("/patients/{patient}/results/{code}")
async def trend(request: Request, work: Work, patient: str, code: Code, after: Cursor = "") -> Response:
    """One value over time: the large line and every figure."""
    strip = await load_strip(work, patient)
    found, onward = await service.read_results(work, patient, code=PANELS.get(code, code), cursor=after)
    view = trend_view(found, code, strip.months)
    if view is None:
        raise NotFound("no-such-result", "This patient has no such result.")
    here = f"{patient_path(work.tenant, patient)}/results/{code}"
    return render(
        request, work, "chart/trend.html", banner=strip.banner, here="results", view=view, onward=_onward(here, onward)
    )


@router.get("/patients/{patient}/encounters")
async def encounters(request: Request, work: Work, patient: str, after: Cursor = "") -> Response:
    """Every encounter on a timeline."""
    banner = await load_banner(work, patient)
    found, onward = await service.read_encounters(work, patient, cursor=after)
    here = f"{patient_path(work.tenant, patient)}/encounters"
    rows = story.visits(found, service.zone_of(work))
    return render(
        request, work, "chart/encounters.html", banner=banner, here="encounters", rows=rows,
        onward=_onward(here, onward),
    )  # fmt: skip


@router.get("/patients/{patient}/encounters/{encounter}")
async def encounter(request: Request, work: Work, patient: str, encounter: str) -> Response:
    """One encounter: why, what was found, written and prescribed."""
    strip = await load_strip(work, patient)
    found = await service.read_encounter(work, patient, encounter)
    zone, now = service.zone_of(work), service.now_in(work)
    signs, tests = by_category(found["Observation"])
    return render(
        request, work, "chart/encounter.html", banner=strip.banner, here="encounters",
        visit=story.visits(found["Encounter"], zone)[0], problems=problems(found["Condition"], zone),
        vitals=vital_signs(signs, strip.months, zone), results=result_rows(readings(tests, zone), now),
        notes=story.notes(found["DocumentReference"], zone),
        medicines=medicines(_running(found["MedicationRequest"]), now, zone),
    )  # fmt: skip


@router.get("/patients/{patient}/notes/{note}")
async def note(request: Request, work: Work, patient: str, note: str) -> Response:
    """One note in full."""
    banner = await load_banner(work, patient)
    document = await service.read_note(work, patient, note)
    rows = story.notes([document], service.zone_of(work))
    if not rows:
        raise NotFound("no-such-note", "There is no such note.")
    signed = document.get("docStatus") == "final"
    return render(request, work, "chart/note.html", banner=banner, here="encounters", row=rows[0], signed=signed)


def _running(requests: list[dict[str, object]]) -> list[dict[str, object]]:
    """What was prescribed then, whether or not it still runs."""
    return [{**item, "status": "active"} for item in requests if item.get("status") != "entered-in-error"]


def _onward(here: str, cursor: str) -> str:
    return f"{here}?after={cursor}" if cursor else ""

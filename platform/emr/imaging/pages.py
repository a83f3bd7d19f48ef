"""Pages that show studies: a patient's list, one study, and the studies that wait for somebody to match them."""

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from emr.imaging.actions.find import FoundStudy, find_instances, find_studies
from emr.imaging.actions.match import find_holders, match_study
from emr.imaging.actions.show import open_instances, open_picture, picture_of_frame
from emr.imaging.errors import InstanceNotFound
from emr.imaging.facts import is_uid
from emr.imaging.matching import Matching
from emr.imaging.parts import DOUBTS, Looking, study_row, study_view, waiting_row
from emr.imaging.policy import SEVERAL, UNKNOWN_NUMBER
from emr.imaging.wishes import THUMBNAIL, Wish, read_wish
from emr.web.answers import new_key, read_form, render, saved
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.web.moments import shown
from emr.web.patient import full_name
from emr.web.strip import load_banner
from emr.web.work import Work
from emr.work.unit import UnitOfWork

router = APIRouter(prefix="/h/{slug}")

_PICTURE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
_LIST = 200


@router.get("/patients/{patient}/images")
async def patient_images(request: Request, work: Work, patient: str) -> Response:
    banner = await load_banner(work, patient)
    studies = await find_studies(work, Matching(patients=(patient,), limit=_LIST))
    rows = [study_row(study) for study in studies]
    return render(request, work, "imaging/list.html", banner=banner, here="images", rows=rows)


@router.get("/patients/{patient}/images/{study}")
async def patient_study(request: Request, work: Work, patient: str, study: str) -> Response:
    banner = await load_banner(work, patient)
    found = await _study(work, Matching(studies=(study,), patients=(patient,)))
    view = study_view(found, await find_instances(work, Matching(studies=(study,))), _looking(request))
    here = f"/patients/{patient}/images/{study}"
    return render(request, work, "imaging/study.html", banner=banner, here="images", view=view, page=here)


@router.get("/imaging/unmatched")
async def unmatched(request: Request, work: Work) -> Response:
    """Studies that belong to nobody yet; matched by a human, never by a name."""
    studies = await find_studies(work, Matching(unmatched=True, limit=_LIST))
    rows = [waiting_row(study) for study in studies]
    return render(request, work, "imaging/unmatched.html", rows=rows)


@router.get("/imaging/studies/{study}")
async def unmatched_study(request: Request, work: Work, study: str) -> Response:
    """A study that waits, with its pictures and the form that says whose it is."""
    return await _waiting(request, work, study, Form())


@router.post("/imaging/studies/{study}/match")
async def match(request: Request, work: Work, study: str) -> Response:
    """First shows who has the record number that was typed, beside what the device said; then matches."""
    form = await read_form(request, work)
    number = form.text("number", required=mark("Hãy gõ mã hồ sơ"), limit=64)
    if not form.ok:
        return await _waiting(request, work, study, form)
    holders = await find_holders(work, number)
    if len(holders) != 1:
        form.refuse("number", DOUBTS[SEVERAL] if holders else DOUBTS[UNKNOWN_NUMBER])
        return await _waiting(request, work, study, form)
    [holder] = holders
    if form.text("patient") != holder["id"]:
        return await _waiting(request, work, study, form, holder=holder)
    await match_study(work, study, holder["id"])
    return saved(request, work, f"/patients/{holder['id']}/images/{study}", "study-matched")


@router.get("/imaging/studies/{study}/thumbnail")
async def study_thumbnail(request: Request, work: Work, study: str) -> Response:
    return await _drawn(request, work, _named(study), None, Wish(width=THUMBNAIL, height=THUMBNAIL))


@router.get("/imaging/studies/{study}/series/{series}/thumbnail")
async def series_thumbnail(request: Request, work: Work, study: str, series: str) -> Response:
    return await _drawn(request, work, _named(study, series), None, Wish(width=THUMBNAIL, height=THUMBNAIL))


@router.get("/imaging/studies/{study}/series/{series}/pictures/{number}")
async def picture(request: Request, work: Work, study: str, series: str, number: int) -> Response:
    """Picture `number` of the series, counting every frame of every instance from 1."""
    wish = read_wish("jpeg", dict(request.query_params.items()))
    return await _drawn(request, work, _named(study, series), number, wish)


@router.get("/imaging/studies/{study}/series/{series}/instances/{instance}/document")
async def document(work: Work, study: str, series: str, instance: str) -> Response:
    """An encapsulated PDF, always as a file to be saved: it never runs in our origin."""
    [opened] = await open_instances(work, Matching(studies=(study,), series=(series,), instances=(instance,)))
    if opened.kept.document != "application/pdf" or "00420011" not in opened.kept.bulk:
        raise InstanceNotFound("not-found", "There is no such document here.")
    _, offset, length = opened.kept.bulk["00420011"]
    headers = _PICTURE | {"Content-Length": str(length), "Content-Disposition": 'attachment; filename="document.pdf"'}
    return StreamingResponse(opened.chunks(offset, offset + length), media_type="application/pdf", headers=headers)


async def _drawn(request: Request, work: UnitOfWork, matching: Matching, number: int | None, wish: Wish) -> Response:
    opened, frame = await open_picture(work, matching, number)
    content = await picture_of_frame(request.app.state.renderer, opened, frame, wish)
    return Response(content, media_type="image/jpeg", headers=_PICTURE)


async def _waiting(
    request: Request, work: UnitOfWork, study: str, form: Form, *, holder: dict[str, object] | None = None
) -> Response:
    found = await _study(work, Matching(studies=(study,), unmatched=True))
    view = study_view(found, await find_instances(work, Matching(studies=(study,))), _looking(request))
    return render(
        request,
        work,
        "imaging/waiting.html",
        status=200 if not form.refusals else 422,
        view=view,
        row=waiting_row(found),
        page=f"/imaging/studies/{study}",
        form=form,
        key=new_key(),
        holder=holder,
        holder_name=full_name(holder) if holder else "",
        holder_born=shown(holder.get("birthDate"), ZoneInfo(work.tenant.time_zone)) if holder else "",
    )


async def _study(work: UnitOfWork, matching: Matching) -> FoundStudy:
    found = await find_studies(work, matching) if is_uid(matching.studies[0]) else []
    if not found:
        raise InstanceNotFound("not-found", "There is no such study here.")
    return found[0]


def _named(study: str, series: str | None = None) -> Matching:
    if not is_uid(study) or (series is not None and not is_uid(series)):
        raise InstanceNotFound("not-found", "There is no such study here.")
    return Matching(studies=(study,), series=(series,) if series else ())


def _looking(request: Request) -> Looking:
    asked = request.query_params

    def whole(name: str) -> int:
        text = asked.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0

    return Looking(whole("series"), whole("frame"), asked.get("window", ""))

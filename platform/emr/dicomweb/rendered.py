"""WADO-RS: pictures for people (PS3.18 section 10.4, rendered resources; section 8.3.5, their parameters)."""

from collections.abc import Iterable

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from emr.dicomweb.accept import choose
from emr.dicomweb.places import one_instance, one_series, one_study
from emr.imaging.actions.show import Opened, open_instances, open_picture, picture_of_frame
from emr.imaging.matching import Matching
from emr.imaging.wishes import THUMBNAIL, Wish, read_wish
from emr.kernel.errors import Malformed
from emr.web.work import Work
from emr.work.unit import UnitOfWork

router = APIRouter()

_INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"
_FORMS = {"image/jpeg": "jpeg", "image/png": "png"}
_PDF = "application/pdf"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}


@router.get(_INSTANCE + "/rendered")
async def rendered_instance(request: Request, work: Work, study: str, series: str, instance: str) -> Response:
    """The first frame; a document as it was put in."""
    [opened] = await open_instances(work, one_instance(study, series, instance))
    if opened.kept.document == _PDF and "00420011" in opened.kept.bulk:
        return _document(request, opened)
    return await _picture(request, opened, 1)


@router.get(_INSTANCE + "/frames/{frame}/rendered")
async def rendered_frame(request: Request, work: Work, instance: str, frame: int) -> Response:
    places = request.path_params
    [opened] = await open_instances(work, one_instance(places["study"], places["series"], instance))
    return await _picture(request, opened, frame)


@router.get("/studies/{study}/thumbnail")
async def study_thumbnail(request: Request, work: Work, study: str) -> Response:
    return await _thumbnail(request, work, one_study(study))


@router.get("/studies/{study}/series/{series}/thumbnail")
async def series_thumbnail(request: Request, work: Work, study: str, series: str) -> Response:
    return await _thumbnail(request, work, one_series(study, series))


@router.get(_INSTANCE + "/thumbnail")
async def instance_thumbnail(request: Request, work: Work, study: str, series: str, instance: str) -> Response:
    return await _thumbnail(request, work, one_instance(study, series, instance))


async def _picture(request: Request, opened: Opened, frame: int) -> Response:
    media_type = choose(request.headers.get("accept"), {kind: kind for kind in _FORMS})
    wish = read_wish(_FORMS[media_type], _once(request.query_params.multi_items()))
    content = await picture_of_frame(request.app.state.renderer, opened, frame, wish)
    return Response(content, media_type=media_type, headers=_HEADERS)


async def _thumbnail(request: Request, work: UnitOfWork, matching: Matching) -> Response:
    """The middle of what was asked for, small."""
    media_type = choose(request.headers.get("accept"), {kind: kind for kind in _FORMS})
    opened, frame = await open_picture(work, matching)
    wish = Wish(form="png" if media_type == "image/png" else "jpeg", width=THUMBNAIL, height=THUMBNAIL)
    content = await picture_of_frame(request.app.state.renderer, opened, frame, wish)
    return Response(content, media_type=media_type, headers=_HEADERS)


def _document(request: Request, opened: Opened) -> Response:
    choose(request.headers.get("accept"), {_PDF: _PDF})
    _, offset, length = opened.kept.bulk["00420011"]
    headers = _HEADERS | {"Content-Length": str(length), "Content-Disposition": 'attachment; filename="document.pdf"'}
    return StreamingResponse(opened.chunks(offset, offset + length), media_type=_PDF, headers=headers)


def _once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise Malformed("rendered-parameter", "a parameter comes twice", location="query")
        found[name] = value
    return found

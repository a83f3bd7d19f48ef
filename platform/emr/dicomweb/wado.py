"""WADO-RS: retrieve instances, metadata, frames and bulk data as they are kept (PS3.18 section 10.4)."""

import json
import re
from collections.abc import AsyncIterator, Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from emr.dicomweb.accept import JSON, OCTETS, Range, choose, ranges, single, wants_related
from emr.dicomweb.model import metadata_model
from emr.dicomweb.multipart import DICOM, Outgoing, new_boundary, related
from emr.dicomweb.places import base_of, one_instance, one_series, one_study
from emr.imaging.actions.show import Opened, open_instances, read_frame, read_metadata
from emr.imaging.errors import InstanceNotFound
from emr.imaging.matching import Matching
from emr.imaging.syntaxes import EXPLICIT_LITTLE_ENDIAN, FRAME_TYPES, NATIVE
from emr.kernel.errors import Malformed, NotAcceptable
from emr.web.work import Work
from emr.work.unit import UnitOfWork

router = APIRouter()

_INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
_MOST_FRAMES = 1000


@router.get("/studies/{study}")
async def retrieve_study(request: Request, work: Work, study: str) -> Response:
    return await _retrieve(request, work, one_study(study))


@router.get("/studies/{study}/series/{series}")
async def retrieve_series(request: Request, work: Work, study: str, series: str) -> Response:
    return await _retrieve(request, work, one_series(study, series))


@router.get(_INSTANCE)
async def retrieve_instance(request: Request, work: Work, study: str, series: str, instance: str) -> Response:
    return await _retrieve(request, work, one_instance(study, series, instance))


@router.get("/studies/{study}/metadata")
async def study_metadata(request: Request, work: Work, study: str) -> Response:
    return await _metadata(request, work, one_study(study))


@router.get("/studies/{study}/series/{series}/metadata")
async def series_metadata(request: Request, work: Work, study: str, series: str) -> Response:
    return await _metadata(request, work, one_series(study, series))


@router.get(_INSTANCE + "/metadata")
async def instance_metadata(request: Request, work: Work, study: str, series: str, instance: str) -> Response:
    return await _metadata(request, work, one_instance(study, series, instance))


@router.get(_INSTANCE + "/bulkdata/{tag}")
async def bulk_data(work: Work, study: str, series: str, instance: str, tag: str) -> Response:
    """One value that the metadata leaves out, as plain bytes."""
    [opened] = await open_instances(work, one_instance(study, series, instance))
    if tag not in opened.kept.bulk:
        raise InstanceNotFound("not-found", "There is no such bulk value here.")
    _, offset, length = opened.kept.bulk[tag]
    headers = _HEADERS | {"Content-Length": str(length), "Content-Disposition": "attachment"}
    return StreamingResponse(opened.chunks(offset, offset + length), media_type=OCTETS, headers=headers)


@router.get(_INSTANCE + "/frames/{numbers}")
async def frames(request: Request, work: Work, instance: str, numbers: str) -> Response:
    """Frames by their numbers, from 1, parted by commas."""
    places = request.path_params
    [opened] = await open_instances(work, one_instance(places["study"], places["series"], instance))
    wanted = _frame_numbers(numbers)
    kind, syntax = _frame_form(ranges(request.headers.get("accept")), opened.picture.syntax)
    boundary = new_boundary()
    inner = f"{kind}; transfer-syntax={syntax}"
    for number in wanted:
        opened.picture.ranges(number)
    body = related(_frames(request, opened, wanted, inner), boundary)
    media_type = f'multipart/related; type="{kind}"; boundary={boundary}'
    return StreamingResponse(body, media_type=media_type, headers=_HEADERS)


def _frame_numbers(text: str) -> list[int]:
    if not re.fullmatch(r"[0-9]{1,6}(,[0-9]{1,6})*", text):
        raise Malformed("wado-frames", "frames are numbers parted by commas", location="frames")
    wanted = [int(one) for one in text.split(",")]
    if len(wanted) > _MOST_FRAMES:
        raise Malformed("wado-frames", f"at most {_MOST_FRAMES} frames at once", location="frames")
    return wanted


def _frame_form(wanted: Sequence[Range], kept: str) -> tuple[str, str]:
    """Media type and transfer syntax in which frames leave (PS3.18 tables 8.7.3-4 and 8.7.3-5)."""
    own = FRAME_TYPES.get(kept, OCTETS)
    for one in wanted:
        inner = one.inner if one.kind in ("multipart/related", "multipart/*") else one.kind
        if inner in ("*/*", own) and one.syntax in ("", "*", kept):
            return own, kept
        if inner == OCTETS and one.syntax in ("*", kept):
            return OCTETS, kept
        if inner == OCTETS and one.syntax in ("", EXPLICIT_LITTLE_ENDIAN):
            return OCTETS, kept if kept in NATIVE else EXPLICIT_LITTLE_ENDIAN
    raise NotAcceptable("not-acceptable", f"frames are answered as {own} or {OCTETS}", location="Accept")


async def _frames(request: Request, opened: Opened, numbers: Sequence[int], inner: str) -> AsyncIterator[Outgoing]:
    unpack = inner.endswith(EXPLICIT_LITTLE_ENDIAN) and opened.picture.syntax not in NATIVE
    for number in numbers:
        parts = await read_frame(opened, number)
        if unpack:
            parts = [await request.app.state.renderer.decode(opened.picture, parts)]
        yield Outgoing(inner, _given(parts))


async def _given(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def _retrieve(request: Request, work: UnitOfWork, matching: Matching) -> Response:
    wanted = wants_related(request.headers.get("accept"), DICOM)
    found = await open_instances(work, matching)
    kept = {one.kept.syntax for one in found}
    fitting = [one for one in wanted if one.syntax in ("", "*") or kept == {one.syntax}]
    if not fitting:
        raise NotAcceptable("wado-transfer-syntax", "instances are answered in the syntax that they came in")
    if single(fitting) and len(found) == 1:
        size = {"Content-Length": str(found[0].kept.size)}
        media_type = f"{DICOM}; transfer-syntax={found[0].kept.syntax}"
        return StreamingResponse(found[0].chunks(), media_type=media_type, headers=_HEADERS | size)
    boundary = new_boundary()
    media_type = f'multipart/related; type="{DICOM}"; boundary={boundary}'
    return StreamingResponse(related(_instances(found), boundary), media_type=media_type, headers=_HEADERS)


async def _instances(found: Sequence[Opened]) -> AsyncIterator[Outgoing]:
    for opened in found:
        yield Outgoing(f"{DICOM}; transfer-syntax={opened.kept.syntax}", opened.chunks())


async def _metadata(request: Request, work: UnitOfWork, matching: Matching) -> Response:
    choose(request.headers.get("accept"), {JSON: JSON, "application/json": JSON})
    base = base_of(work)
    models = [metadata_model(kept, whole, base) for kept, whole in await read_metadata(work, matching)]
    return Response(json.dumps(models, ensure_ascii=False).encode(), media_type=JSON, headers=_HEADERS)

"""Interactions with one resource: read, vread, create, update, delete, history."""

import re
from datetime import UTC
from typing import Final
from urllib.parse import urlencode

from fastapi import Request, Response

from emr.definitions.dates import range_of
from emr.definitions.model import resource_types
from emr.fhir.bundles import bundle, history_entry
from emr.fhir.negotiate import (
    MEDIA_TYPE,
    answer_stored,
    answer_written,
    etag,
    if_match_of,
    names_current,
    refuse_other_answers,
    refuse_other_bodies,
    resource_type_of,
    version_headers,
)
from emr.kernel.errors import Malformed, NotFound
from emr.records import create as creating
from emr.records import delete as deleting
from emr.records import history as remembering
from emr.records import read as reading
from emr.records import update as updating
from emr.web.body import body_of
from emr.web.idempotency import once
from emr.web.work import Work, WorkWithBody

_NUMBER: Final = re.compile(r"\d{1,6}")
_FORMATS: Final = frozenset({"_format", "_pretty"})
_HISTORY_PARAMETERS: Final = frozenset({"_count", "_since", "_before", "_format", "_pretty"})


async def read(request: Request, work: Work) -> Response:
    """`GET [base]/Type/id`; 304 when `If-None-Match` names the current version."""
    refuse_other_answers(request)
    _refuse_parameters(request, _FORMATS | {"_summary"})
    stored = await reading.read(work, resource_type_of(request), request.path_params["id"])
    if names_current(request, stored):
        return Response(None, 304, version_headers(stored))
    return answer_stored(stored)


async def vread(request: Request, work: Work) -> Response:
    """`GET [base]/Type/id/_history/version`."""
    refuse_other_answers(request)
    _refuse_parameters(request, _FORMATS)
    path = request.path_params
    return answer_stored(await reading.vread(work, resource_type_of(request), path["id"], path["version"]))


async def create(request: Request, work: WorkWithBody) -> Response:
    """`POST [base]/Type`, with `If-None-Exist` for what may be there already."""
    refuse_other_answers(request)
    refuse_other_bodies(request)
    _refuse_parameters(request, _FORMATS)
    body = body_of(request)

    async def produce() -> Response:
        stored = await creating.create(
            work, resource_type_of(request), body, if_none_exist=request.headers.get("if-none-exist")
        )
        return answer_written(request, stored, work.request.base_url)

    return await once(request, work, produce, body=body)


async def update(request: Request, work: WorkWithBody) -> Response:
    """`PUT [base]/Type/id`, with `If-Match` for the version that must be current."""
    refuse_other_answers(request)
    refuse_other_bodies(request)
    _refuse_parameters(request, _FORMATS)
    body = body_of(request)

    async def produce() -> Response:
        stored = await updating.update(
            work, resource_type_of(request), request.path_params["id"], body, if_match=if_match_of(request)
        )
        return answer_written(request, stored, work.request.base_url)

    return await once(request, work, produce, body=body)


async def delete(request: Request, work: Work) -> Response:
    """`DELETE [base]/Type/id`: 204, also when there was nothing to delete."""
    _refuse_parameters(request, _FORMATS)

    async def produce() -> Response:
        stored = await deleting.delete(
            work, resource_type_of(request), request.path_params["id"], if_match=if_match_of(request)
        )
        return Response(None, 204, {"ETag": etag(stored)} if stored else None)

    return await once(request, work, produce, body=b"")


async def unknown(request: Request, work: Work) -> Response:
    """Every other address and verb below the base."""
    del work
    if request.path_params["rest"].split("/")[0] in resource_types():
        raise Malformed("interaction-unknown", "This server has no such interaction; see metadata.")
    raise NotFound("no-such-route", "There is nothing at this address.")


async def history(request: Request, work: Work) -> Response:
    """`GET [base]/Type/id/_history`, newest first, with `_count` and `_since`."""
    refuse_other_answers(request)
    _refuse_parameters(request, _HISTORY_PARAMETERS)
    resource_type, resource_id = resource_type_of(request), request.path_params["id"]
    asked = request.query_params
    since = asked.get("_since")
    try:
        moment = range_of(since, UTC).low if since else None
    except ValueError as error:
        raise Malformed("since-form", "_since is an instant.", location="_since") from error
    count = min(_whole(asked.get("_count", "50"), "_count"), 1_000)
    before = _whole(asked["_before"], "_before") if "_before" in asked else None
    stretch = remembering.Stretch(max(count, 1), before, moment)
    page = await remembering.history(work, resource_type, resource_id, stretch)
    base = work.request.base_url
    address = f"{base}/{resource_type}/{resource_id}/_history"
    links = [("self", f"{address}?{request.url.query}" if request.url.query else address)]
    if page.before is not None:
        more = {"_count": str(count), "_before": str(page.before)} | ({"_since": since} if since else {})
        links.append(("next", f"{address}?{urlencode(more)}"))
    entries = [history_entry(base, version) for version in page.versions]
    return Response(bundle("history", links, entries, page.total), 200, None, MEDIA_TYPE)


def _refuse_parameters(request: Request, known: frozenset[str]) -> None:
    for name in request.query_params:
        if name not in known:
            raise Malformed("parameter-unknown", f"There is no parameter {name[:64]} here.", location=name[:64])


def _whole(text: str, name: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Malformed("count-invalid", f"{name} is a whole number.", location=name)
    return int(text)

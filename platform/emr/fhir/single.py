"""Interactions with one resource by its id: read, vread, create, update, delete."""

from typing import Final

from fastapi import Request, Response

from emr.definitions.model import resource_types
from emr.fhir import audit_events
from emr.fhir.negotiate import (
    FORMATS,
    answer_read,
    answer_unchanged,
    answer_written,
    etag,
    if_match_of,
    must_be_new,
    names_current,
    refuse_other_answers,
    refuse_other_bodies,
    refuse_parameters,
    resource_type_of,
)
from emr.fhir.summary import part
from emr.kernel.errors import Malformed, NotFound
from emr.records import create as creating
from emr.records import delete as deleting
from emr.records import read as reading
from emr.records import update as updating
from emr.records.search.controls import shown_of
from emr.records.search.question import Shown
from emr.web.body import body_of
from emr.web.idempotency import once
from emr.web.work import Work, WorkWithBody

_SUBSET: Final = FORMATS | {"_summary", "_elements"}
_WHOLE: Final = Shown()


async def read(request: Request, work: Work) -> Response:
    """`GET [base]/Type/id`; 304 when the client says that it has the current version."""
    if audit_events.asked_for(work, request.path_params["type"], request.path_params["id"]):
        return await audit_events.read(request, work)
    refuse_other_answers(request)
    refuse_parameters(request, _SUBSET)
    shown = _shown(request)
    stored = await reading.read(work, resource_type_of(request), request.path_params["id"])
    if names_current(request, stored):
        return answer_unchanged(stored)
    return answer_read(stored, part(stored, shown))


async def vread(request: Request, work: Work) -> Response:
    """`GET [base]/Type/id/_history/version`."""
    refuse_other_answers(request)
    refuse_parameters(request, _SUBSET)
    shown = _shown(request)
    path = request.path_params
    stored = await reading.vread(work, resource_type_of(request), path["id"], path["version"])
    if names_current(request, stored):
        return answer_unchanged(stored)
    return answer_read(stored, part(stored, shown))


async def create(request: Request, work: WorkWithBody) -> Response:
    """`POST [base]/Type`, with `If-None-Exist` for what may be there already."""
    refuse_other_answers(request)
    refuse_other_bodies(request)
    refuse_parameters(request)
    body = body_of(request)

    async def produce() -> Response:
        stored = await creating.create(
            work, resource_type_of(request), body, if_none_exist=request.headers.get("if-none-exist")
        )
        return answer_written(request, stored, work.request.base_url)

    return await once(request, work, produce, body=body)


async def update(request: Request, work: WorkWithBody) -> Response:
    """`PUT [base]/Type/id`, with `If-Match` for the version that must be current, `If-None-Match: *` for none."""
    refuse_other_answers(request)
    refuse_other_bodies(request)
    refuse_parameters(request)
    body = body_of(request)

    async def produce() -> Response:
        expected = updating.Expected(if_match_of(request), nothing=must_be_new(request))
        stored = await updating.update(
            work, resource_type_of(request), request.path_params["id"], body, expected=expected
        )
        return answer_written(request, stored, work.request.base_url)

    return await once(request, work, produce, body=body)


async def delete(request: Request, work: Work) -> Response:
    """`DELETE [base]/Type/id`: 204, also when there was nothing to delete."""
    refuse_parameters(request)

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


def _shown(request: Request) -> Shown:
    """How much of the resource is asked for (search.html#summary). Raises `SearchRefused`."""
    if not request.scope["query_string"]:
        return _WHOLE
    shown = shown_of((resource_type_of(request),), request.query_params)
    if shown.summary == "count":
        raise Malformed("summary-invalid", "A read has nothing to count.", location="_summary")
    return shown

"""Changes of what criteria find: `PUT`, `DELETE [base]/Type?criteria` (FHIR R4, http.html#cond-update, #cdelete)."""

from fastapi import Request, Response

from emr.fhir.negotiate import (
    answer_written,
    criteria_of,
    etag,
    if_match_of,
    must_be_new,
    refuse_other_answers,
    refuse_other_bodies,
    resource_type_of,
)
from emr.records import delete as deleting
from emr.records import update as updating
from emr.records.condition import Condition
from emr.web.body import body_of
from emr.web.idempotency import once
from emr.web.work import Work, WorkWithBody


async def update(request: Request, work: WorkWithBody) -> Response:
    """`PUT [base]/Type?criteria`: updates the one that fits, creates when none does, 412 when several do."""
    refuse_other_answers(request)
    refuse_other_bodies(request)
    condition = condition_of(request)
    body = body_of(request)

    async def produce() -> Response:
        expected = updating.Expected(if_match_of(request), nothing=must_be_new(request))
        stored = await updating.update_where(work, condition, body, expected=expected)
        return answer_written(request, stored, work.request.base_url)

    return await once(request, work, produce, body=_whole(request, body))


async def delete(request: Request, work: Work) -> Response:
    """`DELETE [base]/Type?criteria`: deletes the one that fits; 204 also when none does, 412 when several do."""
    condition = condition_of(request)

    async def produce() -> Response:
        stored = await deleting.delete_where(work, condition, if_match=if_match_of(request))
        return Response(None, 204, {"ETag": etag(stored)} if stored else None)

    return await once(request, work, produce, body=_whole(request, b""))


def condition_of(request: Request) -> Condition:
    """The criteria of the address. Raises `Malformed`, `SearchRefused`."""
    resource_type = resource_type_of(request)
    return Condition(resource_type, criteria_of(request), "url")


def _whole(request: Request, body: bytes) -> bytes:
    """What an Idempotency-Key stands for: the criteria belong to it."""
    return request.url.query.encode() + b"\0" + body

"""`PATCH [base]/Type/id` and `PATCH [base]/Type?criteria` (FHIR R4, http.html#patch, fhirpatch.html)."""

from typing import Final

from fastapi import Request, Response

from emr.fhir.conditional import condition_of
from emr.fhir.negotiate import (
    answer_written,
    if_match_of,
    refuse_other_answers,
    refuse_other_bodies,
    refuse_parameters,
    resource_type_of,
)
from emr.kernel import json
from emr.records import patch as patching
from emr.web.body import body_of
from emr.web.idempotency import once
from emr.web.work import WorkWithBody

JSON_PATCH: Final = "application/json-patch+json"


async def patch(request: Request, work: WorkWithBody) -> Response:
    """By id, with `If-Match` for the version that must be current."""
    refuse_other_answers(request)
    refuse_parameters(request)
    change = _change_of(request)

    async def produce() -> Response:
        stored = await patching.patch(
            work, resource_type_of(request), request.path_params["id"], change, if_match=if_match_of(request)
        )
        return answer_written(request, stored, work.request.base_url)

    return await once(request, work, produce, body=body_of(request))


async def patch_where(request: Request, work: WorkWithBody) -> Response:
    """By criteria: 404 when none fits, 412 when several do."""
    refuse_other_answers(request)
    condition = condition_of(request)
    change = _change_of(request)

    async def produce() -> Response:
        stored = await patching.patch_where(work, condition, change, if_match=if_match_of(request))
        return answer_written(request, stored, work.request.base_url)

    return await once(request, work, produce, body=request.url.query.encode() + b"\0" + body_of(request))


def _change_of(request: Request) -> patching.Patch:
    """JSON Patch by its media type, a Parameters resource by FHIR's. Raises `UnsupportedMedia` for any other."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() == JSON_PATCH:
        return patching.json_patch(body_of(request))
    refuse_other_bodies(request)
    return patching.path_patch(json.loads(body_of(request)))

"""`GET [base]/Type/id/_history` (FHIR R4, http.html#history)."""

import re
from datetime import UTC
from typing import Final
from urllib.parse import urlencode

from fastapi import Request, Response

from emr.definitions.dates import range_of
from emr.fhir.bundles import bundle, history_entry
from emr.fhir.negotiate import MEDIA_TYPE, refuse_other_answers, refuse_parameters, resource_type_of
from emr.kernel.errors import Malformed
from emr.records import history as remembering
from emr.web.work import Work

_NUMBER: Final = re.compile(r"\d{1,6}")
_PARAMETERS: Final = frozenset({"_count", "_since", "_before", "_format", "_pretty"})


async def history(request: Request, work: Work) -> Response:
    """`GET [base]/Type/id/_history`, newest first, with `_count` and `_since`."""
    refuse_other_answers(request)
    refuse_parameters(request, _PARAMETERS)
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


def _whole(text: str, name: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Malformed("count-invalid", f"{name} is a whole number.", location=name)
    return int(text)

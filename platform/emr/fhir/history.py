"""`GET [base]/Type/id/_history`, `[base]/Type/_history`, `[base]/_history` (FHIR R4, http.html#history)."""

import re
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request, Response

from emr.definitions.dates import Range, range_of
from emr.fhir.bundles import bundle, history_entry
from emr.fhir.negotiate import FORMATS, MEDIA_TYPE, refuse_other_answers, refuse_parameters, resource_type_of
from emr.kernel.errors import Malformed
from emr.records.history import Scope, Stretch
from emr.records.history import history as versions_of
from emr.web.work import Work

_NUMBER: Final = re.compile(r"\d{1,6}")
_COUNT_MOST: Final = 1_000
_PARAMETERS: Final = FORMATS | {"_count", "_since", "_at", "_cursor"}


async def of_instance(request: Request, work: Work) -> Response:
    """The versions of one resource."""
    return await _answer(request, work, Scope(resource_type_of(request), request.path_params["id"]))


async def of_type(request: Request, work: Work) -> Response:
    """The versions of all resources of a type."""
    return await _answer(request, work, Scope(resource_type_of(request)))


async def of_system(request: Request, work: Work) -> Response:
    """The versions of everything that the caller may see."""
    return await _answer(request, work, Scope())


async def _answer(request: Request, work: Work, scope: Scope) -> Response:
    refuse_other_answers(request)
    refuse_parameters(request, _PARAMETERS)
    asked = request.query_params
    cursor = asked.get("_cursor")
    if cursor is not None and asked.keys() - FORMATS != {"_cursor"}:
        raise Malformed("cursor-alone", "A page link already says everything; add nothing to it.", location="_cursor")
    page = await versions_of(work, scope, _stretch(request, work), cursor)
    base = work.request.base_url
    address = "/".join([base, *(part for part in (scope.type, scope.id) if part), "_history"])
    links = [("self", f"{address}?{request.url.query}" if request.url.query else address)]
    if page.cursor is not None:
        links.append(("next", f"{address}?{urlencode({'_cursor': page.cursor})}"))
    entries = [history_entry(base, version) for version in page.versions]
    headers = {"Cache-Control": "private, no-store"}
    return Response(bundle("history", links, entries, page.total), 200, headers, MEDIA_TYPE)


def _stretch(request: Request, work: Work) -> Stretch:
    """`_count`, `_since` and `_at`, each once. Raises `Malformed`."""
    for name in request.query_params:
        if len(request.query_params.getlist(name)) > 1:
            raise Malformed("parameter-twice", f"{name} stands once.", location=name)
    count = request.query_params.get("_count", "50")
    if not _NUMBER.fullmatch(count):
        raise Malformed("count-invalid", "_count is a whole number.", location="_count")
    since, during = _moment(request, "_since", work), _moment(request, "_at", work)
    return Stretch(min(max(int(count), 1), _COUNT_MOST), since.low if since else None, during)


def _moment(request: Request, name: str, work: Work) -> Range | None:
    """A date as the range that it covers: without a zone, a day of the hospital's."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return range_of(text, ZoneInfo(work.tenant.time_zone))
    except (ValueError, OverflowError) as error:
        code = f"{name[1:]}-form"
        raise Malformed(code, f"{name} is an instant or a date; a plus sign is sent as %2B.", location=name) from error

"""`GET [base]/Type?…` and `POST [base]/Type/_search` (FHIR R4, http.html#search)."""

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

from fastapi import Request, Response

from emr.fhir.bundles import bundle, texts
from emr.fhir.negotiate import MEDIA_TYPE, refuse_other_answers, resource_type_of
from emr.kernel.errors import Malformed, UnsupportedMedia
from emr.records.search.find import Page, search
from emr.web.body import body_of
from emr.web.work import Work, WorkWithBody
from emr.work.unit import UnitOfWork


async def search_type(request: Request, work: Work) -> Response:
    """Search by the query of the address."""
    refuse_other_answers(request)
    page = await search(work, resource_type_of(request), pairs_of(request.url.query))
    return Response(searchset(work, page), 200, {"Cache-Control": "private, no-store"}, MEDIA_TYPE)


async def search_type_by_post(request: Request, work: WorkWithBody) -> Response:
    """The same with the criteria in a form, and more of them in the address if a client likes."""
    refuse_other_answers(request)
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        rule = "The criteria of _search are application/x-www-form-urlencoded."
        raise UnsupportedMedia("media-type", rule, location="Content-Type")
    try:
        form = body_of(request).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("form-encoding", "The form is not UTF-8.") from error
    pairs = [*pairs_of(request.url.query), *pairs_of(form)]
    page = await search(work, resource_type_of(request), pairs)
    return Response(searchset(work, page), 200, {"Cache-Control": "private, no-store"}, MEDIA_TYPE)


def searchset(work: UnitOfWork, page: Page) -> bytes:
    """A page as a Bundle: the criteria as understood, and a sealed link to the next page."""
    base = work.request.base_url
    address = f"{base}/{page.question.types[0]}"
    links = [("self", f"{address}?{urlencode(page.question.echo)}" if page.question.echo else address)]
    if page.cursor:
        links.append(("next", f"{address}?{urlencode({'_cursor': page.cursor})}"))
    return bundle("searchset", links, texts(base, page.matches, page.included), page.total)


def pairs_of(query: str) -> Sequence[tuple[str, str]]:
    """Decoded names and values. Raises `Malformed` for text that is not UTF-8 behind its percent signs."""
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:
        raise Malformed("query-form", "The query cannot be read as UTF-8 names and values.") from error

"""Searches of a type, of several, and of a compartment, by GET and by POST (FHIR R4, http.html#search)."""

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

from fastapi import Request, Response

from emr.definitions.model import resource_types
from emr.fhir import audit_events
from emr.fhir.bundles import bundle, found_entry
from emr.fhir.negotiate import MEDIA_TYPE, refuse_other_answers, resource_type_of
from emr.fhir.prefer import preferences_of
from emr.fhir.summary import part
from emr.kernel import json
from emr.kernel.errors import Issue, Malformed, NotFound, UnsupportedMedia
from emr.records.search.compartments import compartments, is_member
from emr.records.search.find import Page, search, search_compartment, search_system
from emr.records.search.question import Shown
from emr.records.stored import Stored
from emr.web.body import body_of
from emr.web.work import Work, WorkWithBody
from emr.work.unit import UnitOfWork


async def search_type(request: Request, work: Work) -> Response:
    """Search one type by the query of the address."""
    return await _of_type(request, work, pairs_of(request.url.query))


async def search_type_by_post(request: Request, work: WorkWithBody) -> Response:
    """The same with the criteria in a form, and more of them in the address if a client likes."""
    return await _of_type(request, work, _form(request))


async def search_all(request: Request, work: Work) -> Response:
    """Search several types, those of `_type` or all (search.html#system)."""
    return await _of_system(request, work, pairs_of(request.url.query))


async def search_all_by_post(request: Request, work: WorkWithBody) -> Response:
    """The same with a form."""
    return await _of_system(request, work, _form(request))


async def search_member(request: Request, work: Work) -> Response:
    """Search what is in a compartment: `Patient/1/Observation`, `Patient/1/*` (search.html#compartment)."""
    return await _of_compartment(request, work, pairs_of(request.url.query))


async def search_member_by_post(request: Request, work: WorkWithBody) -> Response:
    """The same with a form."""
    return await _of_compartment(request, work, _form(request))


async def _of_type(request: Request, work: UnitOfWork, pairs: Sequence[tuple[str, str]]) -> Response:
    refuse_other_answers(request)
    name = resource_type_of(request)
    if audit_events.asked_for(work, name):
        return await audit_events.search(work, pairs)
    page = await search(work, name, pairs, lenient=preferences_of(request).lenient)
    return _answer(searchset(work, page, name))


async def _of_system(request: Request, work: UnitOfWork, pairs: Sequence[tuple[str, str]]) -> Response:
    refuse_other_answers(request)
    page = await search_system(work, pairs, lenient=preferences_of(request).lenient)
    return _answer(searchset(work, page, ""))


async def _of_compartment(request: Request, work: UnitOfWork, pairs: Sequence[tuple[str, str]]) -> Response:
    refuse_other_answers(request)
    kind, key, member = (request.path_params[name] for name in ("type", "id", "member"))
    page = await compartment_page(work, (kind, key, member), pairs, lenient=preferences_of(request).lenient)
    return _answer(searchset(work, page, f"{kind}/{key}/{member}"))


async def compartment_page(
    work: UnitOfWork, place: tuple[str, str, str], pairs: Sequence[tuple[str, str]], *, lenient: bool = False
) -> Page:
    """A page of a compartment, told as type, id and member. Raises `NotFound` where R4 has no such address."""
    kind, key, member = place
    known = member == "*" or member in resource_types()
    if kind not in compartments() or not known or (member != "*" and not is_member(kind, member)):
        raise NotFound("no-such-route", "There is nothing at this address.")
    return await search_compartment(work, (kind, key), member, pairs, lenient=lenient)


def searchset(work: UnitOfWork, page: Page, path: str) -> bytes:
    """A page as a Bundle: the criteria as understood, and a sealed link to the next page.

    `path`: what was searched, below the hospital's base.
    """
    base = work.request.base_url
    address = f"{base}/{path}".rstrip("/")
    links = [("self", f"{address}?{urlencode(page.question.echo)}" if page.question.echo else address)]
    if page.cursor:
        # Some clients add a size of their own to a page link that says none.
        size = [pair for pair in page.question.echo if pair[0] == "_count"]
        links.append(("next", f"{address}?{urlencode([('_cursor', page.cursor), *size])}"))
    shown = page.question.shown
    entries = [_entry(base, each, shown, "match") for each in page.matches]
    # `_elements` names elements of what is searched; what is included is shown as a summary or whole.
    beside = shown if not shown.elements else Shown()
    entries += [_entry(base, each, beside, "include") for each in page.included]
    if page.said:
        entries.append(_said(page.said))
    return bundle("searchset", links, entries, page.total)


def pairs_of(query: str) -> Sequence[tuple[str, str]]:
    """Decoded names and values. Raises `Malformed` for text that is not UTF-8 behind its percent signs."""
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:
        raise Malformed("query-form", "The query cannot be read as UTF-8 names and values.") from error


def _entry(base: str, stored: Stored, shown: Shown, mode: str) -> bytes:
    return found_entry(base, stored, mode, part(stored, shown))


def _said(issues: Sequence[Issue]) -> bytes:
    """What the client should know about the answer, as an entry of its own (search.html#outcome)."""
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "warning",
                "code": "not-supported",
                "details": {"coding": [{"system": "urn:emr:issue", "code": each.code}], "text": each.message},
                "diagnostics": each.message,
            }
            | ({"expression": [each.location]} if each.location else {})
            for each in issues
        ],
    }
    return json.dumps({"resource": outcome, "search": {"mode": "outcome"}})


def _form(request: Request) -> Sequence[tuple[str, str]]:
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        rule = "The criteria of _search are application/x-www-form-urlencoded."
        raise UnsupportedMedia("media-type", rule, location="Content-Type")
    try:
        form = body_of(request).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("form-encoding", "The form is not UTF-8.") from error
    return [*pairs_of(request.url.query), *pairs_of(form)]


def _answer(body: bytes) -> Response:
    return Response(body, 200, {"Cache-Control": "private, no-store"}, MEDIA_TYPE)

"""`POST [base]`: transactions and batches (FHIR R4, http.html#transaction)."""

import base64
import binascii
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response

from emr.definitions.validate import demand_envelope, demand_valid
from emr.fhir.bundles import bundle, response_of
from emr.fhir.inner import Call, Inner, Routes
from emr.fhir.negotiate import (
    ALL_OK,
    MEDIA_TYPE,
    Versioned,
    etag,
    refuse_other_answers,
    refuse_other_bodies,
    refuse_parameters,
)
from emr.fhir.prefer import Preferences, preferences_of
from emr.kernel import json
from emr.kernel.errors import Malformed, Refusal, TooLarge
from emr.records.entries import ENTRIES_MOST, ORDER, Entry, entries_of, located
from emr.records.stored import Stored
from emr.records.transaction import transaction
from emr.web.body import body_of
from emr.web.errors import outcome_of, status_of
from emr.web.idempotency import once
from emr.web.work import Endpoint
from emr.work.unit import UnitOfWork, attempt, refused

_CONDITIONS: Final = {
    "if-match": "ifMatch",
    "if-none-match": "ifNoneMatch",
    "if-modified-since": "ifModifiedSince",
    "if-none-exist": "ifNoneExist",
}
"""Header fields and the members of `Bundle.entry.request` that stand for them."""
_LAST: Final = 9

Json = dict[str, Any]


def taking_bundles(routes: Routes) -> Endpoint:
    """The endpoint for Bundles whose entries may name these routes."""
    inner = Inner(routes)

    async def post_bundle(request: Request, work: UnitOfWork) -> Response:
        refuse_other_answers(request)
        refuse_other_bodies(request)
        refuse_parameters(request)
        body = body_of(request)

        async def produce() -> Response:
            given = json.parse(body).value
            if given.get("resourceType") != "Bundle" or given.get("type") not in ("transaction", "batch"):
                raise Malformed("bundle-type", "Post a Bundle of type transaction or batch.", location="Bundle.type")
            answers = await (_batch if given["type"] == "batch" else _transaction)(inner, request, work, given)
            return Response(bundle(f"{given['type']}-response", (), answers), 200, None, MEDIA_TYPE)

        return await once(request, work, produce, body=body)

    return post_bundle


async def _transaction(inner: Inner, request: Request, work: UnitOfWork, given: Json) -> list[bytes]:
    """All entries or none; what reads, reads what the others have made."""
    demand_valid(given, expected_type="Bundle")
    entries = entries_of(given)
    await transaction(work, entries)
    preferences = preferences_of(request)
    return [
        _written(entry, preferences) if entry.writes else await _read(inner, request, work, entry) for entry in entries
    ]


async def _read(inner: Inner, request: Request, work: UnitOfWork, entry: Entry) -> bytes:
    with located(entry):
        call = Call(entry.method, entry.url, _headers(entry.request))
        return _shown(await inner.ask(request, work, call), entry.method)


def _written(entry: Entry, preferences: Preferences) -> bytes:
    stored = entry.result()
    if stored is None or stored.deleted:
        tag = {"etag": etag(stored)} if stored else {}
        return json.dumps({"response": {"status": _status(204)} | tag})
    made = 201 if stored.created and not entry.settled else 200
    return _with_version(stored, made, preferences)


def _with_version(stored: Stored, status: int, preferences: Preferences) -> bytes:
    said: Json = {"response": response_of(stored, _status(status))}
    if preferences.returns == "OperationOutcome":
        said["response"]["outcome"] = json.loads(ALL_OK)
    text = json.dumps(said)
    if preferences.returns == "representation":
        return b'{"resource":' + stored.body + b"," + text[1:]
    return text


async def _batch(inner: Inner, request: Request, work: UnitOfWork, given: Json) -> list[bytes]:
    """Each entry for itself, in the order of a transaction, and those of one verb in the order of what they name, so
    that batches which cross stand in line; answered in the order in which they came.
    """
    entries = given.get("entry", [])
    demand_envelope({**given, "entry": [_opened(each) for each in entries]} if isinstance(entries, list) else given)
    if len(entries) > ENTRIES_MOST:
        raise TooLarge("too-many-entries", f"A Bundle has at most {ENTRIES_MOST} entries.", location="Bundle.entry")
    answers: dict[int, bytes] = {}
    for number in sorted(range(len(entries)), key=lambda number: _turn(entries[number])):
        answers[number] = await _alone(inner, request, work, entries[number])
    return [answers[number] for number in range(len(entries))]


def _opened(entry: Any) -> Any:
    """An entry as the envelope shows it: what it asks is its own affair."""
    if not isinstance(entry, dict) or not isinstance(entry.get("request"), dict):
        return entry
    return {**entry, "request": {"method": "GET", "url": "Patient"}}


def _turn(entry: Json) -> tuple[int, str]:
    asked = entry["request"]
    return ORDER.get(str(asked.get("method")), _LAST), str(asked.get("url"))


async def _alone(inner: Inner, request: Request, work: UnitOfWork, given: Json) -> bytes:
    """One entry of a batch, undone alone when it is refused; the refusal leaves its row."""
    try:
        async with attempt(work):
            call = _call(request, given)
            return _shown(await inner.ask(request, work, call), call.method)
    except Refusal as refusal:
        work.trail.take()
        row = refused(work_of=(work.tenant, work.principal, work.request), refusal=refusal, at=work.clock())
        work.trail.rows.append(row)
        return json.dumps({"response": {"status": _status(status_of(refusal)), "outcome": outcome_of(refusal)}})


def _call(request: Request, given: Json) -> Call:
    """What an entry of a batch asks, as a request of its own."""
    asked, resource = given["request"], given.get("resource")
    method, url = asked.get("method"), asked.get("url")
    if not isinstance(method, str) or not isinstance(url, str):
        raise Malformed("entry-request", "A request has a method and a url.", location="request")
    if url.strip("/") == "" and method == "POST":
        raise Malformed("entry-url", "A Bundle holds no Bundle that is to be done.", location="request.url")
    headers = _headers(asked)
    if method in ORDER:
        preferred = request.headers.get("prefer", "")
        headers["prefer"] = preferred if "return=" in preferred.replace(" ", "") else "return=minimal"
    if method == "PATCH" and isinstance(resource, dict) and resource.get("resourceType") == "Binary":
        return Call(method, url, headers | {"content-type": str(resource.get("contentType"))}, _content(resource))
    return Call(method, url, headers, json.dumps(resource) if isinstance(resource, dict) else b"")


def _headers(asked: Json) -> dict[str, str]:
    return {name: str(asked[member]) for name, member in _CONDITIONS.items() if member in asked}


def _content(binary: Json) -> bytes:
    try:
        return base64.b64decode(str(binary.get("data", "")), validate=True)
    except binascii.Error as error:
        raise Malformed("patch-form", "The data of a Binary is base64.", location="resource.data") from error


def _shown(answer: Response, method: str) -> bytes:
    """The answer of an endpoint as an entry."""
    stored = answer.stored if isinstance(answer, Versioned) else None
    said: Json = response_of(stored, _status(answer.status_code)) if stored else {"status": _status(answer.status_code)}
    if stored is None and "etag" in answer.headers:
        said["etag"] = answer.headers["etag"]
    body = bytes(answer.body)
    if not body or method == "HEAD" or not answer.headers.get("content-type", "").startswith(MEDIA_TYPE):
        return json.dumps({"response": said})
    if body == ALL_OK:
        return json.dumps({"response": said | {"outcome": json.loads(ALL_OK)}})
    return b'{"resource":' + body + b',"response":' + json.dumps(said) + b"}"


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}"

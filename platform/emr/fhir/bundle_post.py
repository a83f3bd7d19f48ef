"""`POST [base]`: transactions and batches (FHIR R4, http.html#transaction)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import Request, Response

from emr.definitions.model import resource_types
from emr.definitions.validate import demand_envelope, demand_valid
from emr.fhir.bundles import bundle, response_of
from emr.fhir.negotiate import MEDIA_TYPE, refuse_other_answers, refuse_other_bodies
from emr.fhir.search import compartment_page, pairs_of, searchset
from emr.kernel import json
from emr.kernel.errors import Malformed, NotFound, Refusal
from emr.records.create import create_resource
from emr.records.delete import delete
from emr.records.read import read, vread
from emr.records.search.find import search
from emr.records.stored import Stored
from emr.records.transaction import Entry, entries_of, entry_of, transaction
from emr.records.update import update_resource
from emr.web.body import body_of
from emr.web.errors import outcome_of, status_of
from emr.web.idempotency import once
from emr.web.work import WorkWithBody
from emr.work.unit import UnitOfWork, refused

_REASONS: Final = {200: "200 OK", 201: "201 Created", 204: "204 No Content"}


async def post_bundle(request: Request, work: WorkWithBody) -> Response:
    """All entries or none for a transaction, each by itself for a batch."""
    refuse_other_answers(request)
    refuse_other_bodies(request)
    body = body_of(request)

    async def produce() -> Response:
        given = json.parse(body).value
        if given.get("resourceType") != "Bundle" or given.get("type") not in ("transaction", "batch"):
            raise Malformed("bundle-type", "Post a Bundle of type transaction or batch.", location="Bundle.type")
        if given["type"] == "batch":
            demand_envelope(given)
            answers = [await _alone(work, number, entry) for number, entry in enumerate(given.get("entry", ()))]
            return Response(bundle("batch-response", (), answers), 200, None, MEDIA_TYPE)
        demand_valid(given, expected_type="Bundle")
        done = await transaction(work, entries_of(given), answer_get)
        return Response(bundle("transaction-response", (), _answers(done)), 200, None, MEDIA_TYPE)

    return await once(request, work, produce, body=body)


async def answer_get(work: UnitOfWork, url: str) -> bytes:
    """The GET of an entry: a resource, one of its versions, or a search."""
    parts = urlsplit(url)
    path = parts.path.strip("/").split("/")
    if path[0] not in resource_types():
        raise NotFound("type-unknown", "There is no resource type of this name in R4.")
    match path:
        case [resource_type]:
            return searchset(work, await search(work, resource_type, pairs_of(parts.query)), resource_type)
        case [resource_type, resource_id]:
            return (await read(work, resource_type, resource_id)).body
        case [resource_type, resource_id, "_history", version]:
            return (await vread(work, resource_type, resource_id, version)).body
        case [kind, key, member]:
            return searchset(work, await compartment_page(work, (kind, key, member), pairs_of(parts.query)), parts.path)
        case _:
            raise Malformed("entry-url", "A GET in a Bundle is a read, a vread or a search.")


async def _alone(work: UnitOfWork, number: int, given: dict[str, Any]) -> bytes:
    """One entry of a batch, undone alone when it is refused; the refusal leaves its row."""
    try:
        async with work.db.savepoint():
            entry = entry_of(number, given)
            return await _method(entry)(work, entry)
    except Refusal as refusal:
        work.trail.take()
        row = refused(work_of=(work.tenant, work.principal, work.request), refusal=refusal, at=work.clock())
        work.trail.rows.append(row)
        return json.dumps({"response": {"status": str(status_of(refusal)), "outcome": outcome_of(refusal)}})


def _method(entry: Entry) -> Callable[[UnitOfWork, Entry], Awaitable[bytes]]:
    known = _DO.get(entry.method)
    if known is None:
        raise Malformed("entry-method", f"{entry.method} is not supported here.", location=entry.location)
    return known


async def _post(work: UnitOfWork, entry: Entry) -> bytes:
    if entry.id or entry.query:
        raise Malformed("entry-url", "POST names a type.", location=f"{entry.location}.request.url")
    _demand_type(entry)
    stored = await create_resource(work, entry.resource, if_none_exist=entry.if_none_exist)
    return _written(stored, 201 if stored.created else 200)


async def _put(work: UnitOfWork, entry: Entry) -> bytes:
    _demand_name(entry)
    _demand_type(entry)
    if entry.resource.get("id") != entry.id:
        rule = "The resource must carry the id of the url."
        raise Malformed("id-mismatch", rule, location=f"{entry.location}.resource.id")
    stored = await update_resource(work, entry.resource, if_match=entry.if_match)
    return _written(stored, 201 if stored.created else 200)


async def _delete(work: UnitOfWork, entry: Entry) -> bytes:
    _demand_name(entry)
    await delete(work, entry.type, entry.id, if_match=entry.if_match)
    return json.dumps({"response": {"status": _REASONS[204]}})


def _demand_name(entry: Entry) -> None:
    if not entry.id or entry.query:
        rule = "PUT and DELETE name one resource by its id."
        raise Malformed("entry-url", rule, location=f"{entry.location}.request.url")


def _demand_type(entry: Entry) -> None:
    if entry.resource.get("resourceType") != entry.type:
        raise Malformed("wrong-type", f"A {entry.type} is expected here.", location=f"{entry.location}.resource")


async def _get(work: UnitOfWork, entry: Entry) -> bytes:
    return _shown(await answer_get(work, entry.url))


_DO: Final[dict[str, Callable[[UnitOfWork, Entry], Awaitable[bytes]]]] = {
    "POST": _post,
    "PUT": _put,
    "DELETE": _delete,
    "GET": _get,
}


def _answers(entries: Sequence[Entry]) -> list[bytes]:
    return [_answer(entry) for entry in entries]


def _answer(entry: Entry) -> bytes:
    if entry.answer is not None:
        return _shown(entry.answer)
    if entry.method == "DELETE":
        return json.dumps({"response": {"status": _REASONS[204]}})
    if entry.draft is None:
        return _written(entry.kept(), 200)
    stored = entry.draft.stored()
    return _written(stored, 201 if stored.created else 200)


def _written(stored: Stored, status: int) -> bytes:
    response: dict[str, Any] = response_of(stored, _REASONS[status])
    return json.dumps({"response": response})


def _shown(body: bytes) -> bytes:
    return b'{"resource":' + body + b',"response":{"status":"200 OK"}}'

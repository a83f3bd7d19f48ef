"""`Composition/$document` (FHIR R4, composition-operation-document.html)."""

from typing import Final

from fastapi import Request, Response

from emr.fhir.negotiate import MEDIA_TYPE, refuse_other_answers, version_headers
from emr.fhir.operation import Operation
from emr.fhir.parameters import Input, Inputs, inputs_of
from emr.kernel.errors import Malformed
from emr.records.document import Document, make_document
from emr.web.body import body_of
from emr.web.idempotency import once
from emr.work.unit import UnitOfWork

_PERSIST: Final = Input("persist", "boolean")
_AT_TYPE: Final = (Input("id", "uri", least=1), _PERSIST)
_HEADERS: Final = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


async def document(request: Request, work: UnitOfWork) -> Response:
    """The document of a Composition; with `persist` by POST it is stored, and `Location` says where."""
    refuse_other_answers(request)
    resource_id: str | None = request.path_params.get("id")
    given = inputs_of(request, _AT_TYPE if resource_id is None else (_PERSIST,))
    name = _id(work, given) if resource_id is None else resource_id
    if not given.one("persist"):
        return Response((await make_document(work, name, persist=False)).body, 200, _HEADERS, MEDIA_TYPE)
    if request.method != "POST":
        raise Malformed("persist-by-post", "What is to be stored is asked for by POST.", location="persist")

    async def produce() -> Response:
        return _stored(work, await make_document(work, name, persist=True))

    return await once(request, work, produce, body=body_of(request))


def _id(work: UnitOfWork, given: Inputs) -> str:
    """The Composition's id, which may be said as `id`, `Composition/id` or with this server's address before it."""
    text: str = given.one("id")
    name = text.removeprefix(f"{work.request.base_url}/").removeprefix("Composition/")
    if "/" in name or ":" in name:
        rule = "Documents are made of Compositions that are here; id is the id of one."
        raise Malformed("composition-elsewhere", rule, location="id")
    return name


def _stored(work: UnitOfWork, made: Document) -> Response:
    assert made.stored is not None
    location = f"{work.request.base_url}/Bundle/{made.stored.id}/_history/{made.stored.version}"
    return Response(made.body, 200, version_headers(made.stored) | {"Location": location}, MEDIA_TYPE)


DOCUMENT: Final = Operation(
    name="document",
    definition="http://hl7.org/fhir/OperationDefinition/Composition-document",
    endpoint=document,
    levels=frozenset({"type", "instance"}),
    types=frozenset({"Composition"}),
)

"""`$meta`, `$meta-add` and `$meta-delete` (FHIR R4, resource-operation-meta.html)."""

from typing import Final

from fastapi import Request, Response

from emr.fhir.negotiate import if_match_of, refuse_other_answers, version_headers
from emr.fhir.operation import Operation
from emr.fhir.parameters import Input, answer_parameters, inputs_of
from emr.records.metadata import add_labels, labels_in_use, meta_of, remove_labels
from emr.records.stored import Stored
from emr.web.body import body_of
from emr.web.idempotency import once
from emr.work.unit import UnitOfWork

_LABELS: Final = (Input("meta", "Meta", least=1),)


async def meta(request: Request, work: UnitOfWork) -> Response:
    """The meta of a version, or all profiles, labels and tags in use at a type or in the hospital."""
    refuse_other_answers(request)
    inputs_of(request, ())
    path = request.path_params
    if "id" in path:
        found = await meta_of(work, path["type"], path["id"], path.get("version"))
    else:
        found = await labels_in_use(work, path.get("type"))
    return answer_parameters([("return", "Meta", found)])


async def meta_add(request: Request, work: UnitOfWork) -> Response:
    """Add the profiles, labels and tags of a meta; answers with what the resource has then."""
    return await _change(request, work, adding=True)


async def meta_delete(request: Request, work: UnitOfWork) -> Response:
    """Take them away; it is no error when they are not there."""
    return await _change(request, work, adding=False)


async def _change(request: Request, work: UnitOfWork, *, adding: bool) -> Response:
    refuse_other_answers(request)
    name = (request.path_params["type"], request.path_params["id"])
    change = add_labels if adding else remove_labels

    async def produce() -> Response:
        given = inputs_of(request, _LABELS)
        stored = await change(work, *name, given.one("meta"), if_match=if_match_of(request))
        return _answer(stored)

    return await once(request, work, produce, body=body_of(request))


def _answer(stored: Stored) -> Response:
    found = stored.resource()["meta"]
    return answer_parameters([("return", "Meta", found)], version_headers(stored))


META: Final = Operation(
    name="meta",
    definition="http://hl7.org/fhir/OperationDefinition/Resource-meta",
    endpoint=meta,
    levels=frozenset({"system", "type", "instance", "version"}),
)
META_ADD: Final = Operation(
    name="meta-add",
    definition="http://hl7.org/fhir/OperationDefinition/Resource-meta-add",
    endpoint=meta_add,
    levels=frozenset({"instance"}),
    methods=frozenset({"POST"}),
)
META_DELETE: Final = Operation(
    name="meta-delete",
    definition="http://hl7.org/fhir/OperationDefinition/Resource-meta-delete",
    endpoint=meta_delete,
    levels=frozenset({"instance"}),
    methods=frozenset({"POST"}),
)

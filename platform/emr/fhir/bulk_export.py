"""Bulk Data Access 2.0: `$export` of the hospital, of all patients and of a Group, as kick-off, status and files.

Source: https://hl7.org/fhir/uv/bulkdata/STU2/export.html. What a kick-off may say and this server does not do is
refused by its name, or ignored where the client prefers `handling=lenient`.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from fastapi import Request, Response

from emr.definitions.model import resource_types
from emr.fhir.bulk_jobs import Jobs, demand_async, listed, preferences
from emr.fhir.negotiate import refuse_other_answers
from emr.fhir.operation import Level, Operation
from emr.fhir.parameters import Input, Inputs, inputs_of
from emr.kernel import json
from emr.kernel.errors import Malformed
from emr.records.bulk import verbs
from emr.records.bulk.jobs import Job
from emr.work.unit import UnitOfWork

_FORMATS: Final = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
_UNSUPPORTED: Final = (
    Input("_elements", "string", most=None),
    Input("includeAssociatedData", "string", most=None),
    Input("organizeOutputBy", "string", most=None),
    Input("allowPartialManifests", "boolean"),
    Input("_until", "instant"),
)
_INPUTS: Final = (
    Input("_outputFormat", "string"),
    Input("_since", "instant"),
    Input("_type", "string", most=None),
    Input("_typeFilter", "string", most=None),
    *_UNSUPPORTED,
)
_OF_PATIENTS: Final = (*_INPUTS, Input("patient", "Reference", most=None))
_FILTERS: Final = re.compile(r",(?=[A-Z][A-Za-z]{1,63}\?)")
_FILTER: Final = re.compile(r"([A-Z][A-Za-z]{1,63})\?(.+)", re.DOTALL)
_PATIENT: Final = re.compile(r"Patient/([A-Za-z0-9.-]{1,64})")


async def begin(request: Request, work: UnitOfWork) -> Response:
    """A kick-off: 202 and where to ask after it."""
    refuse_other_answers(request)
    demand_async(request)
    path = request.path_params
    given = inputs_of(request, _OF_PATIENTS if "type" in path else _INPUTS)
    _refuse_unsupported(request, given)
    asked = verbs.AskedExport(
        request=_address(request, work),
        types=_types(given),
        since=given.one("_since"),
        filters=_filters(given),
        every_patient=path.get("type") == "Patient",
        group=path.get("id"),
        patients=[_patient(each) for each in given.all("patient")],
    )
    name = await verbs.begin_export(work, asked)
    return await JOBS.begun(work, name)


def _manifest(job: Job, base: str) -> dict[str, Any]:
    return {
        "transactionTime": json.instant(job.moment),
        "request": job.request,
        "requiresAccessToken": True,
        "output": listed(job, base, "output"),
        "deleted": listed(job, base, "deleted"),
        "error": listed(job, base, "error"),
    }


def _refuse_unsupported(request: Request, given: Inputs) -> None:
    lenient = "handling=lenient" in preferences(request)
    for each in _UNSUPPORTED:
        if each.name in given and not lenient:
            raise Malformed("parameter-unsupported", f"{each.name} is not supported here.", location=each.name)
    wanted = given.one("_outputFormat")
    if wanted is not None and wanted not in _FORMATS:
        raise Malformed("format-unknown", "Files are application/fhir+ndjson.", location="_outputFormat")


def _types(given: Inputs) -> list[str] | None:
    names = [name for text in given.all("_type") for name in text.split(",")]
    for name in names:
        if name not in resource_types():
            raise Malformed("type-unknown", f"There is no resource type {name[:64]} in R4.", location="_type")
    return names or None


def _filters(given: Inputs) -> list[tuple[str, str]]:
    """Queries by type; several stand in one value with a comma before the next type's name."""
    found: list[tuple[str, str]] = []
    for text in (part for value in given.all("_typeFilter") for part in _FILTERS.split(value)):
        parts = _FILTER.fullmatch(text)
        if parts is None or parts[1] not in resource_types():
            raise Malformed("type-filter", "_typeFilter is Type?criteria.", location="_typeFilter")
        found.append((parts[1], parts[2]))
    return found


def _patient(reference: dict[str, Any]) -> str:
    found = _PATIENT.fullmatch(str(reference.get("reference", "")))
    if found is None:
        raise Malformed("parameter-value", "patient is a reference to a Patient here.", location="patient")
    return found[1]


def _address(request: Request, work: UnitOfWork) -> str:
    path = request.path_params
    place: Sequence[str] = [path[name] for name in ("type", "id") if name in path]
    query = f"?{request.url.query}" if request.url.query else ""
    return "/".join([work.request.base_url, *place, "$export"]) + query


JOBS: Final = Jobs("$export", _manifest, verbs.ask_after_export, verbs.cancel_export, verbs.open_export_file)


def _operation(name: str, level: Level, types: frozenset[str] = frozenset()) -> Operation:
    definition = f"http://hl7.org/fhir/uv/bulkdata/OperationDefinition/{name}"
    return Operation(name="export", definition=definition, endpoint=begin, levels=frozenset({level}), types=types)


EXPORTS: Final = (
    _operation("export", "system"),
    _operation("patient-export", "type", frozenset({"Patient"})),
    _operation("group-export", "instance", frozenset({"Group"})),
)

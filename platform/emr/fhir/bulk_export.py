"""Bulk Data Access 2.0: `$export` of the hospital, of all patients and of a Group, as kick-off, status and files.

Source: https://hl7.org/fhir/uv/bulkdata/STU2/export.html. What a kick-off may say and this server does not do is
refused by its name, or ignored where the client prefers `handling=lenient`.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from fastapi import Request, Response

from emr.definitions.model import resource_types
from emr.fhir.bulk_streams import answer_file
from emr.fhir.negotiate import MEDIA_TYPE, http_date, refuse_other_answers
from emr.fhir.operation import Level, Operation
from emr.fhir.parameters import Input, Inputs, inputs_of
from emr.kernel import json
from emr.kernel.errors import Malformed, NotFound
from emr.records.bulk import verbs
from emr.records.bulk.jobs import File, Job
from emr.web.sign_in import runtime_of
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
_FILE: Final = re.compile(r"(\d{1,6})(?:\.[A-Za-z.]{1,80})?", re.ASCII)


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
    return Response(None, 202, {"Content-Location": f"{work.request.base_url}/$export/{name}"})


async def status(request: Request, work: UnitOfWork) -> Response:
    """202 while it runs, the manifest when it is done, 500 with the reason when it failed."""
    job = await verbs.ask_after_export(work, request.path_params["id"])
    base = f"{work.request.base_url}/$export/{job.id}"
    return answer_status(request, job, lambda: _manifest(job, base))


async def cancel(request: Request, work: UnitOfWork) -> Response:
    """`DELETE` of the status address: the job ends and its files go."""
    await verbs.cancel_export(work, request.path_params["id"])
    return Response(None, 202)


async def download(request: Request, work: UnitOfWork) -> Response:
    """One file of the manifest."""
    path = request.path_params
    return answer_file(request, work, await verbs.open_export_file(work, path["id"], file_number(path["number"])))


def demand_async(request: Request) -> None:
    """Raise `Malformed` unless the client prefers `respond-async`: there is no other way to answer."""
    if "respond-async" not in _preferences(request):
        raise Malformed(
            "prefer-async", "Send Prefer: respond-async; this takes longer than a request.", location="Prefer"
        )


def answer_status(request: Request, job: Job, manifest: Any) -> Response:
    """The answer to whoever asks how far a job is."""
    bulk = runtime_of(request).settings.bulk
    if job.state == "failed":
        said = {"severity": "error", "code": "exception", "diagnostics": job.error or "It failed."}
        return Response(json.dumps({"resourceType": "OperationOutcome", "issue": [said]}), 500, None, MEDIA_TYPE)
    if job.state != "done":
        wait = str(max(1, round(bulk.poll_seconds * 2)))
        return Response(None, 202, {"X-Progress": _progress(job), "Retry-After": wait, "Cache-Control": "no-store"})
    headers = {"Cache-Control": "private, no-store"}
    if job.finished_at is not None:
        headers["Expires"] = http_date(job.finished_at + timedelta(hours=bulk.keep_hours))
    return Response(json.dumps(manifest()), 200, headers, "application/json")


def file_number(text: str) -> int:
    """The number in the name of a file. Raises `NotFound`."""
    found = _FILE.fullmatch(text)
    if found is None:
        raise NotFound("bulk-file-unknown", "The job has no such file.")
    return int(found[1])


def listed(job: Job, base: str, role: str) -> list[dict[str, Any]]:
    """The files of one role as a manifest lists them."""
    return [_item(file, f"{base}/{number}") for number, file in enumerate(job.files) if file.role == role]


def _item(file: File, address: str) -> dict[str, Any]:
    return {"type": file.type, "url": f"{address}.{file.type}.ndjson", "count": file.lines}


def _manifest(job: Job, base: str) -> dict[str, Any]:
    return {
        "transactionTime": json.instant(job.moment),
        "request": job.request,
        "requiresAccessToken": True,
        "output": listed(job, base, "output"),
        "deleted": listed(job, base, "deleted"),
        "error": listed(job, base, "error"),
    }


def _progress(job: Job) -> str:
    done, total = job.progress.get("scanned", 0), job.progress.get("total", 0)
    if job.kind == "import":
        figures = job.progress or {"stored": 0, "found": 0, "refused": 0}
        return f"{figures['stored']} stored, {figures['found']} found, {figures['refused']} refused"
    return f"{min(99, done * 100 // total)}%, {job.progress['lines']} resources" if total else job.state


def _preferences(request: Request) -> set[str]:
    return {part.strip() for part in re.split(r"[;,]", request.headers.get("prefer", ""))}


def _refuse_unsupported(request: Request, given: Inputs) -> None:
    lenient = "handling=lenient" in _preferences(request)
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


def _operation(name: str, level: Level, types: frozenset[str] = frozenset()) -> Operation:
    definition = f"http://hl7.org/fhir/uv/bulkdata/OperationDefinition/{name}"
    return Operation(name="export", definition=definition, endpoint=begin, levels=frozenset({level}), types=types)


EXPORTS: Final = (
    _operation("export", "system"),
    _operation("patient-export", "type", frozenset({"Patient"})),
    _operation("group-export", "instance", frozenset({"Group"})),
)

"""`$import`: NDJSON files into the hospital's record, as a job that reports what it refused line by line.

After the proposal of SMART (https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md). Files come
to us: a client posts them, and then a manifest that names them, or one file as the body of the kick-off itself.
Addresses elsewhere are refused, so that nobody can make this server fetch for him.
"""

import re
from typing import Any, Final

from fastapi import Request, Response

from emr.fhir.bulk_jobs import Jobs, demand_async, listed
from emr.fhir.bulk_streams import is_ndjson, receive_file
from emr.fhir.negotiate import refuse_other_bodies
from emr.fhir.operation import Operation
from emr.fhir.parameters import Input, inputs_of
from emr.kernel import json
from emr.kernel.errors import Malformed
from emr.records.bulk import verbs
from emr.records.bulk.jobs import Job
from emr.storage.blobs import Blob
from emr.web.body import body_of
from emr.web.work import in_hospital_with_body
from emr.work.unit import UnitOfWork

_PARTS: Final = (Input("type", "code"), Input("url", "uri", least=1))
_INPUTS: Final = (
    Input("inputFormat", "string"),
    Input("inputSource", "uri"),
    Input("input", "", most=None, parts=_PARTS),
)
_FORMATS: Final = frozenset({None, "application/fhir+ndjson", "application/ndjson"})
_MEMBERS: Final = frozenset({"inputFormat", "inputSource", "input", "storageDetail"})


async def begin(request: Request) -> Response:
    """A kick-off with a file as its body, or with a manifest as JSON or Parameters."""
    if is_ndjson(request):
        return await receive_file(request, _begin_with_file)
    return await in_hospital_with_body(begin_by_manifest)(request)


async def begin_by_manifest(request: Request, work: UnitOfWork) -> Response:
    """Files that were posted before, by their addresses."""
    demand_async(request)
    refuse_other_bodies(request)
    inputs = [
        (_upload(work, url), f"{number}.{kind or 'ndjson'}") for number, (kind, url) in enumerate(_inputs(request))
    ]
    return await _began(work, verbs.AskedImport(_address(work), inputs))


async def upload(request: Request) -> Response:
    """Take a file for a later kick-off: 201 and its address."""
    return await receive_file(request, _kept)


async def _begin_with_file(request: Request, work: UnitOfWork, blob: Blob) -> Response:
    demand_async(request)
    return await _began(work, verbs.AskedImport(_address(work), upload=verbs.Upload(blob, "body")))


async def _kept(request: Request, work: UnitOfWork, blob: Blob) -> Response:
    del request
    name = await verbs.keep_upload(work, verbs.Upload(blob, "file"), _address(work))
    return Response(None, 201, {"Location": f"{work.request.base_url}/$import/files/{name}"})


async def _began(work: UnitOfWork, asked: verbs.AskedImport) -> Response:
    return await JOBS.begun(work, await verbs.begin_import(work, asked))


def _address(work: UnitOfWork) -> str:
    return f"{work.request.base_url}/$import"


def _inputs(request: Request) -> list[tuple[str | None, str]]:
    """Type and address of each file that a manifest names."""
    value = json.parse(body_of(request)).value
    if value.get("resourceType") == "Parameters":
        given = inputs_of(request, _INPUTS)
        _demand_format(given.one("inputFormat"))
        return [(each.one("type"), each.one("url")) for each in given.all("input")]
    for name in value:
        if name not in _MEMBERS:
            raise Malformed("parameter-unknown", f"A manifest has no {name[:64]}.", location=name[:64])
    _demand_format(value.get("inputFormat"))
    return [_member(each) for each in _list(value.get("input"))]


def _demand_format(named: object) -> None:
    if named not in _FORMATS:
        raise Malformed("format-unknown", "Files are application/fhir+ndjson.", location="inputFormat")


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed("parameter-required", "input is a list of files.", location="input")
    return value


def _member(value: object) -> tuple[str | None, str]:
    if not isinstance(value, dict) or not isinstance(value.get("url"), str):
        raise Malformed("parameter-required", "A file has a url.", location="input.url")
    kind = value.get("type")
    return (kind if isinstance(kind, str) and kind.isalpha() else None), value["url"]


def _upload(work: UnitOfWork, url: str) -> str:
    """The name of the file at an address of ours."""
    found = re.fullmatch(re.escape(f"{work.request.base_url}/$import/files/") + r"([a-z0-9]{1,64})", url)
    if found is None:
        rule = "A file is posted to $import/files first; nothing is fetched from elsewhere."
        raise Malformed("input-elsewhere", rule, location="input.url")
    return found[1]


def _manifest(job: Job, base: str) -> dict[str, Any]:
    figures = job.progress
    return {
        "transactionTime": json.instant(job.finished_at or job.moment),
        "request": job.request,
        "requiresAccessToken": True,
        "stored": figures["stored"],
        "found": figures["found"],
        "refused": figures["refused"],
        "filesKnownFromBefore": len(figures["known"]),
        "error": listed(job, base, "report"),
    }


JOBS: Final = Jobs("$import", _manifest, verbs.ask_after_import, verbs.cancel_import, verbs.open_import_file)

IMPORT: Final = Operation(
    name="import",
    definition="urn:emr:operation:import",
    endpoint=begin_by_manifest,
    levels=frozenset({"system"}),
    types=frozenset(),
    methods=frozenset({"POST"}),
)

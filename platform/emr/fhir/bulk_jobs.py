"""Jobs of bulk data over HTTP, whatever they do: how far one is, its end, its files (Bulk Data Access 2.0).

See https://hl7.org/fhir/uv/bulkdata/STU2/export.html, from the kick-off's answer on.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from fastapi import Request, Response

from emr.fhir.bulk_streams import answer_file
from emr.fhir.negotiate import MEDIA_TYPE, http_date
from emr.kernel import json
from emr.kernel.errors import Malformed, NotFound
from emr.records.bulk.jobs import File, Job
from emr.storage.blobs import Blob
from emr.web.sign_in import runtime_of
from emr.work.unit import UnitOfWork

_FILE: Final = re.compile(r"(\d{1,6})(?:\.[A-Za-z.]{1,80})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Jobs:
    """The addresses below one operation's name, such as `$export`, for whoever began a job.

    manifest: of a job that is done, with the address of its files; the rest are the verbs of the record.
    """

    operation: str
    manifest: Callable[[Job, str], dict[str, Any]]
    ask_after: Callable[[UnitOfWork, str], Awaitable[Job]]
    end: Callable[[UnitOfWork, str], Awaitable[None]]
    open_file: Callable[[UnitOfWork, str, int], Awaitable[Blob]]

    async def begun(self, work: UnitOfWork, name: str) -> Response:
        """202 and where to ask after it."""
        return Response(None, 202, {"Content-Location": f"{work.request.base_url}/{self.operation}/{name}"})

    async def status(self, request: Request, work: UnitOfWork) -> Response:
        """202 while it runs, the manifest when it is done, 500 with the reason when it failed."""
        job = await self.ask_after(work, request.path_params["id"])
        if job.state == "failed":
            said = {"severity": "error", "code": "exception", "diagnostics": job.error or "It failed."}
            return Response(json.dumps({"resourceType": "OperationOutcome", "issue": [said]}), 500, None, MEDIA_TYPE)
        bulk = runtime_of(request).settings.bulk
        if job.state != "done":
            wait = str(max(1, round(bulk.poll_seconds * 2)))
            return Response(None, 202, {"X-Progress": _progress(job), "Retry-After": wait, "Cache-Control": "no-store"})
        headers = {"Cache-Control": "private, no-store"}
        if job.finished_at is not None:
            headers["Expires"] = http_date(job.finished_at + timedelta(hours=bulk.keep_hours))
        manifest = self.manifest(job, f"{work.request.base_url}/{self.operation}/{job.id}")
        return Response(json.dumps(manifest), 200, headers, "application/json")

    async def cancel(self, request: Request, work: UnitOfWork) -> Response:
        """`DELETE` of the status address: nothing further is done, and the job's files go."""
        await self.end(work, request.path_params["id"])
        return Response(None, 202)

    async def download(self, request: Request, work: UnitOfWork) -> Response:
        """One file of the manifest."""
        path = request.path_params
        found = _FILE.fullmatch(path["number"])
        if found is None:
            raise NotFound("bulk-file-unknown", "The job has no such file.")
        return answer_file(request, work, await self.open_file(work, path["id"], int(found[1])))


def preferences(request: Request) -> set[str]:
    """What the client prefers."""
    return {part.strip() for part in re.split(r"[;,]", request.headers.get("prefer", ""))}


def demand_async(request: Request) -> None:
    """Raise `Malformed` unless the client prefers `respond-async`: there is no other way to answer."""
    if "respond-async" not in preferences(request):
        raise Malformed(
            "prefer-async", "Send Prefer: respond-async; this takes longer than a request.", location="Prefer"
        )


def listed(job: Job, base: str, role: str) -> list[dict[str, Any]]:
    """The files of one role as a manifest lists them."""
    return [_item(file, f"{base}/{number}") for number, file in enumerate(job.files) if file.role == role]


def _item(file: File, address: str) -> dict[str, Any]:
    return {"type": file.type, "url": f"{address}.{file.type}.ndjson", "count": file.lines}


def _progress(job: Job) -> str:
    done, total = job.progress.get("scanned", 0), job.progress.get("total", 0)
    if job.kind == "import":
        figures = job.progress or {"stored": 0, "found": 0, "refused": 0}
        return f"{figures['stored']} stored, {figures['found']} found, {figures['refused']} refused"
    return f"{min(99, done * 100 // total)}%, {job.progress['lines']} resources" if total else job.state

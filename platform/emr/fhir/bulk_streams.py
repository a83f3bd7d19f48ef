"""Files of bulk jobs on their way in and out: streams that hold no connection of the database."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from emr.access.permissions import demand
from emr.kernel.errors import Refusal, UnsupportedMedia
from emr.kernel.tenant import Tenant
from emr.records.bulk.export import NDJSON, RETENTION
from emr.storage.blobs import Blob
from emr.web.sign_in import runtime_of
from emr.web.work import asked, hospital_of, principal_in
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, refused, unit_of_work

_NDJSON: Final = frozenset({"application/fhir+ndjson", "application/ndjson", "application/x-ndjson"})
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_MIB: Final = 1 << 20


def is_ndjson(request: Request) -> bool:
    """Whether the body says that it is NDJSON."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower() in _NDJSON


@dataclass(frozen=True, slots=True)
class _Statements:
    """A transaction for each statement: a file arrives more slowly than a transaction should last."""

    runtime: Runtime
    tenant: Tenant

    async def fetch(self, sql: str, *args: object) -> Sequence[Any]:
        async with self.runtime.databases.hospital(self.tenant) as connection:
            return await connection.fetch(sql, *args, name="bulk.upload")

    async def execute(self, sql: str, *args: object) -> str:
        async with self.runtime.databases.hospital(self.tenant) as connection:
            return await connection.execute(sql, *args, name="bulk.upload")


async def receive_file(request: Request, then: Callable[[Request, UnitOfWork, Blob], Awaitable[Response]]) -> Response:
    """Take an NDJSON body into the object store, then do the rest in a unit of work.

    Who may not import is refused before the first byte; what is refused afterwards leaves no file.
    """
    tenant = await hospital_of(request)
    principal = await principal_in(request, tenant)
    runtime = runtime_of(request)
    told = asked(request, tenant)
    try:
        demand(principal, "record:import")
        if not is_ndjson(request):
            raise UnsupportedMedia("media-type", f"A file is {NDJSON}.", location="Content-Type")
        if request.headers.get("content-encoding", "identity") != "identity":
            raise UnsupportedMedia("body-compressed", "Send the body uncompressed.", location="Content-Encoding")
    except Refusal as refusal:
        row = refused(work_of=(tenant, principal, told), refusal=refusal, at=runtime.clock())
        await runtime.audit.record(tenant.cell, [row])
        raise
    statements = _Statements(runtime, tenant)
    blobs = runtime.stores.blobs(tenant.schema, await runtime.keyrings.of(tenant), statements)
    limit = runtime.settings.bulk.upload_limit_mib * _MIB
    blob = await blobs.put(request.stream(), media_type=NDJSON, limit=limit, retention_class=RETENTION)
    try:
        async with unit_of_work(runtime, tenant, principal, told) as work:
            answer = await then(request, work, blob)
    except Refusal:
        await blobs.delete(blob)
        await blobs.after_commit()
        raise
    return answer


def answer_file(request: Request, work: UnitOfWork, blob: Blob) -> Response:
    """A file or the one range of it that is asked for (RFC 9110, section 14)."""
    headers = {
        "Content-Type": NDJSON,
        "Accept-Ranges": "bytes",
        "ETag": f'"{blob.digest[:32]}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": "attachment",
    }
    asked_for = _RANGE.fullmatch(request.headers.get("range", ""))
    whole = asked_for is None or not any(asked_for.groups())
    if asked_for is None or whole or request.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        return BulkFile(work, blob, (0, blob.size), headers)
    start, end = _span(asked_for, blob.size)
    if start >= end:
        return Response(None, 416, {"Content-Range": f"bytes */{blob.size}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
    return BulkFile(work, blob, (start, end), headers)


def _span(asked_for: re.Match[str], size: int) -> tuple[int, int]:
    first, last = asked_for.groups()
    start = int(first) if first else max(0, size - int(last))
    return start, min(int(last) + 1, size) if first and last else size


class BulkFile(Response):
    """The bytes of a file, the first of which were opened before anything is sent."""

    def __init__(self, work: UnitOfWork, blob: Blob, span: tuple[int, int], headers: Mapping[str, str]) -> None:
        self._open: Callable[[], AsyncGenerator[bytes, None]] = lambda: work.blobs.open(blob, *span)
        status = 206 if "Content-Range" in headers else 200
        super().__init__(None, status, {**headers, "Content-Length": str(span[1] - span[0])})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(self.headers)
        if scope["method"] == "HEAD":
            await Response(None, self.status_code, headers)(scope, receive, send)
            return
        async with aclosing(self._open()) as chunks:
            first = await anext(chunks, b"")
            await StreamingResponse(_joined(first, chunks), self.status_code, headers)(scope, receive, send)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk

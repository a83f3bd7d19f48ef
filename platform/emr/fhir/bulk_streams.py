"""Files of bulk jobs on their way in and out: streams that hold no connection of the database."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response

from emr.access.permissions import demand
from emr.kernel.errors import Refusal, UnsupportedMedia
from emr.kernel.tenant import Tenant
from emr.records.bulk.export import NDJSON, RETENTION
from emr.storage.blobs import Blob
from emr.web.ranges import answer_ranges
from emr.web.sign_in import runtime_of
from emr.web.work import asked, hospital_of, principal_in
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, refused, unit_of_work

_NDJSON: Final = frozenset({"application/fhir+ndjson", "application/ndjson", "application/x-ndjson"})
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
    """A file or the one range of it that is asked for."""
    headers = {"Content-Type": NDJSON, "ETag": f'"{blob.digest[:32]}"'}
    return answer_ranges(request, lambda start, end: work.blobs.open(blob, start, end), blob.size, headers)

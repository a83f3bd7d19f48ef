"""A hospital of the test's own, jobs begun as a client begins them, and a worker in this process."""

import asyncio
import json
import secrets
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

from emr.identity.principal import system_principal
from emr.kernel import json as strict
from emr.kernel.tenant import Tenant
from emr.records.bulk import jobs, verbs
from emr.records.bulk.worker import BulkWorker
from emr.work.leases import Leases
from emr.work.runtime import Runtime
from emr.work.unit import Request, UnitOfWork, unit_of_work
from tests.house import House

Json = dict[str, Any]


class Ward:
    """One hospital and what a test does in it."""

    def __init__(self, house: House, parts: Runtime, slug: str = "") -> None:
        self.house, self.parts = house, parts
        self.tenant: Tenant = house.new_hospital(slug or f"bulk-{secrets.token_hex(4)}")
        self.principal = system_principal("bulk-test", tenant_id=self.tenant.id)

    def work(self, principal: Any = None) -> AbstractAsyncContextManager[UnitOfWork]:
        base = f"{self.house.url}/h/{self.tenant.slug}/fhir"
        return unit_of_work(self.parts, self.tenant, principal or self.principal, Request("test", base))

    def worker(self, parts: Runtime | None = None) -> BulkWorker:
        parts = parts or self.parts
        relay = parts.databases.cell(self.tenant.cell).relay
        return BulkWorker(parts, relay, Leases(relay, secrets.token_hex(4), 10))

    async def begin(self, **asked: Any) -> str:
        async with self.work() as work:
            return await verbs.begin_export(work, verbs.AskedExport(request="test", **asked))

    async def job(self, name: str) -> jobs.Job:
        async with self.work() as work:
            return await jobs.read(work, name)

    async def done(self, name: str, worker: BulkWorker | None = None) -> jobs.Job:
        """Work until the job is at its end."""
        worker = worker or self.worker()
        try:
            for _ in range(10_000):
                await worker.turn(None)
                job = await self.job(name)
                if job.state not in jobs.OPEN:
                    return job
                await asyncio.sleep(0.01)
        finally:
            await worker.close()
        raise AssertionError("the job does not end")

    async def exported(self, **asked: Any) -> jobs.Job:
        return await self.done(await self.begin(**asked))

    async def lines(self, job: jobs.Job, role: str = "output") -> list[Json]:
        """Every line of the files of one role, in order."""
        return [strict.loads(line) for line in (await self.text(job, role)).splitlines()]

    async def text(self, job: jobs.Job, role: str = "output") -> bytes:
        found = b""
        async with self.work() as work:
            for file in job.files:
                if file.role == role:
                    found += b"".join([chunk async for chunk in work.blobs.open(await work.blobs.find(file.blob))])
        return found

    async def upload(self, content: bytes, name: str = "body") -> verbs.Upload:
        async with self.work() as work:

            async def chunks() -> Any:
                for begin in range(0, len(content), 1 << 20):
                    yield content[begin : begin + (1 << 20)]

            blob = await work.blobs.put(chunks(), media_type="application/fhir+ndjson", limit=1 << 40)
        return verbs.Upload(blob, name)

    async def imported(self, content: bytes) -> jobs.Job:
        upload = await self.upload(content)
        async with self.work() as work:
            name = await verbs.begin_import(work, verbs.AskedImport("test", upload=upload))
        return await self.done(name)


def ndjson(resources: Iterable[Json]) -> bytes:
    return b"".join(strict.dumps(each) + b"\n" for each in resources)


def content_of(lines: Iterable[Json]) -> dict[tuple[str, str], str]:
    """Each resource without what the server says of its version."""
    found = {}
    for line in lines:
        meta = {name: value for name, value in line["meta"].items() if name not in ("versionId", "lastUpdated")}
        found[line["resourceType"], line["id"]] = strict.dumps(line | {"meta": meta}).decode()
    return found


def patient(name: str, **more: Any) -> Json:
    return {"resourceType": "Patient", "id": name, "name": [{"family": "Nguyễn", "given": ["Thử"]}]} | more


def observation(name: str, patient_id: str, **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": f"Patient/{patient_id}"},
    } | more


def parsed(answer: Any) -> Json:
    found: Json = json.loads(answer.text)
    return found

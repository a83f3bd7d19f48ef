"""Attachments of 5 MB: a process that may have 1 GB exports and imports more of them than would fit at once."""

import base64
import multiprocessing
import os
import re
import resource
from pathlib import Path
from typing import Any

import anyio
import pytest

from emr.records.bulk import jobs, verbs
from emr.records.bulk.worker import BulkWorker
from emr.records.create import create_resource
from emr.records.update import update_resource
from emr.settings import Settings
from emr.work.leases import Leases
from emr.work.runtime import Runtime, runtime
from tests.house import House
from tests.records.bulk.world import Ward, patient

_ALONE = multiprocessing.get_context("spawn")
"""It loads no more than a worker does: all that is loaded counts."""
_GIB = 1 << 30
_ATTACHMENTS = 60
_MIB_EACH = 5
_PEAK_MIB = 350
"""Less than the files, of which nothing may stay in memory."""

_COPIES = """
INSERT INTO {schema}.resources (type, id, version, updated, deleted, patients, body)
SELECT type, id || '-' || n, version, updated, deleted, patients, body
  FROM {schema}.resources, generate_series(1, %s) AS n WHERE type = 'DocumentReference'
"""


def work_capped(settings: Settings, slug: str, names: list[str], told: Any) -> None:
    """Do jobs to their ends with 1 GiB of addresses, and tell the most memory that they took."""
    resource.setrlimit(resource.RLIMIT_AS, (_GIB, _GIB))
    anyio.run(_work, settings, slug, names)
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text("utf-8"))
    told.put(int(peak[1]) // 1024 if peak else 0)


async def _work(settings: Settings, slug: str, names: list[str]) -> None:
    parts = runtime(settings)
    await parts.open()
    relay = parts.databases.cell("default").relay
    worker = BulkWorker(parts, relay, Leases(relay, "capped", 10))
    tenant = parts.registry.by_slug(slug)
    for name in names:
        state = ""
        while state not in ("done", "failed"):
            await worker.turn(None)
            async with parts.databases.hospital(tenant) as connection:
                state = await connection.fetchval("SELECT state FROM bulk_jobs WHERE id = $1", name)
    await worker.close()
    await parts.close()


def capped(house: House, slug: str, name: str) -> int:
    """The peak in MiB of a process that did this job."""
    told = _ALONE.SimpleQueue()
    process = _ALONE.Process(target=work_capped, args=(house.settings, slug, [name], told), daemon=True)
    process.start()
    process.join(240)
    assert process.exitcode == 0
    return int(told.get())


@pytest.mark.anyio
@pytest.mark.timeout(300)
class TestMemory:
    async def test_stays_flat_under_attachments(self, standing: House, parts: Runtime) -> None:
        ward, other = Ward(standing, parts), Ward(standing, parts)
        await parts.registry.refresh()
        data = base64.b64encode(os.urandom(_MIB_EACH << 20)).decode("ascii")
        async with ward.work() as work:
            await update_resource(work, patient("p"))
            content = [{"attachment": {"contentType": "application/pdf", "data": data}}]
            subject = {"reference": "Patient/p"}
            paper = {"resourceType": "DocumentReference", "status": "current", "subject": subject, "content": content}
            await create_resource(work, paper)
        standing.sql(_COPIES.format(schema=ward.tenant.schema), _ATTACHMENTS - 1)
        name = await ward.begin()
        out = await anyio.to_thread.run_sync(capped, standing, ward.tenant.slug, name)
        job = await ward.job(name)
        assert (job.state, sum(file.lines for file in job.files)) == ("done", _ATTACHMENTS + 1)
        size = sum(file.size for file in job.files) >> 20
        begun = await begin_import(other, await copied(ward, other, job))
        back = await anyio.to_thread.run_sync(capped, standing, other.tenant.slug, begun)
        brought = await other.job(begun)
        assert (brought.state, brought.progress["refused"]) == ("done", 0)
        assert size > _PEAK_MIB
        assert max(out, back) < _PEAK_MIB


async def copied(ward: Ward, other: Ward, job: jobs.Job) -> verbs.Upload:
    """The files of an export as one file in the other hospital."""

    async def chunks() -> Any:
        async with ward.work() as work:
            for file in job.files:
                async for chunk in work.blobs.open(await work.blobs.find(file.blob)):
                    yield chunk

    async with other.work() as work:
        return verbs.Upload(await work.blobs.put(chunks(), media_type="application/fhir+ndjson", limit=1 << 40), "all")


async def begin_import(ward: Ward, upload: verbs.Upload) -> str:
    async with ward.work() as work:
        return await verbs.begin_import(work, verbs.AskedImport("test", upload=upload))

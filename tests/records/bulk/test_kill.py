"""A worker that is killed as by a power cut, at named points and at any moment: the next one goes on after what was
committed, every resource is there once, every line is in the files once, and the index is what it should be.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emr.identity.principal import system_principal
from emr.kernel import json
from emr.records.bulk import jobs, verbs
from emr.settings import Bulk
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr_demo.postgres import Cluster
from tests.patience import comes_true_meanwhile
from tests.records.bulk.world import Json, ndjson, observation, patient
from tests.warehouse.world import World, make_world, opened, start_worker, started, stop

IMPORTING = ("import-begun", "import-read", "import-stored", "import-recorded:2", "import-committed:2")
"""After the names are noted, after the first lines are read, inside the transaction that stores, inside it after it says
how far it is, and after its commit."""
EXPORTING = ("export-file-written:2", "export-recorded", "export-committed", "export-recorded:2")
"""With a file that no row names, inside the transaction that names it, after its commit, and in the piece after that."""
PEOPLE, SEEN = 600, 3_600
SLUG, OTHER = "hoa-sen", "cau-vong"


@dataclass
class Hospital:
    """One of the world's hospitals, for whoever begins jobs and looks at what came of them."""

    world: World
    parts: Runtime
    slug: str

    @asynccontextmanager
    async def work(self) -> AsyncIterator[UnitOfWork]:
        tenant = self.parts.registry.by_slug(self.slug)
        async with unit_of_work(self.parts, tenant, system_principal("test", tenant_id=tenant.id)) as work:
            yield work

    async def importing(self, content: bytes) -> str:
        async with self.work() as work:
            blob = await work.blobs.put(_chunks(content), media_type="application/fhir+ndjson", limit=1 << 30)
        async with self.work() as work:
            return await verbs.begin_import(work, verbs.AskedImport("test", upload=verbs.Upload(blob, "body")))

    async def exporting(self) -> str:
        async with self.work() as work:
            return await verbs.begin_export(work, verbs.AskedExport(request="test"))

    async def job(self, name: str) -> jobs.Job:
        async with self.work() as work:
            return await jobs.read(work, name)

    async def lines(self, job: jobs.Job) -> list[Json]:
        found = b""
        async with self.work() as work:
            for file in job.files:
                if file.role == "output":
                    found += b"".join([chunk async for chunk in work.blobs.open(await work.blobs.find(file.blob))])
        return [json.loads(line) for line in found.splitlines()]

    def counts(self) -> tuple[int, int, int]:
        """Resources, their highest version, and versions that came after a first one."""
        schema = self.world.schema(self.slug)
        found = self.world.sql(
            f"SELECT count(*), max(version), (SELECT count(*) FROM {schema}.resource_versions) FROM {schema}.resources"
        )
        return tuple(found[0])  # type: ignore[return-value]


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


def record() -> list[Json]:
    """Each observation refers forwards, to a patient that comes after all of them."""
    text = "Ghi chú " + "về mạch của người bệnh " * 40
    seen = [observation(f"o{number}", f"p{number % PEOPLE}", note=[{"text": text}]) for number in range(SEEN)]
    return [*seen, *(patient(f"p{number}") for number in range(PEOPLE))]


@pytest.fixture(scope="module")
def killing(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> World:
    made = make_world(cluster, tmp_path_factory.mktemp("killing"), "emr_bulk")
    return World(made.settings.model_copy(update={"bulk": Bulk(part_mib=1, poll_seconds=0)}), made.superuser)


@pytest.fixture
def world(killing: World) -> Iterator[World]:
    killing.empty()
    for slug in (SLUG, OTHER):
        schema = killing.schema(slug)
        killing.sql(f"TRUNCATE {schema}.bulk_jobs, {schema}.idempotency_keys, {schema}.words, {schema}.quantities")
    yield killing
    while started:
        started.pop().kill()


async def killed(world: World, point: str) -> None:
    """A worker that dies at the point."""
    process = start_worker(world, point)
    await asyncio.to_thread(process.join, 60)
    assert process.exitcode == -signal.SIGKILL, f"{point}: the worker ended with {process.exitcode}"
    world.bury()


async def killed_after(world: World, seconds: float) -> None:
    """A worker that dies at some moment."""
    process = start_worker(world)
    assert process.pid is not None
    await asyncio.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    await asyncio.to_thread(process.join, 30)
    world.bury()


async def finished(world: World, hospital: Hospital, name: str) -> jobs.Job:
    """The job after a worker that nobody kills has ended it."""
    process = start_worker(world)
    deadline = time.monotonic() + 90
    while (job := await hospital.job(name)).state in jobs.OPEN:
        assert process.is_alive()
        assert time.monotonic() < deadline, job.error
        await asyncio.sleep(0.1)
    await asyncio.to_thread(stop, process)
    return job


def desks() -> list[int]:
    """Processes that read lines beside this test's workers, of whose sessions they are."""
    sessions, found = {process.pid for process in started}, []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"emr.records.bulk.desk_process" in place.read_bytes():
                session = int((place.parent / "stat").read_text().rpartition(")")[2].split()[3])
                found += [int(place.parent.name)] if session in sessions else []
        except OSError:
            continue
    return found


@pytest.mark.timeout(300)
class TestKilled:
    def test_an_import_brings_every_resource_once(self, world: World) -> None:
        async def scenario() -> tuple[Hospital, jobs.Job]:
            async with opened(world) as parts:
                hospital = Hospital(world, parts, SLUG)
                name = await hospital.importing(ndjson(record()))
                for point in IMPORTING:
                    await killed(world, point)
                await killed_after(world, random.Random(7).uniform(1.2, 2.0))
                job = await finished(world, hospital, name)
                assert await comes_true_meanwhile(lambda: not desks())
                return hospital, job

        hospital, job = asyncio.run(scenario())
        assert (job.state, job.progress["stored"], job.progress["refused"]) == ("done", PEOPLE + SEEN, 0)
        assert hospital.counts() == (PEOPLE + SEEN, 1, 0)
        assert index_faults(world, SLUG) == []

    def test_an_export_has_every_line_once(self, world: World) -> None:
        async def scenario() -> tuple[jobs.Job, list[Json], int]:
            async with opened(world) as parts:
                hospital = Hospital(world, parts, OTHER)
                await finished(world, hospital, await hospital.importing(ndjson(record())))
                name = await hospital.exporting()
                for point in EXPORTING:
                    await killed(world, point)
                job = await finished(world, hospital, name)
                return job, await hospital.lines(job), len(job.files)

        job, lines, files = asyncio.run(scenario())
        counts = Counter((line["resourceType"], line["id"]) for line in lines)
        assert (job.state, files > 2) == ("done", True)
        assert set(counts.values()) == {1}
        assert counts.keys() == {(each["resourceType"], each["id"]) for each in record()}


def index_faults(world: World, slug: str) -> list[Any]:
    """Rows of the index that belong to nothing, and resources that the index does not know."""
    schema = world.schema(slug)
    return world.sql(
        f"SELECT l.pk FROM {schema}.links l LEFT JOIN {schema}.resources r ON r.pk = l.pk WHERE r.pk IS NULL"
        f" UNION ALL SELECT c.pk FROM {schema}.compartments c LEFT JOIN {schema}.resources r ON r.pk = c.patient"
        f" WHERE r.pk IS NULL"
        f" UNION ALL SELECT r.pk FROM {schema}.resources r WHERE (SELECT count(*) FROM {schema}.compartments c"
        f" WHERE c.pk = r.pk) <> 1 OR NOT EXISTS (SELECT 1 FROM {schema}.words w WHERE w.pk = r.pk)"
    )

"""A worker that is killed: the next one goes on, no line twice, nothing half-stored, nothing left behind."""

from collections import Counter
from typing import Any

import pytest

from emr.records.bulk import export, jobs, verbs
from emr.records.bulk.importer import Importing
from emr.records.update import update_resource
from emr.work.runtime import Runtime
from tests.house import House
from tests.records.bulk.world import Ward, ndjson, observation, patient

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ward(standing: House, parts: Runtime) -> Ward:
    made = Ward(standing, parts)
    await parts.registry.refresh()
    return made


class TestExport:
    async def test_goes_on_after_the_last_file(self, ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
        await ward.imported(ndjson([patient(f"p{number}") for number in range(3_500)]))
        worker = ward.worker()
        worker._exporter._part_bytes = 60_000
        name = await ward.begin()
        await worker.turn(None)
        await worker.turn(None)
        half = await ward.job(name)
        assert half.state == "running"
        assert 0 < half.progress["lines"] < 3_500
        job = await ward.done(name)
        counts = Counter(line["id"] for line in await ward.lines(job))
        assert (len(counts), set(counts.values())) == (3_500, {1})

    async def test_a_holder_of_before_records_nothing(self, ward: Ward) -> None:
        await ward.imported(ndjson([patient("p")]))
        name = await ward.begin()
        job = await ward.job(name)
        async with ward.parts.databases.hospital(ward.tenant) as connection:
            assert await jobs.take(connection, name, 7)
        before = ward.house.objects(ward.tenant.slug)
        with pytest.raises(jobs.JobMoved):
            async with ward.work() as work:
                await export.Exporter(1 << 20).piece(work, job, 6)
        assert ward.house.objects(ward.tenant.slug) == before
        assert (await ward.job(name)).files == ()

    async def test_that_was_cancelled_meanwhile_leaves_no_object(self, ward: Ward) -> None:
        async with ward.work() as work:
            await update_resource(work, patient("p"))
        name = await ward.begin()
        async with ward.work() as work:
            await jobs.end(work, await jobs.read(work, name))
        assert (await ward.done(name)).state == "forgotten"
        assert ward.house.objects(ward.tenant.slug) == []


class TestImport:
    async def test_goes_on_after_the_last_batch(self, ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
        people = [patient(f"p{number}") for number in range(1_200)]
        seen = [observation(f"o{number}", f"p{number}") for number in range(1_200)]
        upload = await ward.upload(ndjson([*seen, *people]))
        async with ward.work() as work:
            name = await begin(work, upload)
        dies_after(monkeypatch, batches=2)
        with pytest.raises(Killed):
            await ward.worker().turn(None)
        half = await ward.job(name)
        assert half.progress["stored"] == 1_000
        monkeypatch.undo()
        job = await ward.done(name, ward.worker())
        assert (job.progress["stored"], job.progress["refused"]) == (2_400, 0)
        schema = ward.tenant.schema
        assert ward.house.sql(f"SELECT count(*), max(version) FROM {schema}.resources") == [(2_400, 1)]
        dangling = ward.house.sql(
            f"SELECT count(*) FROM {schema}.compartments c LEFT JOIN {schema}.resources r ON r.pk = c.patient WHERE r.pk IS NULL"
        )
        assert dangling == [(0,)]


class Killed(BaseException):
    """What a test raises where a process would end."""


def dies_after(monkeypatch: pytest.MonkeyPatch, *, batches: int) -> None:
    """End the worker's work when so many batches have been committed."""
    real = Importing._batch
    begun = 0

    async def counting(self: Importing, *args: Any) -> None:
        nonlocal begun
        begun += 1
        if begun > batches:
            if args[2] is not None:
                await args[2].committed.wait()
            raise Killed
        await real(self, *args)

    monkeypatch.setattr(Importing, "_batch", counting)


async def begin(work: Any, upload: Any) -> str:
    return await verbs.begin_import(work, verbs.AskedImport("test", upload=upload))

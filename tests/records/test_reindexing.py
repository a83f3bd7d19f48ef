"""A record is indexed again while it is in use, in pieces that are counted; and what is wrong in an index is found."""

import asyncio
from zlib import crc32

import pytest

from emr.fleet.migration import migrate
from emr.kernel.errors import Conflict, Unavailable
from emr.kernel.tenant import Tenant
from emr.records.create import create_resource
from emr.records.delete import delete
from emr.records.indexed import index_again
from emr.records.reindexing import IndexRowsMiscounted, Progress, advance, begin, demand_indexed
from emr.records.reindexing_job import reindex_jobs
from emr.records.update import update_resource
from emr.work.leases import Leases
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork
from tests.fhir.samples import observation, patient
from tests.house import House
from tests.records.wards import Ward

pytestmark = pytest.mark.anyio

TABLES = ("tokens", "links", "strings", "dates", "quantities", "words", "identifiers", "compartments")


class FilledWard(Ward):
    """A hospital of its own with some patients and their observations."""

    def __init__(self, standing: House, parts: Runtime, tenant: Tenant) -> None:
        super().__init__(standing, parts, tenant)
        self.patients: list[str] = []

    async def fill(self, most: int) -> None:
        for number in range(most):
            async with self.work() as work:
                given = patient(
                    name=[{"family": f"Ngô{number}"}], identifier=[{"system": "urn:a", "value": str(number)}]
                )
                person = await create_resource(work, given)
                value = {"value": number, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}
                await create_resource(work, observation(person.id, valueQuantity=value, effectiveDateTime="2026-01-02"))
            self.patients.append(person.id)

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        return self.standing.sql(statement.replace("{}", self.tenant.schema))

    async def reindexed(self, most: int = 5) -> Progress:
        while True:
            async with self.work() as work:
                progress = await advance(work, most)
            if progress.complete:
                return progress

    async def worked(self) -> None:
        """Let a worker do what there is to do."""
        leases = Leases(self.parts.databases.cell(self.tenant.cell).relay, "test", 30.0)
        (job,) = reindex_jobs(self.parts, {self.tenant.cell: leases})
        lease = await leases.acquire(job.name)
        assert lease is not None
        while await job.turn(lease):
            pass
        await leases.release(lease)

    async def mended(self) -> None:
        async with self.work() as work:
            await begin(work)
        await self.reindexed(100)
        assert await self.differences() == []


@pytest.fixture
async def ward(standing: House, parts: Runtime, request: pytest.FixtureRequest) -> FilledWard:
    tenant = standing.new_hospital(f"ward-{crc32(request.node.name.encode()) % 10**6}")
    await parts.registry.refresh()
    made = FilledWard(standing, parts, tenant)
    await made.fill(6)
    return made


class TestReindex:
    async def test_brings_back_every_row_and_counts_it(self, ward: FilledWard) -> None:
        before = {table: ward.sql(f"SELECT * FROM {{}}.{table} ORDER BY {table}") for table in TABLES}
        for table in TABLES:
            ward.sql(f"TRUNCATE {{}}.{table}")
        async with ward.work() as work:
            await begin(work)
        progress = await ward.reindexed()
        assert {table: ward.sql(f"SELECT * FROM {{}}.{table} ORDER BY {table}") for table in TABLES} == before
        assert progress.resources == 12
        assert {table: progress.rows[table] for table in TABLES} == {table: len(rows) for table, rows in before.items()}

    async def test_goes_on_where_it_was_cut_off(self, ward: FilledWard) -> None:
        async with ward.work() as work:
            await begin(work)
        async with ward.work() as work:
            assert (await advance(work, 5)).resources == 5
        with pytest.raises(RuntimeError):
            await _cut_off(ward)
        async with ward.work() as work:
            assert (await advance(work, 5)).resources == 10
        assert (await ward.reindexed()).resources == 12

    async def test_where_nothing_is_left_to_do_it_does_nothing(self, ward: FilledWard) -> None:
        async with ward.work() as work:
            assert (await advance(work, 5)).complete
        assert ward.sql("SELECT state ->> 'after' FROM {}.indexing") == [(None,)]

    async def test_beside_writers_it_loses_nothing(self, ward: FilledWard) -> None:
        async def change(person: str) -> None:
            for turn in range(6):
                async with ward.work() as work:
                    given = patient(name=[{"family": f"Lượt {turn}"}]) | {"id": person}
                    await update_resource(work, given)

        async def index() -> None:
            for _ in range(4):
                async with ward.work() as work:
                    await begin(work)
                complete = False
                while not complete:
                    try:
                        async with ward.work() as work:
                            complete = (await advance(work, 3)).complete
                    except Conflict:
                        continue

        await asyncio.gather(index(), *(change(person) for person in ward.patients))
        assert await ward.differences() == []

    async def test_a_batch_that_leaves_other_rows_is_undone(
        self, ward: FilledWard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def forgetful(work: UnitOfWork, pks: list[int]) -> object:
            rows = await index_again(work, pks)
            await work.db.execute("DELETE FROM dates WHERE pk = ANY ($1)", pks)
            return rows

        async with ward.work() as work:
            await begin(work)
        monkeypatch.setattr("emr.records.reindexing.index_again", forgetful)
        with pytest.raises(IndexRowsMiscounted):
            await ward.reindexed()
        assert await ward.differences() == []


class TestDemandIndexed:
    async def test_nothing_is_searched_while_the_index_is_built(self, ward: FilledWard) -> None:
        ward.sql("UPDATE {}.indexing SET state = '{\"format\": 0}' RETURNING 1")
        async with ward.work() as work:
            with pytest.raises(Unavailable):
                await demand_indexed(work)
        await ward.reindexed()
        async with ward.work() as work:
            await demand_indexed(work)


class TestJob:
    async def test_a_worker_builds_what_is_not_built(self, ward: FilledWard) -> None:
        for table in TABLES:
            ward.sql(f"TRUNCATE {{}}.{table}")
        ward.sql("UPDATE {}.indexing SET state = '{\"format\": 0}' RETURNING 1")
        await ward.worked()
        assert await ward.differences() == []
        async with ward.work() as work:
            await demand_indexed(work)


class TestRevision:
    async def test_a_hospital_of_the_revision_before_loses_nothing(self, ward: FilledWard) -> None:
        before = {table: ward.sql(f"SELECT * FROM {{}}.{table} ORDER BY {table}") for table in TABLES}
        for statement in (
            # What tenant_0010, tenant_0009, tenant_0008, tenant_0007, tenant_0006 and tenant_0005 made.
            "DROP TABLE {}.retention_holds",
            "ALTER INDEX {}.words_content SET (fastupdate = off)",
            "DROP TABLE {}.audit_archives",
            "DROP SCHEMA {}_seen CASCADE",
            "DROP TABLE {}.grants",
            "ALTER TABLE {}.resources DROP COLUMN labels, DROP COLUMN concerns",
            "DROP INDEX {}.audit_events_actor",
            "ALTER TABLE {}.tokens DROP COLUMN system",
            "CREATE INDEX tokens_key ON {}.tokens (key, updated DESC, pk DESC)",
            "INSERT INTO {}.tokens SELECT key + 1, updated, pk FROM {}.tokens",
            """UPDATE {}.indexing SET state = '{"format": 1}' WHERE name = 'record'""",
            "UPDATE {}.alembic_version SET version_num = 'tenant_0004'",
        ):
            ward.sql(
                f"{statement.replace('{}', ward.tenant.schema)} RETURNING 1" if "UPDATE" in statement else statement
            )
        ward.standing.sql("UPDATE directory.tenants SET revision = 'tenant_0004' WHERE slug = %s", ward.tenant.slug)
        steps = {each.target: each for each in await asyncio.to_thread(migrate, ward.standing.settings.database)}
        assert steps[ward.tenant.slug].error is None
        await ward.parts.registry.refresh()
        async with ward.work() as work:
            with pytest.raises(Unavailable):
                await demand_indexed(work)
        await ward.worked()
        assert {table: ward.sql(f"SELECT * FROM {{}}.{table} ORDER BY {table}") for table in TABLES} == before
        assert await ward.differences() == []


class TestVerify:
    async def test_a_fresh_record_is_as_it_should_be(self, ward: FilledWard) -> None:
        async with ward.work() as work:
            await delete(work, "Observation", await _first(work, "Observation"))
        assert await ward.differences() == []

    async def test_a_missing_row_is_found_and_a_pass_mends_it(self, ward: FilledWard) -> None:
        for table in TABLES:
            ward.sql(f"DELETE FROM {{}}.{table} WHERE ctid = (SELECT ctid FROM {{}}.{table} LIMIT 1) RETURNING 1")
            (found,) = await ward.differences()
            assert (found.table, found.missing, found.extra) == (table, 1, 0)
            await ward.mended()

    async def test_a_row_too_many_is_found_and_a_pass_mends_it(self, ward: FilledWard) -> None:
        for table in set(TABLES) - {"words"}:
            ward.sql(f"INSERT INTO {{}}.{table} SELECT * FROM {{}}.{table} LIMIT 1 RETURNING 1")
            (found,) = await ward.differences()
            assert (found.table, found.missing, found.extra) == (table, 0, 1)
            await ward.mended()

    async def test_a_changed_row_is_missing_and_too_many(self, ward: FilledWard) -> None:
        ward.sql("UPDATE {}.words SET content = 'other' WHERE pk = (SELECT min(pk) FROM {}.words) RETURNING 1")
        (found,) = await ward.differences()
        assert (found.table, found.missing, found.extra) == ("words", 1, 1)


async def _cut_off(ward: FilledWard) -> None:
    async with ward.work() as work:
        await advance(work, 5)
        raise RuntimeError("the power fails")


async def _first(work: UnitOfWork, kind: str) -> str:
    found: str = await work.db.fetchval("SELECT id FROM resources WHERE type = $1 ORDER BY pk LIMIT 1", kind)
    return found

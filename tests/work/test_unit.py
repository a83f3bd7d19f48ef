"""The unit of work: one transaction, an audit row before it ends, nothing left of what was refused."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import psycopg
import pytest

from emr.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from emr.records.create import create_resource
from emr.records.read import read
from emr.work.runtime import Runtime
from emr.work.unit import Request, UnitOfWork, unit_of_work
from emr.work.use_case import last_row, use_case
from tests.audit.rows import rows_of
from tests.fhir.samples import mark, patient
from tests.house import CAU_VONG, HOA_SEN, House
from tests.patience import comes_true_meanwhile

pytestmark = pytest.mark.anyio


async def _bytes(content: bytes) -> AsyncIterator[bytes]:
    yield content


class TestCommit:
    async def test_what_was_written_is_there_with_its_row_and_its_pointer(
        self, standing: House, parts: Runtime
    ) -> None:
        asked = mark()
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal(), Request(asked)) as work:
            stored = await create_resource(work, patient())
        schema = standing.tenants[HOA_SEN].schema
        assert standing.sql(f"SELECT version FROM {schema}.resources WHERE id = %s", stored.id) == [(1,)]
        [row] = rows_of(standing, asked)
        assert (row["action"], row["touched"]) == ("record.created", [["create", "Patient", stored.id, 1]])
        pointers = "SELECT tenant, version FROM cell.outbox WHERE id = %s UNION ALL SELECT '', 0 WHERE false"
        assert standing.sql(pointers, stored.id) in ([(schema, 1)], [])

    async def test_what_is_touched_after_the_row_was_written_stores_nothing(
        self, standing: House, parts: Runtime
    ) -> None:
        @use_case("record:create", "record.created")
        async def late(work: UnitOfWork) -> None:
            assert last_row(work) is not None
            work.trail.concerns("somebody")

        asked, before = mark(), standing.counts()
        with pytest.raises(RuntimeError):
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal(), Request(asked)) as work:
                await late(work)
        assert (rows_of(standing, asked), standing.counts()) == ([], before)

    async def test_a_use_case_within_another_leaves_the_row_to_it(self, standing: House, parts: Runtime) -> None:
        @use_case("record:create", "note.written")
        async def outer(work: UnitOfWork) -> str:
            first = await create_resource(work, patient())
            return first.id + (await create_resource(work, patient())).id

        asked = mark()
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal(), Request(asked)) as work:
            both = await outer(work)
            alone = await create_resource(work, patient())
        found = {row["action"]: [each[2] for each in row["touched"]] for row in rows_of(standing, asked)}
        assert {action: "".join(ids) for action, ids in found.items()} == {
            "note.written": both,
            "record.created": alone.id,
        }

    async def test_nothing_is_seen_before_it_ends(self, standing: House, parts: Runtime) -> None:
        schema = standing.tenants[HOA_SEN].schema
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            stored = await create_resource(work, patient())
            assert standing.sql(f"SELECT 1 FROM {schema}.resources WHERE id = %s", stored.id) == []


class TestToRead:
    async def test_nothing_can_be_written_or_held(self, standing: House, parts: Runtime) -> None:
        tenant, who = standing.tenants[HOA_SEN], standing.principal()
        before = standing.counts()
        with pytest.raises(Unavailable):
            async with unit_of_work(parts, tenant, who, to_read=True) as work:
                await create_resource(work, patient())
        with pytest.raises(Unavailable):
            async with unit_of_work(parts, tenant, who, to_read=True) as work:
                await work.db.fetch("SELECT 1 FROM resources LIMIT 1 FOR UPDATE")
        assert standing.counts() == before

    async def test_who_comes_next_sees_what_was_stored_meanwhile_as_its_own_hospital(
        self, standing: House, parts: Runtime
    ) -> None:
        """The connection is the same one: its transaction is another."""
        backends = set[int]()
        for _ in range(3):
            for slug in (HOA_SEN, CAU_VONG):
                tenant, who = standing.tenants[slug], standing.principal(slug=slug)
                async with unit_of_work(parts, tenant, who) as work:
                    stored = await create_resource(work, patient())
                async with unit_of_work(parts, tenant, who, to_read=True) as work:
                    assert (await read(work, "Patient", stored.id)).version == 1
                    assert await work.db.fetchval("SELECT current_user::text") == tenant.schema
                    assert await work.db.fetchval("SELECT current_schema()::text") == tenant.schema
                    backends.add(await work.db.fetchval("SELECT pg_backend_pid()"))
        assert len(backends) <= 2

    async def test_who_reads_next_in_the_hospital_goes_on_with_the_transaction_and_sees_what_was_stored(
        self, standing: House, parts: Runtime
    ) -> None:
        tenant, who = standing.tenants[HOA_SEN], standing.principal()
        async with unit_of_work(parts, tenant, who) as work:
            stored = await create_resource(work, patient())
        begun, versions = [], []
        for version in (2, 3):
            async with unit_of_work(parts, tenant, who, to_read=True) as work:
                begun.append(await work.db.fetchrow("SELECT pg_backend_pid() AS backend, now() AS begun"))
            update = f"UPDATE {tenant.schema}.resources SET version = %s WHERE id = %s RETURNING version"
            assert standing.sql(update, version, stored.id) == [(version,)]
            async with unit_of_work(parts, tenant, who, to_read=True) as work:
                begun.append(await work.db.fetchrow("SELECT pg_backend_pid() AS backend, now() AS begun"))
                versions.append(await work.db.fetchval("SELECT version FROM resources WHERE id = $1", stored.id))
        assert versions == [2, 3]
        assert len({tuple(each) for each in begun}) < len(begun)

    async def test_nobody_goes_on_with_the_transaction_of_one_who_sees_a_part(
        self, standing: House, parts: Runtime
    ) -> None:
        tenant, who = standing.tenants[HOA_SEN], standing.principal()
        part = replace(who, patient="nobody")
        for principal, role in ((part, f"{tenant.schema}_seen"), (who, tenant.schema)) * 3:
            async with unit_of_work(parts, tenant, principal, to_read=True) as work:
                assert await work.db.fetchval("SELECT current_user::text") == role
                told = await work.db.fetchval("SELECT current_setting('emr.patient', true)")
                assert (told == "nobody") == (principal is part)

    async def test_what_was_written_after_a_read_is_kept(self, standing: House, parts: Runtime) -> None:
        tenant, who = standing.tenants[HOA_SEN], standing.principal()
        async with unit_of_work(parts, tenant, who, to_read=True) as work:
            await work.db.fetchval("SELECT 1")
        async with unit_of_work(parts, tenant, who) as work:
            stored = await create_resource(work, patient())
        query = f"SELECT version FROM {tenant.schema}.resources WHERE id = %s"
        assert standing.sql(query, stored.id) == [(1,)]

    async def test_it_does_not_stay_open(self, standing: House, parts: Runtime) -> None:
        tenant, who = standing.tenants[HOA_SEN], standing.principal()
        async with unit_of_work(parts, tenant, who, to_read=True) as work:
            backend = await work.db.fetchval("SELECT pg_backend_pid()")
        state = "SELECT state FROM pg_stat_activity WHERE pid = %s"
        assert await comes_true_meanwhile(lambda: standing.sql(state, backend) == [("idle",)])

    async def test_a_refusal_ends_it_at_once_and_leaves_its_row(self, standing: House, parts: Runtime) -> None:
        asked = mark()
        tenant, who = standing.tenants[HOA_SEN], standing.principal()
        with pytest.raises(NotFound):
            async with unit_of_work(parts, tenant, who, Request(asked), to_read=True) as work:
                await read(work, "Patient", "nobody")
        [row] = rows_of(standing, asked)
        assert row["outcome"] == "refused"


class TestRollBack:
    async def test_a_refusal_undoes_everything_and_leaves_one_row(self, standing: House, parts: Runtime) -> None:
        asked = mark()
        before = standing.counts()
        with pytest.raises(NotFound):  # noqa: PT012 - a unit is more than a line
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal(), Request(asked)) as work:
                await create_resource(work, patient())
                await read(work, "Patient", "nobody")
        assert standing.counts() == before
        [row] = rows_of(standing, asked)
        assert (row["action"], row["outcome"], row["detail"]["codes"]) == ("request.refused", "refused", ["not-found"])

    async def test_a_fault_undoes_everything(self, standing: House, parts: Runtime) -> None:
        before = standing.counts()
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - a unit is more than a line
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
                await create_resource(work, patient())
                raise ZeroDivisionError
        assert standing.counts() == before

    async def test_being_cancelled_undoes_everything(self, standing: House, parts: Runtime) -> None:
        before, begun = standing.counts(), asyncio.Event()

        async def never_ends() -> None:
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
                await create_resource(work, patient())
                begun.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(never_ends())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert standing.counts() == before
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            assert await work.db.fetchval("SELECT 1") == 1

    async def test_objects_of_a_unit_that_failed_are_removed(self, standing: House, parts: Runtime) -> None:
        before = standing.objects()
        with pytest.raises(Invalid):  # noqa: PT012 - a unit is more than a line
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
                await work.blobs.put(_bytes(b"x" * 100), media_type="text/plain", limit=1_000)
                assert len(standing.objects()) == len(before) + 1
                raise Invalid("no", "No.")
        assert standing.objects() == before


class TestDatabaseTrouble:
    async def test_a_lost_connection_is_said_in_our_words(self, standing: House, parts: Runtime) -> None:
        with pytest.raises(Unavailable) as caught:  # noqa: PT012 - a unit is more than a line
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
                pid = await work.db.fetchval("SELECT pg_backend_pid()")
                standing.sql("SELECT pg_terminate_backend(%s)", pid)
                await work.db.fetchval("SELECT 1")
        assert caught.value.code == "database-unavailable"

    async def test_a_query_without_end_is_stopped(self, standing: House, parts: Runtime) -> None:
        with pytest.raises(Unavailable) as caught:  # noqa: PT012 - a unit is more than a line
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
                await work.db.execute("SET LOCAL statement_timeout TO 100")
                await work.db.fetchval("SELECT pg_sleep(5)")
        assert caught.value.code == "query-too-slow"

    async def test_a_deadlock_is_a_conflict(self, standing: House, parts: Runtime) -> None:
        async def take(first: int, second: int, ready: asyncio.Event, other: asyncio.Event) -> None:
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
                await work.db.execute("SELECT pg_advisory_xact_lock($1)", first)
                ready.set()
                await other.wait()
                await work.db.execute("SELECT pg_advisory_xact_lock($1)", second)

        one, two = asyncio.Event(), asyncio.Event()
        results = await asyncio.gather(take(71, 72, one, two), take(72, 71, two, one), return_exceptions=True)
        [failed] = [each for each in results if each is not None]
        assert isinstance(failed, Conflict)
        assert failed.code == "lock-lost"

    async def test_a_statement_that_failed_unseen_does_not_pass_for_stored(
        self, standing: House, parts: Runtime
    ) -> None:
        with pytest.raises(Unavailable) as caught:  # noqa: PT012 - a unit is more than a line
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
                await create_resource(work, patient())
                with contextlib.suppress(Exception):
                    await work.db.execute("SELECT 1 / 0")
        assert caught.value.code == "not-committed"


class TestRole:
    async def test_each_unit_is_its_hospital_alone_also_on_a_used_connection(
        self, standing: House, parts: Runtime
    ) -> None:
        for slug in (HOA_SEN, CAU_VONG, HOA_SEN):
            async with unit_of_work(parts, standing.tenants[slug], standing.principal(slug=slug)) as work:
                row = await work.db.fetchrow("SELECT current_user, current_setting('search_path')")
                assert row is not None
                assert set(row) == {standing.tenants[slug].schema}


@use_case("record:read", "outer.done")
async def outer(work: UnitOfWork) -> None:
    await inner(work, "a")
    await inner(work, "b")
    work.trail.note(figures=2)


@use_case("record:search", "inner.done")
async def inner(work: UnitOfWork, name: str) -> None:
    work.trail.read("Patient", name, 1)
    work.trail.concerns(name)


class TestUseCase:
    async def test_nested_ones_make_one_row(self, standing: House, parts: Runtime) -> None:
        asked = mark()
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal(), Request(asked)) as work:
            await outer(work)
        [row] = rows_of(standing, asked)
        assert row["action"] == "outer.done"
        assert row["touched"] == [["read", "Patient", "a", 1], ["read", "Patient", "b", 1]]
        assert (row["patients"], row["detail"]) == (["a", "b"], {"figures": 2})

    async def test_one_after_the_other_makes_two(self, standing: House, parts: Runtime) -> None:
        asked = mark()
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal(), Request(asked)) as work:
            await inner(work, "a")
            await inner(work, "b")
        assert [row["patients"] for row in rows_of(standing, asked)] == [["a"], ["b"]]

    async def test_demands_the_permission_of_each(self, standing: House, parts: Runtime) -> None:
        for role in ("ops", "auditor"):
            with pytest.raises(Forbidden):
                async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal(role)) as work:
                    await inner(work, "a")


def test_the_journal_is_part_of_the_writing_transaction(standing: House) -> None:
    """A journal that takes no row takes the fact with it: both or neither."""
    schema = standing.tenants[HOA_SEN].schema
    with psycopg.connect(standing.cluster.url(database="emr")) as connection:
        connection.execute(f"SET LOCAL ROLE {schema}")
        fenced = "INSERT INTO cell.audit_journal (tenant, at, row) VALUES ('t_other0000000', now(), '')"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(fenced)

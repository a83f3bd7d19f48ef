"""The relay against a real PostgreSQL and a table in a folder."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from emr.kernel.errors import Unavailable
from emr.records.create import create_resource
from emr.warehouse.bodies import Bodies
from emr.warehouse.outbox import Outbox
from emr.warehouse.relay import Relay
from emr.warehouse.replay import compare, replay
from emr.warehouse.status import cell_status
from emr.warehouse.table import Source, Table, TableBusy, Version
from emr.work.faults import nowhere
from emr.work.leases import Lease, LeaseLost, Leases
from emr.work.runtime import Runtime
from tests.warehouse.world import (
    SLUGS,
    World,
    opened,
    patient_of,
    read_by_hand,
    rows_by_hand,
    working,
    write_history,
)


class Bench:
    """A relay with its parts within reach, in this process."""

    def __init__(self, world: World, parts: Runtime, holder: str = "test") -> None:
        self.world, self.parts = world, parts
        self.cell = parts.databases.cell("default")
        self.table = Table(world.settings.warehouse, "default")
        self.leases = Leases(self.cell.relay, holder, 10)
        self.outbox = Outbox(self.cell.relay)

    def relay(self, **changes: object) -> Relay:
        given = {
            "settings": self.world.settings.warehouse,
            "outbox": self.outbox,
            "bodies": Bodies(self.parts.databases, self.parts.registry),
            "table": self.table,
            "slug_of": {tenant.schema: tenant.slug for tenant in self.parts.registry.all()}.get,
            "reached": nowhere,
        } | changes
        return Relay(**given)  # type: ignore[arg-type]

    async def lease(self) -> Lease:
        lease = await self.leases.acquire("relay:warehouse")
        assert lease is not None
        return lease

    async def drain(self, **changes: object) -> None:
        relay, lease = self.relay(**changes), await self.lease()
        while await relay.turn(lease) or self.world.waiting():
            pass


def benched(world: World, scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with opened(world) as parts:
            await scenario(Bench(world, parts))

    asyncio.run(inside())


def held(world: World, slug: str) -> dict[tuple[str, str, int], int]:
    return dict(read_by_hand(Path(world.settings.warehouse.url), world.tenant_id(slug)))


class TestATurn:
    def test_the_table_holds_each_version_of_each_hospital_once(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            for number in range(5):
                for slug in SLUGS:
                    await write_history(bench.parts, slug, number)
            await bench.drain()

        benched(world, scenario)
        for slug in SLUGS:
            assert len(world.record(slug)) == 20
            assert held(world, slug) == world.record(slug) == world.receipts(slug)
        assert world.waiting() == 0

    def test_a_foreign_reader_sees_the_bodies_byte_for_byte(self, world: World) -> None:
        bodies: dict[str, bytes] = {}

        async def scenario(bench: Bench) -> None:
            async with working(bench.parts, "hoa-sen") as work:
                for number in range(3):
                    stored = await create_resource(work, patient_of(number))
                    bodies[stored.id] = stored.body
            await bench.drain()

        benched(world, scenario)
        frame = pl.read_delta(world.settings.warehouse.url)
        assert {row["id"]: row["body"].encode() for row in frame.to_dicts()} == bodies
        assert set(frame["hospital"]) == {"hoa-sen"}
        assert set(frame["facility_code"]) == {"79999"}

    def test_a_deletion_is_a_row_without_a_body(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            await write_history(bench.parts, "hoa-sen", 1)
            await bench.drain()

        benched(world, scenario)
        rows = list(rows_by_hand(Path(world.settings.warehouse.url), world.tenant_id("hoa-sen")))
        deleted = [row for row in rows if row["deleted"]]
        assert [(row["type"], row["version"], row["body"]) for row in deleted] == [("Observation", 2, None)]
        assert all(row["last_updated"].tzinfo is not None for row in rows)
        assert {row["last_updated"].astimezone(UTC).strftime("%Y-%m") for row in rows} == {
            path.parent.name.removeprefix("month=")
            for path in Path(world.settings.warehouse.url).glob("month=*/*.parquet")
        }

    def test_versions_of_a_resource_come_in_order(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            for number in range(4):
                await write_history(bench.parts, "hoa-sen", number)
            await bench.drain(settings=world.settings.warehouse.model_copy(update={"batch_rows": 3}))

        benched(world, scenario)
        first = dict(world.sql("SELECT id || version, batch FROM cell.deliveries WHERE version = 1"))
        second = dict(world.sql("SELECT id || version, batch FROM cell.deliveries WHERE version = 2"))
        assert len(second) == 8
        assert all(first[key[:-1] + "1"] <= batch for key, batch in second.items())

    def test_a_transaction_that_commits_late_is_not_passed_by(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            async with working(bench.parts, "hoa-sen") as late:
                await create_resource(late, patient_of(1))
                await write_history(bench.parts, "hoa-sen", 2)
                await bench.drain()
                assert sum(held(world, "hoa-sen").values()) == 4
            await bench.drain()

        benched(world, scenario)
        assert held(world, "hoa-sen") == world.record("hoa-sen")

    def test_it_waits_a_little_for_others_unless_a_batch_is_full(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            slow = world.settings.warehouse.model_copy(update={"linger_ms": 60_000, "batch_rows": 4})
            relay, lease = bench.relay(settings=slow), await bench.lease()
            async with working(bench.parts, "hoa-sen") as work:
                await create_resource(work, patient_of(1))
            assert not await relay.turn(lease)
            assert world.waiting() == 1
            await write_history(bench.parts, "hoa-sen", 2)
            assert await relay.turn(lease)
            assert world.waiting() == 1

        benched(world, scenario)

    def test_heavy_bodies_go_in_several_batches(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("emr.warehouse.bodies.LIMIT_BYTES", 200)

        async def scenario(bench: Bench) -> None:
            async with working(bench.parts, "hoa-sen") as work:
                for number in range(6):
                    await create_resource(work, patient_of(number))
            await bench.drain()

        benched(world, scenario)
        assert held(world, "hoa-sen") == world.record("hoa-sen")
        assert world.sql("SELECT count(DISTINCT batch) FROM cell.deliveries")[0][0] >= 3


class TestTrouble:
    def test_a_warehouse_that_is_down_loses_nothing_and_care_goes_on(self, world: World, tmp_path: Path) -> None:
        blocked = tmp_path / "warehouse"

        async def scenario(bench: Bench) -> None:
            blocked.write_text("a file where the folder should be")
            await write_history(bench.parts, "hoa-sen", 1)
            relay, lease = bench.relay(), await bench.lease()
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await relay.turn(lease)
            await write_history(bench.parts, "hoa-sen", 2)
            assert world.waiting() == 8
            blocked.unlink()
            await bench.drain()

        benched(world, scenario)
        assert held(world, "hoa-sen") == world.record("hoa-sen")

    def test_a_failed_attempt_is_shown_with_its_reason(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            await write_history(bench.parts, "hoa-sen", 1)
            lease = await bench.lease()

            class Down(Table):
                def append(self, number: int, versions: object) -> int:
                    raise Unavailable("warehouse-unavailable", "The warehouse does not answer.")

            with pytest.raises(Unavailable):
                await bench.relay(table=Down(world.settings.warehouse, "default")).turn(lease)
            status = await cell_status("default", bench.cell, bench.parts.registry)
            assert status.last_batch is not None
            assert (status.last_batch["state"], status.last_batch["attempts"]) == ("claimed", 1)
            assert status.last_batch["error"] == "warehouse-unavailable"
            assert status.pending == 4
            await bench.drain()
            status = await cell_status("default", bench.cell, bench.parts.registry)
            assert (status.pending, status.lag_seconds, status.last_batch["error"]) == (0, 0.0, None)
            assert {each.hospital: each.delivered for each in status.hospitals} == {"hoa-sen": 4, "cau-vong": 0}

        benched(world, scenario)

    def test_what_cannot_be_read_is_set_aside_and_holds_nobody_up(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            await write_history(bench.parts, "hoa-sen", 1)
            schema = world.schema("hoa-sen")
            put = "INSERT INTO cell.outbox (tenant, type, id, version) VALUES (%s, 'Patient', 'nobody', 1)"
            world.sql(put, schema)
            world.sql(put, "t_000000000000")
            world.sql(f"UPDATE {schema}.resources SET body = '\\x0102' WHERE type = 'Patient'")
            await bench.drain()
            status = await cell_status("default", bench.cell, bench.parts.registry)
            assert sorted((each.hospital, each.reason, each.rows) for each in status.failures) == [
                ("hoa-sen", "body-unreadable", 1),
                ("hoa-sen", "version-missing", 1),
                ("t_000000000000", "hospital-gone", 1),
            ]

        benched(world, scenario)
        assert sum(held(world, "hoa-sen").values()) == 3

    def test_a_commit_whose_receipts_were_never_written_is_not_repeated(self, world: World) -> None:
        def dies(point: str) -> None:
            if point == "relay-committed":
                raise ConnectionResetError

        async def scenario(bench: Bench) -> None:
            await write_history(bench.parts, "hoa-sen", 1)
            with pytest.raises(ConnectionResetError):
                await bench.relay(reached=dies).turn(await bench.lease())
            assert world.waiting() == 4
            await bench.drain()

        benched(world, scenario)
        assert held(world, "hoa-sen") == world.record("hoa-sen") == world.receipts("hoa-sen")
        assert {row[0] for row in world.sql("SELECT table_version FROM cell.deliveries")} == {1}

    def test_two_writers_of_one_batch_do_not_both_succeed(self, world: World) -> None:
        first, second = (Table(world.settings.warehouse, "default") for _ in range(2))
        source = Source("hoa-sen", "79999", "tenant")
        rows = [Version(source, "Patient", "p1", 1, _now(), deleted=False, body=b"{}")]
        assert (first.delivered(), second.delivered()) == (0, 0)
        first.append(1, rows)
        with pytest.raises(TableBusy):
            second.append(1, rows)
        assert second.delivered() == 1
        assert list(second.keys("tenant")) == [("Patient", "p1", 1)]

    def test_cells_append_side_by_side(self, world: World) -> None:
        first, second = Table(world.settings.warehouse, "default"), Table(world.settings.warehouse, "east")
        source = Source("hoa-sen", "79999", "tenant")
        rows = [Version(source, "Patient", "p1", 1, _now(), deleted=False, body=b"{}")]
        assert (first.delivered(), second.delivered()) == (0, 0)
        first.append(1, rows)
        second.append(1, rows)
        assert (first.delivered(), second.delivered()) == (1, 1)

    def test_a_restored_database_does_not_give_a_number_again(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            await write_history(bench.parts, "hoa-sen", 1)
            await bench.drain()
            world.sql("TRUNCATE cell.batches")
            await write_history(bench.parts, "hoa-sen", 2)
            await bench.drain()

        benched(world, scenario)
        assert held(world, "hoa-sen") == world.record("hoa-sen")

    def test_what_was_delivered_in_the_time_that_a_restore_lost_is_not_sent_twice(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            await write_history(bench.parts, "hoa-sen", 1)
            before = world.sql("SELECT tenant, type, id, version FROM cell.outbox")
            await bench.drain()
            world.sql("TRUNCATE cell.batches, cell.deliveries")
            for row in before:
                world.sql("INSERT INTO cell.outbox (tenant, type, id, version) VALUES (%s, %s, %s, %s)", *row)
            await write_history(bench.parts, "hoa-sen", 2)
            await bench.drain()

        benched(world, scenario)
        assert held(world, "hoa-sen") == world.record("hoa-sen") == world.receipts("hoa-sen")

    def test_a_version_that_was_written_anew_after_a_restore_is_set_aside(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            await write_history(bench.parts, "hoa-sen", 1)
            row = world.sql("SELECT tenant, type, id, version FROM cell.outbox WHERE type = 'Patient' AND version = 2")
            await bench.drain()
            world.sql("TRUNCATE cell.batches, cell.deliveries")
            schema = world.schema("hoa-sen")
            world.sql(f"UPDATE {schema}.resources SET updated = updated + interval '1 hour' WHERE type = 'Patient'")
            world.sql("INSERT INTO cell.outbox (tenant, type, id, version) VALUES (%s, %s, %s, %s)", *row[0])
            await bench.drain()
            status = await cell_status("default", bench.cell, bench.parts.registry)
            assert [(each.reason, each.rows) for each in status.failures] == [("version-differs", 1)]

        benched(world, scenario)
        assert held(world, "hoa-sen") == world.record("hoa-sen")

    def test_tidying_leaves_the_same_rows(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            for number in range(6):
                await write_history(bench.parts, "hoa-sen", number)
                await bench.drain()
            before = held(world, "hoa-sen")
            bench.table.delivered()
            bench.table.tidy()
            assert held(world, "hoa-sen") == before
            await write_history(bench.parts, "hoa-sen", 7)
            await bench.drain()

        benched(world, scenario)
        assert held(world, "hoa-sen") == world.record("hoa-sen")


class TestTheLease:
    def test_one_process_holds_it_and_a_new_holder_has_a_greater_fence(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            mine = await bench.lease()
            other = Leases(bench.cell.relay, "other", 10)
            assert await other.acquire(mine.name) is None
            await bench.leases.release(mine)
            theirs = await other.acquire(mine.name)
            assert theirs is not None
            assert theirs.fence > mine.fence

        benched(world, scenario)

    def test_who_has_lost_it_can_claim_and_receipt_nothing(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            await write_history(bench.parts, "hoa-sen", 1)
            mine = await bench.lease()
            batch = await bench.outbox.claim(mine, 10, 0)
            assert batch is not None
            await bench.leases.release(mine)
            assert await Leases(bench.cell.relay, "other", 10).acquire(mine.name)
            for attempt in (bench.outbox.claim(mine, 10, 0), bench.outbox.receipts(mine, batch, 1, nowhere)):
                with pytest.raises(LeaseLost):
                    await attempt
            with pytest.raises(LeaseLost):
                await bench.leases.renew(mine)
            assert world.waiting() == 4

        benched(world, scenario)

    def test_work_under_a_lease_that_is_taken_away_is_stopped(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            short = Leases(bench.cell.relay, "short", 0.3)

            async def work() -> None:
                async with short.held("replay"):
                    world.sql("UPDATE cell.jobs SET holder = 'thief'")
                    await asyncio.sleep(5)

            with pytest.raises(LeaseLost):
                await work()

        benched(world, scenario)


class TestReplay:
    def test_a_whole_table_is_called_whole(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            await write_history(bench.parts, "hoa-sen", 1)
            tenant = bench.parts.registry.by_slug("hoa-sen")
            waiting = await compare(bench.parts.databases, bench.table, tenant)
            assert (waiting.whole, waiting.versions, waiting.on_the_way) == (True, 4, 4)
            await bench.drain()
            delivered = await compare(bench.parts.databases, bench.table, tenant)
            assert (delivered.whole, delivered.versions, delivered.on_the_way) == (True, 4, 0)

        benched(world, scenario)

    def test_what_the_table_lacks_is_sent_again_and_nothing_else(self, world: World, tmp_path: Path) -> None:
        async def scenario(bench: Bench) -> None:
            await write_history(bench.parts, "hoa-sen", 1)
            await bench.drain()
            elsewhere = world.at(world.settings.warehouse.model_copy(update={"url": str(tmp_path / "new")}))
            moved = Bench(elsewhere, bench.parts)
            await write_history(bench.parts, "hoa-sen", 2)
            await moved.drain()
            tenant = bench.parts.registry.by_slug("hoa-sen")
            found = await replay(moved.parts.databases, moved.table, tenant, moved.leases)
            assert len(found.missing) == 4
            await moved.drain()
            assert (await compare(moved.parts.databases, moved.table, tenant)).whole
            assert read_by_hand(tmp_path / "new", tenant.id) == world.record("hoa-sen")

        benched(world, scenario)

    def test_rows_that_the_record_does_not_know_and_doubles_are_told(self, world: World) -> None:
        async def scenario(bench: Bench) -> None:
            tenant = bench.parts.registry.by_slug("hoa-sen")
            row = Version(
                Source("hoa-sen", "79999", tenant.id), "Patient", "stranger", 1, _now(), deleted=False, body=b"{}"
            )
            for number in (1, 2):
                bench.table.delivered()
                bench.table.append(number, [row])
            found = await compare(bench.parts.databases, bench.table, tenant)
            assert (found.unknown, found.doubled, found.whole) == (
                [("Patient", "stranger", 1)],
                [("Patient", "stranger", 1)],
                False,
            )

        benched(world, scenario)


def _now() -> datetime:
    return datetime.now(UTC)

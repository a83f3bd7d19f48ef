"""The sealer against a real PostgreSQL: nothing is lost, nothing is numbered twice, no chain forks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from emr.audit import sealing
from emr.audit.checking import Asked, check
from emr.audit.rows import AuditRow, event_of
from emr.audit.sealing import DirectorySealer, Sealer
from emr.audit.stored import DIRECTORY
from emr.identity.principal import system_principal
from emr.kernel.clock import utc_now
from emr.work.faults import nowhere
from emr.work.runtime import Runtime
from tests.warehouse.world import SLUGS, World, opened

NURSE = system_principal("nurse")


def sealer(parts: Runtime, reached: Callable[[str], None] = nowhere) -> Sealer:
    return Sealer("default", parts.databases.cell("default"), utc_now, lambda _: "hoa-sen", reached)


def rows_for(world: World, slug: str, count: int, start: int = 0) -> list[AuditRow]:
    now = datetime.now(UTC)
    schema = world.schema(slug)
    return [
        AuditRow(schema, now, "record.read", "success", NURSE, f"r{number}", patients=(f"p{number}",))
        for number in range(start, start + count)
    ]


def faults(world: World, slug: str) -> list[str]:
    return check(Asked(world.settings.database.url, world.schema(slug), slug, None)).faults


def seals_of(world: World, slug: str) -> Sequence[Any]:
    return world.sql(f"SELECT batch, first, last FROM {world.schema(slug)}.audit_seals ORDER BY batch")


def played(world: World, scenario: Callable[[Runtime], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with opened(world) as parts:
            await scenario(parts)

    asyncio.run(inside())


def columns(world: World, slug: str) -> Sequence[Any]:
    schema = world.schema(slug)
    return world.sql(f"SELECT number, at, action, actor, patients, row FROM {schema}.audit_events ORDER BY number")


class TestSeal:
    def test_rows_move_from_the_journal_to_their_hospital_under_a_seal(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            for slug in SLUGS:
                await parts.audit.record("default", rows_for(world, slug, 5))
            await sealer(parts).turn()
            for slug in SLUGS:
                assert seals_of(world, slug) == [(1, 1, 5)]
                assert [row[0] for row in columns(world, slug)] == [1, 2, 3, 4, 5]
                assert faults(world, slug) == []

        played(world, scenario)
        assert world.unsealed() == 0

    def test_numbers_go_on_without_a_gap_in_the_order_of_the_journal(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            for start in range(0, 30, 10):
                await parts.audit.record("default", rows_for(world, "hoa-sen", 10, start))
                await sealer(parts).turn()
            rows = columns(world, "hoa-sen")
            assert [last for _, _, last in seals_of(world, "hoa-sen")] == [10, 20, 30]
            assert [row[0] for row in rows] == list(range(1, 31))
            assert [f'"request":"r{number}"' in row[5] for number, row in enumerate(rows)] == [True] * 30
            assert faults(world, "hoa-sen") == []

        played(world, scenario)

    def test_the_columns_beside_a_row_are_derived_from_it(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            await parts.audit.record("default", rows_for(world, "hoa-sen", 3))
            await sealer(parts).turn()

        played(world, scenario)
        for row in columns(world, "hoa-sen"):
            assert tuple(row) == event_of(row[0], row[5])
        assert columns(world, "hoa-sen")[0][2:5] == ("record.read", "system:nurse", ["p0"])

    def test_more_than_one_batch_is_left_for_the_next_turn(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealing, "BATCH_ROWS", 4)

        async def scenario(parts: Runtime) -> None:
            await parts.audit.record("default", rows_for(world, "hoa-sen", 10))
            assert [await sealer(parts).turn() for _ in range(4)] == [True, True, False, False]
            assert faults(world, "hoa-sen") == []

        played(world, scenario)
        assert len(columns(world, "hoa-sen")) == 10

    def test_a_tampered_row_is_found_in_what_is_stored(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            await parts.audit.record("default", rows_for(world, "hoa-sen", 5))
            await sealer(parts).turn()
            schema = world.schema("hoa-sen")
            world.sql(f"UPDATE {schema}.audit_events SET row = replace(row, 'r2', 'r9') WHERE number = 3")
            assert faults(world, "hoa-sen") == ["seal 1: a row of 1 to 5 was changed"]

        played(world, scenario)

    def test_the_hospitals_own_role_can_neither_change_nor_remove_what_is_sealed(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            await parts.audit.record("default", rows_for(world, "hoa-sen", 1))
            await sealer(parts).turn()
            tenant = parts.registry.by_slug("hoa-sen")
            for statement in (
                "UPDATE audit_events SET row = ''",
                "DELETE FROM audit_events",
                "DELETE FROM audit_seals",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await _as_hospital(parts, tenant, statement)

        played(world, scenario)


async def _as_hospital(parts: Runtime, tenant: Any, statement: str) -> None:
    async with parts.databases.hospital(tenant) as connection:
        await connection.execute(statement)


class TestTrouble:
    @pytest.mark.parametrize("point", ["sealer-taken", "sealer-rows-written", "sealer-before-commit"])
    def test_what_fails_midway_leaves_everything_as_it_was(self, world: World, point: str) -> None:
        def fails(reached: str) -> None:
            if reached == point:
                raise ConnectionResetError

        async def scenario(parts: Runtime) -> None:
            await parts.audit.record("default", rows_for(world, "hoa-sen", 5))
            with pytest.raises(ConnectionResetError):
                await sealer(parts, fails).turn()
            assert world.unsealed() == 5
            assert columns(world, "hoa-sen") == []
            await sealer(parts).turn()
            assert faults(world, "hoa-sen") == []

        played(world, scenario)
        assert len(columns(world, "hoa-sen")) == 5

    def test_many_sealers_at_once_make_one_chain(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealing, "BATCH_ROWS", 7)

        async def scenario(parts: Runtime) -> None:
            async def write() -> None:
                for start in range(0, 100, 5):
                    await parts.audit.record("default", rows_for(world, "hoa-sen", 5, start))

            async def keep_sealing() -> None:
                while not writing.done() or world.unsealed():
                    await sealer(parts).turn()

            writing = asyncio.create_task(write())
            await asyncio.gather(writing, *(keep_sealing() for _ in range(3)))
            assert [row[0] for row in columns(world, "hoa-sen")] == list(range(1, 101))
            assert faults(world, "hoa-sen") == []

        played(world, scenario)

    def test_a_hospital_that_cannot_be_sealed_does_not_hold_up_the_others(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            for stranger in ("public", "t_000000000000"):
                world.sql("INSERT INTO cell.audit_journal (tenant, at, row) VALUES (%s, now(), '{}')", stranger)
            await parts.audit.record("default", rows_for(world, "hoa-sen", 2))
            await sealer(parts).turn()

        played(world, scenario)
        assert world.unsealed() == 2
        assert len(columns(world, "hoa-sen")) == 2


class TestDirectory:
    def test_what_belongs_to_no_hospital_is_sealed_as_a_stream_of_its_own(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            rows = [AuditRow(None, datetime.now(UTC), "session.started", "success", NURSE, f"r{n}") for n in range(7)]
            await parts.audit.record_directory(rows)
            sealer = DirectorySealer(parts.databases.directory_audit, utc_now)
            assert [await sealer.turn(), await sealer.turn()] == [False, False]

        played(world, scenario)
        asked = Asked(world.settings.database.url, DIRECTORY, DIRECTORY, None)
        report = check(asked)
        assert (report.rows, report.batches, report.faults, report.unsealed.rows) == (7, 1, [], 0)
        world.sql("UPDATE directory.audit_events SET row = replace(row, 'r3', 'r9') WHERE number = 4")
        assert check(asked).faults == ["seal 1: a row of 1 to 7 was changed"]

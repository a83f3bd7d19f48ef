"""Rows of several requests travel together: who waits, who gives up, and what is committed."""

import asyncio
import contextlib
from collections.abc import Awaitable

from emr.audit.writer import AuditWriter
from emr.work.runtime import Runtime
from tests.audit.test_sealing import played, rows_for
from tests.warehouse.world import World


def journal(world: World) -> list[str]:
    return sorted(row[0] for row in world.sql("SELECT row::jsonb ->> 'request' FROM cell.audit_journal"))


def commits(world: World) -> int:
    return int(world.sql("SELECT count(DISTINCT xmin::text) FROM cell.audit_journal")[0][0])


class TestGroups:
    def test_who_comes_while_others_do_shares_their_commits(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            rows = rows_for(world, "hoa-sen", 40)
            writer = AuditWriter(parts.databases)
            await asyncio.gather(*(writer.record("default", [row]) for row in rows))
            assert journal(world) == sorted(row.request_id for row in rows)
            assert commits(world) <= 3

        played(world, scenario)

    def test_who_comes_alone_is_committed_before_the_answer(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            for row in rows_for(world, "hoa-sen", 3):
                await parts.audit.record("default", [row])
                assert row.request_id in journal(world)
            assert commits(world) == 3

        played(world, scenario)

    def test_the_row_of_one_who_gives_up_is_written_all_the_same(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            rows = rows_for(world, "hoa-sen", 5)
            asking = [asyncio.create_task(parts.audit.record("default", [row])) for row in rows]
            await asyncio.sleep(0)
            asking[2].cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking[2]
            await asyncio.gather(*(each for each in asking if not each.cancelled()))
            assert asking[2].cancelled()
            assert journal(world) == sorted(row.request_id for row in rows)

        played(world, scenario)


class TestGathering:
    """What a group waits for: with half a minute of patience whatever is not waited for shows in the commits."""

    def test_who_was_answered_together_is_committed_together_again(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            rows = iter(rows_for(world, "hoa-sen", 24))
            writer = AuditWriter(parts.databases, patience=30, recent=30)

            async def reader(place: int) -> None:
                for _ in range(3):
                    await writer.record("default", [next(rows)])
                    await asyncio.sleep(place * 0.002)

            await _soon(asyncio.gather(*(reader(place) for place in range(8))))
            assert len(journal(world)) == 24
            assert commits(world) == 3

        played(world, scenario)

    def test_who_comes_alone_waits_for_nobody(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            writer = AuditWriter(parts.databases, patience=30, recent=30)
            for row in rows_for(world, "hoa-sen", 3):
                await _soon(writer.record("default", [row]))
            assert commits(world) == 3

        played(world, scenario)

    def test_who_comes_long_after_the_others_waits_for_nobody(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            *together, alone = rows_for(world, "hoa-sen", 6)
            writer = AuditWriter(parts.databases, patience=30, recent=0)
            await _soon(asyncio.gather(*(writer.record("default", [row]) for row in together)))
            await _soon(writer.record("default", [alone]))
            assert commits(world) == 2

        played(world, scenario)

    def test_who_does_not_come_back_is_waited_for_no_longer_than_patience_lasts(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            *together, back = rows_for(world, "hoa-sen", 6)
            writer = AuditWriter(parts.databases, patience=0.001, recent=30)
            await _soon(asyncio.gather(*(writer.record("default", [row]) for row in together)))
            await _soon(writer.record("default", [back]))
            assert back.request_id in journal(world)

        played(world, scenario)

    def test_a_group_of_many_is_not_waited_for_whole(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            rows = rows_for(world, "hoa-sen", 56)
            writer = AuditWriter(parts.databases, patience=30, recent=30)
            for come in (rows[:40], rows[40:]):
                await _soon(asyncio.gather(*(writer.record("default", [row]) for row in come)))
            assert commits(world) == 2

        played(world, scenario)

    def test_nobody_is_answered_before_the_commit_that_was_waited_for(self, world: World) -> None:
        async def scenario(parts: Runtime) -> None:
            rows = rows_for(world, "hoa-sen", 4)
            writer = AuditWriter(parts.databases, patience=30, recent=30)
            await _soon(asyncio.gather(*(writer.record("default", [row]) for row in rows[:2])))
            first = asyncio.create_task(writer.record("default", [rows[2]]))
            await asyncio.sleep(0.05)
            assert not first.done()
            assert rows[2].request_id not in journal(world)
            await _soon(asyncio.gather(first, writer.record("default", [rows[3]])))
            assert len(journal(world)) == 4

        played(world, scenario)


async def _soon(waited: Awaitable[object]) -> None:
    """Fails where a group waits for its whole patience."""
    await asyncio.wait_for(waited, 25)

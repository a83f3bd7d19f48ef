"""Rows of several requests travel together: who waits, who gives up, and what is committed."""

import asyncio
import contextlib

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

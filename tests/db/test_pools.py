"""Who gives up in the middle leaves nothing behind for the next one on the same connection."""

import asyncio

import asyncpg
import pytest

from emr.db.connection import USELESS
from emr.db.pools import Cell, RolePool
from tests.house import HOA_SEN, House

pytestmark = pytest.mark.anyio
MOMENTS = 40
"""How often something is given up, each time a little later in its course."""


async def given_up(going: "asyncio.Task[None]", moment: int) -> None:
    for _ in range(moment % 8):
        await asyncio.sleep(0)
    await asyncio.sleep(moment // 8 * 0.0004)
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)


class TestRolePool:
    async def test_a_transaction_given_up_while_it_begins_swallows_nobodys_changes(self, standing: House) -> None:
        pool = RolePool(standing.settings.database.url, "emr_directory", size=1)
        await pool.open()

        async def begin() -> None:
            async with pool.transaction() as connection:
                await connection.fetchval("SELECT 1")

        try:
            await begin()
            for moment in range(MOMENTS):
                await given_up(asyncio.create_task(begin()), moment)
                async with pool.connection() as connection:
                    await connection.fetchval("SELECT 1")
                    assert not connection.driver.is_in_transaction(), f"what is changed here is lost, moment {moment}"
        finally:
            await pool.close()


class TestCell:
    @pytest.mark.parametrize("to_read", [True, False])
    async def test_what_is_given_up_is_undone_before_the_next_begins(self, standing: House, to_read: bool) -> None:  # noqa: FBT001
        settings = standing.settings.database.model_copy(update={"pool_size": 1, "pool_slices": 1})
        cell, schema = Cell(settings.url, settings), standing.tenants[HOA_SEN].schema
        await cell.open()

        async def read() -> None:
            opened = cell.hospital_to_read if to_read else cell.hospital
            async with opened(schema) as connection:
                await connection.fetchval("SELECT set_config('emr.patient', 'left behind', true)")

        try:
            await read()
            for moment in range(MOMENTS):
                await given_up(asyncio.create_task(read()), moment)
                async with cell.hospital(schema) as connection:
                    assert await connection.fetchval("SHOW transaction_read_only") == "off", f"moment {moment}"
                    assert await connection.fetchval("SELECT current_setting('emr.patient', true)") in (None, "")
        finally:
            await cell.close()

    async def test_a_connection_whose_backend_was_ended_is_not_kept(self, standing: House) -> None:
        settings = standing.settings.database.model_copy(update={"pool_size": 1, "pool_slices": 1})
        cell, schema = Cell(settings.url, settings), standing.tenants[HOA_SEN].schema
        await cell.open()

        async def ended(pids: list[int]) -> None:
            async with cell.hospital(schema) as connection:
                pids.append(await connection.fetchval("SELECT pg_backend_pid()"))
                standing.sql("SELECT pg_terminate_backend(%s)", pids[0])
                await connection.fetchval("SELECT 1")

        try:
            for _ in range(10):
                pids: list[int] = []
                with pytest.raises((asyncpg.PostgresError, *USELESS)):
                    await ended(pids)
                async with cell.hospital(schema) as connection:
                    assert await connection.fetchval("SELECT pg_backend_pid()") not in pids
        finally:
            await cell.close()

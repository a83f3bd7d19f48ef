"""A worker killed as by a power cut, four times at every point, loses nothing and does nothing twice.

With the sample Bundles, test_all_bundles.py kills it a hundred times.
"""

import asyncio
import itertools
import signal
import time
from pathlib import Path

import pytest

from emr.audit.checking import Asked, check
from tests.warehouse.world import (
    SLUGS,
    World,
    opened,
    read_by_hand,
    start_worker,
    stop,
    write_history,
)

POINTS = (
    "relay-claimed",
    "relay-read",
    "relay-committed",
    "relay-receipts-written",
    "relay-receipted",
    "sealer-taken",
    "sealer-rows-written",
    "sealer-before-commit",
    "sealer-after-commit",
)
"""After the claim, before Delta's commit, between it and the receipts, inside the receipts' transaction, after it; and
four in the sealer, two of them inside its transaction."""
KILLS = 4 * len(POINTS)


async def killed(world: World, point: str) -> None:
    """A worker that dies at the point."""
    process = start_worker(world, point)
    await asyncio.to_thread(process.join, 60)
    assert process.exitcode == -signal.SIGKILL, f"{point}: the worker ended with {process.exitcode}"
    world.bury()


async def drained(world: World) -> None:
    """A worker that finishes what is left, and then stops as it is asked to."""
    process = start_worker(world)
    deadline = time.monotonic() + 60
    while world.waiting() or world.unsealed():
        assert process.is_alive()
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    stop(process)


def chain_faults(world: World, slug: str) -> list[str]:
    return check(Asked(world.settings.database.url, world.schema(slug), slug, None)).faults


@pytest.mark.timeout(900)
class TestKilled:
    def test_everything_is_there_once(self, world: World) -> None:
        killed_at: list[str] = []

        async def scenario() -> None:
            async with opened(world) as parts:
                for number, point in zip(range(KILLS), itertools.cycle(POINTS), strict=False):
                    await write_history(parts, SLUGS[number % 2], number)
                    await killed(world, point)
                    killed_at.append(point)
                await drained(world)
                for slug in SLUGS:
                    assert chain_faults(world, slug) == []

        asyncio.run(scenario())
        assert len(killed_at) == KILLS
        for slug in SLUGS:
            held = read_by_hand(Path(world.settings.warehouse.url), world.tenant_id(slug))
            assert len(held) == KILLS * 2
            assert held == world.record(slug) == world.receipts(slug)
        assert world.sql("SELECT count(*) FROM cell.outbox")[0][0] == 0

    def test_audit_rows_are_all_sealed_once(self, world: World) -> None:
        async def scenario() -> None:
            async with opened(world) as parts:
                for number, point in enumerate(POINTS[5:]):
                    await write_history(parts, "hoa-sen", number)
                    await killed(world, point)
                await drained(world)

        asyncio.run(scenario())
        schema = world.schema("hoa-sen")
        rows = world.sql(f"SELECT row FROM {schema}.audit_events")
        # A history has four use cases, and each of them leaves one row.
        assert len(rows) == len(set(rows)) == 4 * len(POINTS[5:])

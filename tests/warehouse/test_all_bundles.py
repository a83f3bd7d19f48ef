"""Every sample Bundle, imported and relayed by workers that are killed a hundred times: the city has each version once."""

import asyncio
import itertools
from pathlib import Path

import pytest

from emr.fleet.importing import Report, files_of, import_files
from tests.definitions.samples import shared
from tests.warehouse.test_kill import POINTS, drained, killed
from tests.warehouse.world import World, opened, read_by_hand

KILLS = 100
BATCH = 180
"""Rows of one commit: few enough that there is something to do for every worker that is killed."""


@pytest.mark.timeout(1200)
class TestAllBundles:
    def test_the_table_holds_the_record_and_each_version_once(self, world: World) -> None:
        small = world.at(world.settings.warehouse.model_copy(update={"batch_rows": BATCH}))

        async def scenario() -> Report:
            async with opened(small) as parts:
                files = files_of([shared("synthea/bundles")])
                report = await import_files(parts, "hoa-sen", files, lambda: None)
                for _, point in zip(range(KILLS), itertools.cycle(POINTS[:5]), strict=False):
                    await killed(small, point)
                await drained(world)
            return report

        report = asyncio.run(scenario())
        assert report.files == 66
        assert report.refused == []
        held = read_by_hand(Path(world.settings.warehouse.url), world.tenant_id("hoa-sen"))
        assert len(held) == report.stored > 20_000
        assert set(held.values()) == {1}
        assert held == world.record("hoa-sen") == world.receipts("hoa-sen")

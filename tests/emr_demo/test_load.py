"""The made-up patients of a small profile go into a hospital of their own, twice, and once cut short."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from rich.console import Console
from rich.progress import Progress

from emr.documents.press import Press
from emr.kernel.tenant import Tenant
from emr.work.runtime import Runtime
from emr_demo.load import Ward, fill
from emr_demo.people.hospital import HOA_SEN
from tests.house import House

SMALL = replace(HOA_SEN, patients=4)
TODAY = date(2026, 11, 22)

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def press() -> Iterator[Press]:
    made = Press()
    yield made
    made.close()


def ward(parts: Runtime, press: Press, tenant: Tenant) -> Ward:
    bar = Progress(console=Console(quiet=True))
    return Ward(parts, press, tenant, bar, bar.add_task("test"))


def kinds(house: House, slug: str) -> Counter[str]:
    rows = house.sql(f"SELECT type, count(*) FROM {house.tenants[slug].schema}.resources GROUP BY 1")
    return Counter(dict(rows))


async def cut_short(work: asyncio.Task[None], house: House, slug: str) -> None:
    """Cancel as soon as some patients are in."""
    while kinds(house, slug)["Patient"] < 4:
        assert not work.done()
        await asyncio.sleep(0.05)
    work.cancel()
    await asyncio.wait([work])


class TestFill:
    async def test_again_it_changes_nothing_and_cut_short_it_goes_on(
        self, standing: House, parts: Runtime, press: Press
    ) -> None:
        whole, broken = standing.new_hospital("filled-once"), standing.new_hospital("filled-in-parts")
        await parts.registry.refresh()
        await fill(ward(parts, press, whole), SMALL, TODAY)
        once = standing.counts("filled-once")
        await fill(ward(parts, press, whole), SMALL, TODAY)
        assert standing.counts("filled-once") == once

        await cut_short(
            asyncio.create_task(fill(ward(parts, press, broken), SMALL, TODAY)), standing, "filled-in-parts"
        )
        await fill(ward(parts, press, broken), SMALL, TODAY)
        assert kinds(standing, "filled-in-parts") == kinds(standing, "filled-once")

        found = kinds(standing, "filled-once")
        assert found["Patient"] == 5 + 4 + 4
        assert found["ImagingStudy"] >= 2
        assert found["Binary"] >= 1
        assert standing.sql(f"SELECT count(*) FROM {whole.schema}.dicom_instances")[0][0] >= 26

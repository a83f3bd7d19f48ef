"""A check of one hospital by the other, over the real service, as the command does it."""

import asyncio
from collections.abc import Callable

import pytest

from emr.app import ROUTERS
from emr.border.checking import Border, check
from emr.border.cli import asking
from emr.border.doors import Door, routes, searches
from emr.identity.visits import Visits
from emr.light.results import Findings
from emr.work.runtime import runtime
from tests.house import CAU_VONG, HOA_SEN, House

Check = Callable[..., Findings]


async def checked(live: House, doors: list[Door] | None, *, alone: bool) -> Findings:
    parts = runtime(live.settings)
    await parts.open()
    try:
        async with asking(live.settings) as client:
            visits = Visits(live.settings, parts.databases.directory, parts.clock)
            asked = searches() if doors is None else ()
            border = Border(client, visits, parts.signing_key, doors or routes(ROUTERS), asked)
            return await check(border, live.tenants[HOA_SEN], None if alone else live.tenants[CAU_VONG])
    finally:
        await parts.close()


@pytest.fixture(scope="package")
def try_doors(live: House) -> Check:
    """Try these doors of one hospital (all without any), as people of the other too unless `alone`."""

    def run(doors: list[Door] | None = None, *, alone: bool = False) -> Findings:
        return asyncio.run(checked(live, doors, alone=alone))

    return run


@pytest.fixture(scope="package")
def found(try_doors: Check) -> Findings:
    return try_doors()

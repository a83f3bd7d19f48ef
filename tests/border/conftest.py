"""Checks of one hospital by another, over the real service: a whole one by the command, others of some doors alone."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import httpx
import pytest

from emr.app import ROUTERS
from emr.border.checking import Border, check
from emr.border.cli import asking
from emr.border.doors import Doors, every_door
from emr.identity.visits import Visits
from emr.light.results import Findings, Red
from emr.tenancy.access_part import AccessPart
from emr.work.runtime import runtime
from tests.fhir.samples import Json, mark
from tests.fleet.world import emr
from tests.house import CAU_VONG, HOA_SEN, House

Check = Callable[..., Findings]


async def checked(live: House, target: str, doors: Doors, *, alone: bool) -> Findings:
    parts = runtime(live.settings)
    await parts.open()
    try:
        async with asking(live.settings) as client:
            visits = Visits(live.settings, parts.databases.directory, parts.clock)
            border = Border(client, visits, parts.signing_key, doors)
            return await check(border, live.tenants[target], None if alone else live.tenants[CAU_VONG])
    finally:
        await parts.close()


@pytest.fixture(scope="package")
def try_doors(live: House) -> Check:
    """Try these doors of a hospital (all without any, but for searches), as people of the other too unless `alone`."""

    def run(doors: Doors | None = None, *, alone: bool = False, target: str = HOA_SEN) -> Findings:
        return asyncio.run(
            checked(live, target, replace(every_door(ROUTERS), searches=()) if doors is None else doors, alone=alone)
        )

    return run


@dataclass(frozen=True)
class Told:
    """What the command said, and ended with."""

    code: int
    row: Json
    errors: str


@pytest.fixture(scope="package")
def told(live: House) -> Told:
    """A whole check of `cau-vong`."""
    done = emr(live, "border", "check", CAU_VONG, "--json")
    (row,) = json.loads(done.stdout)["hospitals"]
    return Told(done.returncode, row, done.stderr)


@pytest.fixture(scope="package")
def found(told: Told) -> Findings:
    """The same as findings."""
    result = told.row["result"]
    return Findings(result["probes"], [Red(**each) for each in result["red"]])


STRICT = AccessPart(care_relationship="encounter", bound_roles=("doctor", "nurse", "imaging", "archivist"))


@pytest.fixture(scope="package")
def strict(live: House) -> str:
    """A hospital that shows patients to none but who treats them."""
    slug = f"strict-{mark()[:8]}"
    live.new_hospital(slug, access=STRICT)
    deadline = time.monotonic() + 30
    while httpx.get(f"{live.fhir(slug)}/metadata", trust_env=False).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return slug

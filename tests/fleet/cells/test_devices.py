"""A hospital in the second cell to those who come from outside: its devices, and the border light."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]

from emr.app import ROUTERS
from emr.border.doors import Doors, every_door
from emr.dimse.listener import Listener
from emr.dimse.receiving import Visit, catch_up, receive
from emr.fleet.leaving.forgetting import forget
from emr.fleet.moving.move import Wish, move
from emr.kernel.tenant import Tenant
from emr.tenancy.definition import DicomPart, Peer
from emr.work.runtime import Runtime, runtime
from tests.border.conftest import checked
from tests.fhir.samples import mark
from tests.fleet.cells.world import NORTH, City
from tests.house import HOA_SEN, in_a_loop
from tests.imaging.records import fresh
from tests.imaging.samples import encoded, slice_of, write
from tests.servers.dcmtk import Device
from tests.warehouse.test_worker import wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.server]
TITLE = "BACDICOM"
KEPT = "SELECT (SELECT count(*) FROM {s}.dicom_instances), (SELECT count(*) FROM {s}.resources WHERE type = 'ImagingStudy')"


@pytest.fixture(scope="module")
def pictured(two: City) -> Iterator[Tenant]:
    """A hospital of the second cell that takes images from one device."""
    devices = DicomPart(ae_title=TITLE, peers=(Peer(ae_title="XRAY1", cidr="127.0.0.0/8"),))
    made = two.house.new_hospital(f"anh-{mark()[:8]}", cell=NORTH, dicom=devices)
    yield made
    forget(two.house.settings.database, made.id, made.schema)


@pytest.fixture
async def parts(two: City, pictured: Tenant) -> AsyncIterator[Runtime]:
    made = runtime(two.house.settings)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def port(parts: Runtime) -> AsyncIterator[int]:
    """A listener on a free port."""
    listener = Listener(parts, asyncio.get_running_loop())
    await asyncio.to_thread(listener.start)
    yield listener.port
    await asyncio.to_thread(listener.stop, 10)


def kept(two: City, tenant: Tenant, *, north: bool) -> tuple[int, int]:
    """Instances and studies that a cell has of the hospital."""
    [found] = (two.sql if north else two.house.sql)(KEPT.format(s=tenant.schema))
    return int(found[0]), int(found[1])


async def until(check: Any) -> None:
    for _ in range(300):
        if check():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come to that in time")


class TestDevices:
    """In this order: the last one moves the hospital away."""

    async def test_one_that_nobody_listed_is_refused_and_audited_in_its_cell(
        self, two: City, pictured: Tenant, port: int
    ) -> None:
        refused = "SELECT count(*) FROM cell.audit_journal WHERE tenant = %s AND row LIKE '%%dicom.refused%%'"
        before = two.sql(refused, pictured.schema)[0][0]
        answer = await asyncio.to_thread(Device(port, "NOBODY", TITLE).echo)
        assert "Calling AE Title Not Recognized" in answer.stdout + answer.stderr
        assert two.sql(refused, pictured.schema) == [(before + 1,)]
        assert two.house.sql(refused, pictured.schema) == [(0,)]

    async def test_a_study_lands_in_its_cell_and_nowhere_else(
        self, two: City, pictured: Tenant, port: int, tmp_path: Any
    ) -> None:
        study = fresh()
        files = [write(tmp_path, encoded(slice_of(at, study=study)), f"{at}.dcm") for at in (1, 2)]
        answer = await asyncio.to_thread(Device(port, called=TITLE).store, files)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        await until(lambda: kept(two, pictured, north=True) == (2, 1))
        schemas = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
        assert two.house.sql(schemas, pictured.schema) == []

    async def test_a_cell_that_does_not_answer_holds_up_no_others_catching_up(
        self, two: City, pictured: Tenant, tmp_path: Any
    ) -> None:
        dead = two.house.settings.database.model_copy(update={"cells": {NORTH: "postgresql://x@127.0.0.1:9/x"}})
        parts, tenant = runtime(two.house.settings.model_copy(update={"database": dead})), two.house.tenants[HOA_SEN]
        await parts.open()
        try:
            titled = [each.slug for each in parts.registry.all() if each.ae_title and each.writable]
            assert titled.index(pictured.slug) < titled.index(HOA_SEN)
            visit, study = Visit(tenant, "XRAY1"), fresh()
            for at in (1, 2):
                path = write(tmp_path, encoded(slice_of(at, study=study)), f"{at}.dcm")
                assert await receive(parts, visit, path) is None
            told = f"SELECT version FROM {tenant.schema}.resources WHERE type = 'ImagingStudy' ORDER BY pk DESC LIMIT 1"
            # The record speaks of the first instance alone until the association ends, or somebody catches up.
            assert two.house.sql(told) == [(1,)]
            await catch_up(parts)
            assert two.house.sql(told) == [(2,)]
        finally:
            await parts.close()

    async def test_one_that_stays_while_the_hospital_moves_goes_on_after_it(
        self, two: City, pictured: Tenant, parts: Runtime, port: int
    ) -> None:
        study, device = fresh(), AE(ae_title="XRAY1")
        device.add_requested_context(CTImageStorage)
        line = await asyncio.to_thread(device.associate, "127.0.0.1", port, ae_title=TITLE)
        assert line.is_established

        async def send(number: int) -> int:
            status = await asyncio.to_thread(line.send_c_store, slice_of(number, study=study))
            return int(status.Status)

        async def moving(mark: str) -> None:
            two.house.sql(f"UPDATE directory.tenants SET moving_since = {mark} WHERE id = %s", pictured.id)
            await parts.registry.refresh()

        before = kept(two, pictured, north=True)
        assert await send(1) == 0
        await moving("now()")
        assert await send(2) != 0
        await moving("NULL")
        await asyncio.to_thread(move, two.house.settings.database, Wish(pictured.slug, "default", "test", heard=0.2))
        await parts.registry.refresh()
        assert await send(2) == 0
        await asyncio.to_thread(line.release)
        await until(lambda: kept(two, pictured, north=False) == (before[0] + 2, before[1] + 1))
        assert kept(two, pictured, north=True)[0] == before[0] + 1


class TestBorder:
    def test_its_doors_are_shut_to_the_people_of_the_other_cell(self, two: City) -> None:
        made = two.house.new_hospital(f"den-{mark()[:8]}", cell=NORTH)
        with two.house.client() as client:
            wait_until(lambda: client.get(f"{two.house.fhir(made.slug)}/metadata").status_code == 200)
        every = every_door(ROUTERS)
        # Those that lead into the database; pages ask the same verbs.
        doors = Doors(routes=[each for each in every.routes if each.kind in ("fhir", "dicomweb")], images=every.images)
        findings = in_a_loop(lambda: checked(two.house, made.slug, doors, alone=False))
        assert findings.red == []
        assert findings.probes["own"] > 15
        assert findings.probes["neighbour-doctor"] > 100
        planted = f"SELECT count(*) FROM {made.schema}.resources WHERE id LIKE 'canary-%%' AND NOT deleted"
        assert two.sql(planted)[0][0] >= 7
        forget(two.house.settings.database, made.id, made.schema)

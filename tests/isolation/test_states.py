"""Every state of a hospital at every way in: pages, FHIR, apps, DICOMweb, DICOM, jobs and the way to the city."""

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest

from emr.kernel.states import STATES
from emr.work.runtime import Runtime
from tests.fhir.samples import made, mark, patient
from tests.house import CAU_VONG, House
from tests.isolation.visitor import REASON, Visitor, outcome

pytestmark = pytest.mark.anyio
SERVED, CLOSED = "200", "503 hospital-suspended"
REFUSED = "403 hospital-read-only"


AT_WORK = {
    "page": SERVED,
    "admin_page": SERVED,
    "form": "201",
    "fhir_read": SERVED,
    "fhir_search": SERVED,
    "fhir_write": "201",
    "fhir_batch_of_reads": SERVED,
    "fhir_transaction": SERVED,
    "fhir_metadata": SERVED,
    "fhir_export": "202",
    "smart_configuration": SERVED,
    "smart_token": "401 invalid_client",
    "dicomweb_search": SERVED,
    "dicomweb_store": SERVED,
    "dicom_store": "0x0000",
    "export_job": "goes on",
    "notifications": "goes on",
    "way_to_the_city": "goes on",
}
READ_ONLY = AT_WORK | {
    "form": REFUSED,
    "fhir_write": REFUSED,
    "fhir_transaction": REFUSED,
    "dicomweb_store": REFUSED,
    "dicom_store": "0x0124",
    "notifications": "waits",
}
SUSPENDED = dict.fromkeys(AT_WORK, CLOSED) | {
    "dicom_store": "rejected (2, 1, 1)",
    "export_job": "waits",
    "notifications": "waits",
    "way_to_the_city": "waits",
}
EXPECTED = {"trial": AT_WORK, "live": AT_WORK, "read-only": READ_ONLY, "suspended": SUSPENDED, "leaving": READ_ONLY}


@pytest.fixture(scope="module")
def in_state(live: House) -> Iterator[Callable[[str], None]]:
    """Brings the hospital into a state, and waits until the web service has seen it."""
    tell = "UPDATE directory.tenants SET state = %s, state_reason = %s WHERE slug = %s"
    home = f"{live.url}/h/{CAU_VONG}/"

    def change(state: str, reason: str = REASON) -> None:
        live.sql(tell, state, reason, CAU_VONG)
        with live.client("doctor", CAU_VONG) as client:
            deadline = time.monotonic() + 30
            while not shows(client.get(home, headers={"Accept": "text/html"}).text, state):
                assert time.monotonic() < deadline
                time.sleep(0.1)

    yield change
    # Whoever comes next to this service is not to meet the state that was.
    change("trial", "")


def shows(page: str, state: str) -> bool:
    """Whether a page is that of a hospital in this state."""
    if state == "suspended":
        return "tạm ngừng phục vụ" in page
    return (
        f'data-hospital-state="{state}"' in page
        if state != "live"
        else "data-hospital-state" not in page and "<nav" in page
    )


class TestEachWayIn:
    def test_every_state_is_tried(self) -> None:
        assert EXPECTED.keys() == STATES.keys()

    @pytest.mark.parametrize("state", EXPECTED)
    async def test_is_what_the_state_says(
        self, live: House, parts: Runtime, in_state: Callable[[str], None], state: str
    ) -> None:
        await asyncio.to_thread(in_state, "live")
        await parts.registry.refresh()
        visitor = Visitor(live, parts)
        await visitor.finish_jobs()
        with live.client("doctor", CAU_VONG) as doctor, live.client("warehouse", CAU_VONG) as warehouse:
            await asyncio.to_thread(made, doctor, patient(name=[{"family": mark()}]))
            asked = partial(warehouse.get, "/$export", headers={"Prefer": "respond-async"})
            assert (await asyncio.to_thread(asked)).status_code == 202
        await asyncio.to_thread(in_state, state)
        await parts.registry.refresh()
        before = live.counts(CAU_VONG)
        found = {name: await outcome(getattr(visitor, name)) for name in EXPECTED[state]}
        assert found == EXPECTED[state]
        after = live.counts(CAU_VONG)
        record = ("resources", "resource_versions", "dicom_series", "dicom_instances")
        assert any(after[name] > before[name] for name in record) is STATES[state].takes

    def test_a_read_of_a_read_only_hospital_is_audited(self, live: House, in_state: Callable[[str], None]) -> None:
        in_state("read-only")
        schema = live.tenants[CAU_VONG].schema
        rows = f"SELECT (SELECT count(*) FROM cell.audit_journal WHERE tenant = '{schema}') + (SELECT count(*) FROM {schema}.audit_events)"
        before = live.sql(rows)[0][0]
        with live.client("doctor", CAU_VONG) as client:
            assert client.get("/Patient?_count=1").status_code == 200
        assert live.sql(rows)[0][0] == before + 1

    def test_the_page_of_a_suspended_one_says_why_and_machines_are_told_when_to_ask_again(
        self, live: House, in_state: Callable[[str], None]
    ) -> None:
        in_state("suspended")
        address = f"{live.url}/h/{CAU_VONG}"
        with httpx.Client(trust_env=False) as anybody:
            page = anybody.get(f"{address}/patients/x", headers={"Accept": "text/html"})
            assert (page.status_code, page.headers["retry-after"]) == (503, "300")
            for text in ("Trung tâm Y tế Cầu Vồng", REASON, "Cần hỗ trợ, hãy gọi"):
                assert text in page.text
            machine = anybody.get(f"{address}/fhir/metadata")
            assert REASON in machine.json()["issue"][0]["diagnostics"]
            assert "tạm ngừng" in anybody.get(live.url, headers={"Accept": "text/html"}).text

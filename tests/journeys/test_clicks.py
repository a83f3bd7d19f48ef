"""From nothing to a chart with the mouse alone."""

import pytest
from playwright.sync_api import Browser, expect

from emr.kernel.clock import utc_now
from tests.house import House
from tests.servers.chromium import tab

pytestmark = pytest.mark.server


def comes_now(live: House, patient: str) -> None:
    """The first page lists whom the hospital has seen last, whoever else the tests have let come today."""
    encounter = {
        "resourceType": "Encounter",
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"Patient/{patient}"},
        "period": {"start": utc_now().isoformat()},
    }
    with live.client() as client:
        client.post("/Encounter", json=encounter).raise_for_status()


class TestThreeClicks:
    def test_hospital_person_patient(self, live: House, browser: Browser, hoa_id: str) -> None:
        comes_now(live, hoa_id)
        with tab(browser) as one:
            page = one.page
            page.goto(f"{live.url}/")
            page.locator('a[href$="/h/hoa-sen/"]').click()
            page.get_by_role("button", name="doctor@hoa-sen").click()
            page.locator(f'a[href$="/patients/{hoa_id}"]').click()
            expect(page.get_by_role("heading", name="NGUYỄN THỊ HOA")).to_be_visible()
            assert one.troubles == []

    def test_who_may_not_find_is_shown_nobody(self, live: House, browser: Browser, hoa_id: str) -> None:
        with tab(browser) as one:
            page = one.page
            page.goto(f"{live.url}/h/hoa-sen/")
            page.get_by_role("button", name="admin@hoa-sen").click()
            page.wait_for_url(f"{live.url}/h/hoa-sen/admin")
            expect(page.locator(f'a[href$="/patients/{hoa_id}"]')).to_have_count(0)

"""From nothing to a chart with the mouse alone."""

import pytest
from playwright.sync_api import Browser, expect

from tests.house import House
from tests.servers.chromium import tab

pytestmark = pytest.mark.server


class TestThreeClicks:
    def test_hospital_person_patient(self, live: House, browser: Browser, hoa_id: str) -> None:
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

"""The page in a browser: understood at a glance, on a ward PC and on a phone, in light and in the dark."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from emr.db.pools import databases
from emr.light.nightly import build_id
from emr.light.results import Findings, Red, Results
from tests.house import CAU_VONG, House
from tests.light.test_results import signer
from tests.servers.chromium import DESK, PHONE, chromium, sign_in, tab

pytestmark = pytest.mark.server
SEEN = Red("GET /h/{slug}/fhir/{type}/{id}", "neighbour-doctor", "canary-seen")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def keep(house: House, *red: Red) -> None:
    async def add() -> None:
        pools = databases(house.settings.database)
        await pools.directory.open()
        probes = {"own": 43, "nobody": 169, "stranger": 169, "department": 169, "neighbour-doctor": 2975}
        ended = datetime.now(UTC)
        results = Results(pools.directory, signer(house))
        await results.add(
            house.tenants[CAU_VONG], Findings(probes, list(red)), (ended - timedelta(minutes=2), ended), build_id()
        )
        await pools.directory.close()

    # This thread's event loop is Playwright's.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(add())).result()


@pytest.fixture(scope="module")
def kept(live: House) -> None:
    keep(live)
    keep(live, SEEN)
    keep(live)


class TestPage:
    @pytest.mark.parametrize(("size", "width"), [(DESK, 1366), (PHONE, 390)], ids=["desk", "phone"])
    def test_green_at_a_glance(
        self, live: House, kept: None, browser: Browser, size: dict[str, int], width: int
    ) -> None:
        with tab(browser, size=size) as opened:
            page = opened.page
            sign_in(page, live.url, slug=CAU_VONG, role="admin")
            page.goto(f"{live.url}/h/{CAU_VONG}/border")
            expect(page.get_by_role("heading", level=1)).to_have_text("Không ai từ bên ngoài vào được.")
            expect(page.get_by_role("heading", level=1)).to_be_in_viewport()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"] == []
            assert opened.troubles == []

    def test_it_is_found_from_every_page(self, live: House, kept: None, browser: Browser) -> None:
        with tab(browser) as opened:
            sign_in(opened.page, live.url, slug=CAU_VONG, role="doctor")
            opened.page.get_by_role("link", name="Đèn ranh giới").click()
            expect(opened.page.get_by_role("heading", level=1)).to_have_text("Không ai từ bên ngoài vào được.")

    def test_red_says_which_door_and_who(self, live: House, kept: None, browser: Browser) -> None:
        keep(live, SEEN)
        with tab(browser) as opened:
            sign_in(opened.page, live.url, slug=CAU_VONG, role="admin")
            opened.page.goto(f"{live.url}/h/{CAU_VONG}/border")
            expect(opened.page.get_by_role("heading", level=1)).to_have_text("Có cửa không đóng.")
            wrong = opened.page.get_by_role("region", name="Cửa không đóng")
            expect(wrong).to_contain_text("Bác sĩ của bệnh viện khác")
            expect(wrong).to_contain_text("đã thấy dữ liệu của bệnh viện")
            assert Axe().run(opened.page, options={"resultTypes": ["violations"]}).response["violations"] == []

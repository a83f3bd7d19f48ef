"""The pages of going live in a real browser: no axe violation, nothing wider than the screen, in both sizes."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.house import CAU_VONG, HOA_SEN, House
from tests.isolation.pilots import piloted
from tests.servers.chromium import DESK, PHONE, chromium, sign_in, tab

pytestmark = pytest.mark.server


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_checklist_and_point_are_sound(live: House, tmp_path: Path, size: dict[str, int]) -> None:
    with chromium() as browser, tab(browser, size=size) as here:
        sign_in(here.page, live.url, slug=HOA_SEN, role="admin")
        for name, path in (("list", "/admin/golive"), ("point", "/admin/golive/team-regulation")):
            here.page.goto(f"{live.url}/h/{HOA_SEN}{path}")
            here.page.screenshot(path=tmp_path / f"{name}.png")
            found = Axe().run(here.page)
            assert found.violations_count == 0, found.generate_report()
            assert here.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert here.troubles == []


def test_the_departments_of_a_pilot_are_sound_to_the_administrator_and_to_who_is_outside(
    live: House, tmp_path: Path
) -> None:
    part = {
        "departments": {"khoa-noi": "Khoa Nội tổng hợp", f"{CAU_VONG}-kham": "Khoa Khám bệnh"},
        "chart": ["khoa-noi"],
        "documents": ["khoa-noi", f"{CAU_VONG}-kham"],
    }
    seen = [("admin", "/admin/golive", "Khoa Nội tổng hợp"), ("doctor", "/", "khoa của bạn chưa dùng phần ghi bệnh án")]
    with piloted(live, CAU_VONG, part), chromium() as browser:
        for size in (DESK, PHONE):
            for role, path, text in seen:
                with tab(browser, size=size) as here:
                    sign_in(here.page, live.url, slug=CAU_VONG, role=role)
                    here.page.goto(f"{live.url}/h/{CAU_VONG}{path}")
                    expect(here.page.get_by_text(text).first).to_be_visible()
                    here.page.screenshot(path=tmp_path / f"{role}-{size['width']}.png")
                    found = Axe().run(here.page)
                    assert found.violations_count == 0, found.generate_report()
                    assert here.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
                    assert here.troubles == []

"""The pages of going live in a real browser: no axe violation, nothing wider than the screen, in both sizes."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.house import HOA_SEN, House
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

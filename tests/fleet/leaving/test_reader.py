"""The reader: opened from the disk, without server or network, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from emr.fleet.leaving.derived import READER
from tests.fleet.leaving.conftest import Left
from tests.fleet.leaving.world import FORMULA, SCRIPT
from tests.servers.chromium import DESK, PHONE, chromium, tab, write

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def page(left: Left, browser) -> Iterator[Page]:
    with tab(browser, offline=True) as opened:
        asked: list[str] = []
        opened.page.on("request", lambda each: asked.append(each.url))
        opened.page.goto((left.package / READER).as_uri())
        opened.page.get_by_role("status").get_by_text("3 người bệnh").wait_for()
        yield opened.page
        assert not [each for each in opened.troubles if "Content Security Policy" not in each]
        assert all(url.startswith("file://") for url in asked)


class TestReader:
    def test_finds_by_a_name_without_accents_and_shows_the_chart(self, page: Page, left: Left) -> None:
        write(page, "dang thi")
        page.get_by_role("status").get_by_text("1 người bệnh").wait_for()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Đặng Thị Thử").wait_for()
        headings = page.get_by_role("heading", level=3).all_inner_texts()
        assert [each.partition(" (")[0] for each in headings] == [
            "Chẩn đoán", "Kết quả", "Lượt khám", "Giấy tờ", "Hình ảnh"
        ]  # fmt: skip
        expect(page.get_by_text("0.5 mmol/L")).to_have_count(1)
        expect(page.locator("#chart")).to_be_focused()

    def test_opens_documents_and_images_as_files(self, page: Page, left: Left) -> None:
        page.get_by_role("button", name="Đặng Thị Thử").click()
        links = page.locator(".files a")
        links.first.wait_for()
        named = [left.package / str(each.get_attribute("href")) for each in links.all()]
        assert {path.read_bytes() for path in named} == set(left.of.files.values())
        expect(page.locator(".files img").first).to_have_js_property("naturalWidth", 120)

    def test_what_was_typed_stays_text(self, page: Page) -> None:
        page.get_by_role("button", name=FORMULA).click()
        page.get_by_role("heading", name=FORMULA).wait_for()
        page.get_by_role("button", name="Đặng Thị Thử").click()
        page.get_by_text(SCRIPT).wait_for()
        assert page.locator("article img[src=x]").count() == 0

    def test_says_when_nobody_is_found_and_speaks_english(self, page: Page) -> None:
        write(page, "khong co ai")
        page.get_by_text("Không tìm thấy ai.").wait_for()
        page.get_by_role("button", name="English").click()
        page.get_by_text("Nobody was found.").wait_for()
        expect(page.locator("html")).to_have_attribute("lang", "en")

    def test_nothing_runs_that_the_page_did_not_bring(self, page: Page) -> None:
        run = page.evaluate(
            "() => { const s = document.createElement('script'); s.textContent = 'window.broken = 1';"
            " document.head.append(s); return window.broken || 0; }"
        )
        assert run == 0

    def test_axe_finds_nothing_on_a_desk_and_on_a_phone(self, page: Page, tmp_path: Path) -> None:
        page.get_by_role("button", name="Đặng Thị Thử").click()
        page.get_by_role("heading", name="Đặng Thị Thử").wait_for()
        for name, size in (("desk", DESK), ("phone", PHONE)):
            page.set_viewport_size(size)
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
            page.screenshot(path=tmp_path / f"{name}.png")

"""A person files a scan with the keyboard alone and reads it, in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.documents.conftest import paper, picture_bytes
from tests.documents.desk import Desk
from tests.house import House
from tests.servers.chromium import PHONE, Tab, chromium, sign_in, tab

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def doctors(browser: Browser, live: House) -> Iterator[Tab]:
    with tab(browser) as made:
        sign_in(made.page, live.url, slug="hoa-sen", role="doctor")
        yield made


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "Giấy ra viện.pdf"
    path.write_bytes(picture_bytes("PDF", paper("GIAY RA VIEN"), paper("TRANG HAI")))
    return path


def focused(page: Tab) -> str:
    return str(page.page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))


def tab_to(page: Tab, name: str) -> None:
    """Press Tab until the element has the focus; a keyboard reaches everything or the test fails."""
    for _ in range(60):
        if focused(page).startswith(name):
            return
        page.page.keyboard.press("Tab")
    raise AssertionError(f"{name} cannot be reached by keyboard; the focus is on {focused(page)}")


def violations(page: Tab) -> list[str]:
    found = Axe().run(page.page).response["violations"]
    return [f"{each['id']}: {[node['html'][:120] for node in each['nodes']]}" for each in found]


class TestUpload:
    def test_with_the_keyboard_alone(self, doctors: Tab, desk: Desk, scan: Path) -> None:
        page = doctors.page
        # The browser hands over its choosers from the first listener on, which takes it a moment.
        page.on("filechooser", lambda _: None)
        page.goto(f"{desk.home}/patients/{desk.patient}/documents")
        page.keyboard.press("a")
        page.wait_for_url("**/documents/new")
        tab_to(doctors, "f-file")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Space")
        chooser.value.set_files(scan)
        tab_to(doctors, "f-title")
        page.keyboard.type("Giấy ra viện của bà Hoa")
        page.keyboard.press("Alt+s")
        page.wait_for_url(re.compile(r"/documents/[0-9a-f-]{36}$"))
        expect(page.get_by_role("heading", name="Giấy ra viện của bà Hoa")).to_be_visible()
        expect(page.get_by_text("Đã lưu tài liệu")).to_be_visible()
        shown = page.locator(".desk img")
        assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1000
        page.keyboard.press("i")
        page.wait_for_url("**page=2**")
        page.keyboard.press("x")
        page.wait_for_url("**turn=90")
        assert doctors.troubles == []

    def test_a_damaged_file_is_said_in_the_form_and_what_was_typed_stays(
        self, doctors: Tab, desk: Desk, tmp_path: Path
    ) -> None:
        broken = tmp_path / "x.jpg"
        broken.write_bytes(picture_bytes("JPEG")[:80])
        page = doctors.page
        page.goto(f"{desk.home}/patients/{desk.patient}/documents/new")
        page.set_input_files("#f-file", broken)
        page.fill("#f-title", "Giấy của bà Hoa")
        page.click("button.first")
        expect(page.get_by_role("alert")).to_contain_text("Tệp hỏng")
        expect(page.locator("#f-title")).to_have_value("Giấy của bà Hoa")
        expect(page.locator(":focus")).to_have_text(re.compile(r"^\s*Chưa lưu"))

    def test_a_form_without_this_sessions_token_is_refused(self, doctors: Tab, desk: Desk, scan: Path) -> None:
        cookies = {str(each["name"]): str(each["value"]) for each in doctors.context.cookies()}
        stored = desk.stored()
        with httpx.Client(cookies=cookies, trust_env=False) as foreign:
            for fields in ({}, {"_csrf": "forged"}):
                answer = foreign.post(
                    f"{desk.home}/patients/{desk.patient}/documents/new",
                    data=fields,
                    files={"file": ("a.pdf", scan.read_bytes(), "application/pdf")},
                )
                assert (answer.status_code, answer.json()["code"]) == (403, "foreign-form")
        assert desk.stored() == stored


class TestPages:
    @pytest.mark.parametrize("size", [None, PHONE], ids=["desk", "phone"])
    def test_nothing_stands_in_anybodys_way(
        self, browser: Browser, desk: Desk, scan: Path, size: dict[str, int] | None
    ) -> None:
        document = desk.upload(scan.read_bytes()).json()["id"]
        with tab(browser, size=size) as made:
            sign_in(made.page, desk.house.url, slug="hoa-sen", role="doctor")
            for path in (
                f"/patients/{desk.patient}/documents", f"/patients/{desk.patient}/documents/new",
                f"/documents/{document}", f"/documents/{document}?page=2&zoom=150&turn=90",
            ):  # fmt: skip
                made.page.goto(desk.home + path)
                made.page.wait_for_load_state("networkidle")
                assert violations(made) == []
                assert made.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    def test_a_reader_who_may_not_file_sees_no_way_to(self, browser: Browser, desk: Desk) -> None:
        with tab(browser) as made:
            sign_in(made.page, desk.house.url, slug="hoa-sen", role="lab")
            made.page.goto(f"{desk.home}/patients/{desk.patient}/documents")
            assert made.page.get_by_text("Thêm tài liệu").count() == 0

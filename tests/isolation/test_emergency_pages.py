"""The pages of emergency access in a real browser: found, broken, seen, waiting in the queue, reviewed."""

from collections.abc import Iterator

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.house import House
from tests.isolation.test_labels import person, strict  # noqa: F401 - the same hospital, made once for this file
from tests.isolation.twins import PLAIN
from tests.servers.chromium import PHONE, Tab, chromium, sign_in, tab

pytestmark = pytest.mark.server
WORDS = "Trực thay bác sĩ điều trị đêm nay"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def signed_in(browser: Browser, house: House, role: str) -> Iterator[Tab]:
    with tab(browser) as made:
        sign_in(made.page, house.url, slug=PLAIN, role=role)
        yield made


@pytest.fixture
def doctor(browser: Browser, strict: House) -> Iterator[Tab]:  # noqa: F811
    yield from signed_in(browser, strict, "doctor")


@pytest.fixture
def officer(browser: Browser, strict: House) -> Iterator[Tab]:  # noqa: F811
    yield from signed_in(browser, strict, "privacy")


class TestFromTheSearchToTheReview:
    def test_one_patient_opens_and_waits_until_somebody_else_has_looked(
        self,
        strict: House,  # noqa: F811
        doctor: Tab,
        officer: Tab,
    ) -> None:
        with strict.client("his", PLAIN) as his:
            key = person(his, treated=False, name=[{"text": "Lý Thị Khẩn"}], identifier=[{"value": "KC-99"}])
        page, home = doctor.page, f"{strict.url}/h/{PLAIN}"
        assert page.goto(f"{home}/patients/{key}").status == 404
        page.get_by_role("link", name="Truy cập khẩn cấp").first.click()
        page.get_by_label("Mã người bệnh, CCCD, BHYT, hoặc họ tên đầy đủ").fill("KC-99")
        page.get_by_role("button", name="Tìm", exact=True).click()
        expect(page.get_by_role("heading", name="Lý Thị Khẩn")).to_be_visible()
        page.get_by_role("button", name="Mở bệnh án trong 60 phút").click()
        expect(page.get_by_text("Hãy chọn một lý do.").first).to_be_visible()
        assert Axe().run(page).violations_count == 0
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_label("Lý do").select_option("covering")
        page.get_by_label("Ghi rõ bằng lời").fill(WORDS)
        page.get_by_role("button", name="Mở bệnh án trong 60 phút").click()
        page.wait_for_url(f"**/patients/{key}")
        expect(page.get_by_role("heading", name="Lý Thị Khẩn")).to_be_visible()
        assert page.goto(f"{home}/emergency/reviews").status == 403
        queue = officer.page
        queue.goto(f"{home}/emergency/reviews")
        expect(queue.locator("header .chip.bad")).to_have_text("1")
        expect(queue.get_by_text(WORDS)).to_be_visible()
        expect(queue.get_by_role("link", name="Lý Thị Khẩn")).to_be_visible()
        assert Axe().run(queue).violations_count == 0
        queue.get_by_text("Chính đáng", exact=True).click()
        queue.get_by_label("Nhận xét").fill("Có lịch trực kèm theo")
        queue.get_by_role("button", name="Lưu kết luận").click()
        expect(queue.get_by_text("Không có lần nào đang chờ xem xét.")).to_be_visible()
        expect(queue.get_by_text("Có lịch trực kèm theo")).to_be_visible()


class TestForms:
    def test_of_another_page_are_refused(self, strict: House) -> None:  # noqa: F811
        with httpx.Client(trust_env=False) as nobody:
            assert nobody.post(f"{strict.url}/h/{PLAIN}/emergency/break").status_code in (303, 401)

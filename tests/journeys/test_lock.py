"""A shared ward PC: one's sessions, the PIN, the lock, the next one who signs in, another hospital."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.house import CAU_VONG, HOA_SEN, House
from tests.journeys.test_looks import violations
from tests.servers.chromium import DESK, PHONE, Tab, sign_in, tab

pytestmark = pytest.mark.server
PIN = "280719"


@pytest.fixture
def ward(live: House, browser: Browser) -> Iterator[Tab]:
    """A lab technician who has just signed in, and whose session is nobody else's in these tests."""
    with tab(browser, size=DESK) as one:
        sign_in(one.page, live.url, slug=HOA_SEN, role="lab")
        yield one


def set_pin(page: Page, live: House) -> None:
    page.goto(f"{live.url}/h/{HOA_SEN}/me/sessions")
    page.get_by_label("Mã PIN mới", exact=True).fill(PIN)
    page.get_by_label("Nhập lại mã PIN mới").fill(PIN)
    page.get_by_role("button", name="Lưu mã PIN").click()
    expect(page.locator(".toast")).to_contain_text("Đã đặt mã PIN")


def lock(page: Page) -> None:
    page.keyboard.press("Alt+l")
    expect(page.get_by_role("heading", name="Phiên làm việc đang khóa")).to_be_visible()


def as_program(one: Tab) -> httpx.Client:
    """The same cookies without the page."""
    cookies = {each["name"]: each["value"] for each in one.context.cookies()}
    return httpx.Client(cookies=cookies, trust_env=False)


class TestSessions:
    def test_the_page_lists_this_one_and_ends_the_others(self, live: House, browser: Browser, ward: Tab) -> None:
        with tab(browser) as other:
            sign_in(other.page, live.url, slug=HOA_SEN, role="lab")
            ward.page.goto(f"{live.url}/h/{HOA_SEN}/me/sessions")
            expect(ward.page.get_by_text("máy này")).to_be_visible()
            ward.page.get_by_role("button", name="Kết thúc mọi phiên khác").click()
            expect(ward.page.locator("ul.rows > li")).to_have_count(1)
            other.page.goto(f"{live.url}/h/{HOA_SEN}/")
            expect(other.page.get_by_role("button", name=f"lab@{HOA_SEN}")).to_be_visible()

    @pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
    def test_it_breaks_no_rule_of_accessibility_and_needs_no_scrolling_sideways(
        self, live: House, browser: Browser, size: dict[str, int]
    ) -> None:
        with tab(browser, size=size) as one:
            sign_in(one.page, live.url, slug=HOA_SEN, role="lab")
            for path in ("sessions", "locked"):
                if path == "locked":
                    set_pin(one.page, live)
                    lock(one.page)
                else:
                    one.page.goto(f"{live.url}/h/{HOA_SEN}/me/{path}")
                assert violations(one) == []
                assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_a_pin_that_is_guessed_first_is_refused_in_words(self, live: House, ward: Tab) -> None:
        ward.page.goto(f"{live.url}/h/{HOA_SEN}/me/sessions")
        ward.page.get_by_label("Mã PIN mới", exact=True).fill("123456")
        ward.page.get_by_label("Nhập lại mã PIN mới").fill("123456")
        ward.page.get_by_role("button", name="Lưu mã PIN").click()
        expect(ward.page.locator("[data-errors]")).to_contain_text("không phải 6 số giống nhau")

    def test_who_signed_in_long_ago_may_not_set_one_without_the_former(self, live: House, ward: Tab) -> None:
        live.sql("DELETE FROM directory.pins")
        live.sql("UPDATE directory.sessions SET authenticated_at = now() - interval '6 minutes'")
        ward.page.goto(f"{live.url}/h/{HOA_SEN}/me/sessions")
        ward.page.get_by_label("Mã PIN mới", exact=True).fill(PIN)
        ward.page.get_by_label("Nhập lại mã PIN mới").fill(PIN)
        ward.page.get_by_role("button", name="Lưu mã PIN").click()
        expect(ward.page.locator("[data-errors]")).to_contain_text("xác thực lại")
        assert live.sql("SELECT count(*) FROM directory.pins") == [(0,)]


class TestLock:
    def test_by_key_and_open_again_by_pin(self, live: House, ward: Tab) -> None:
        set_pin(ward.page, live)
        ward.page.goto(f"{live.url}/h/{HOA_SEN}/imaging/unmatched")
        lock(ward.page)
        with as_program(ward) as program:
            assert program.get(f"{live.url}/h/{HOA_SEN}/fhir/Patient").status_code == 401
        ward.page.get_by_label("Mã PIN 6 chữ số").fill("280718")
        ward.page.keyboard.press("Enter")
        expect(ward.page.get_by_role("alert")).to_contain_text("còn 4 lần thử")
        ward.page.get_by_label("Mã PIN 6 chữ số").fill(PIN)
        ward.page.keyboard.press("Enter")
        expect(ward.page).to_have_url(f"{live.url}/h/{HOA_SEN}/imaging/unmatched")

    def test_the_way_back_shows_nothing(self, live: House, ward: Tab) -> None:
        ward.page.goto(f"{live.url}/h/{HOA_SEN}/me/sessions")
        lock(ward.page)
        ward.page.go_back()
        expect(ward.page.get_by_role("heading", name="Phiên làm việc đang khóa")).to_be_visible()

    def test_after_the_minutes_without_a_key_the_page_locks_by_itself(self, live: House, ward: Tab) -> None:
        ward.page.goto(f"{live.url}/h/{HOA_SEN}/me/sessions")
        ward.page.evaluate("localStorage.setItem('emr.seen', String(Date.now() - 16 * 60000))")
        expect(ward.page.get_by_role("heading", name="Phiên làm việc đang khóa")).to_be_visible()
        with as_program(ward) as program:
            assert program.get(f"{live.url}/h/{HOA_SEN}/fhir/Patient").status_code == 401

    def test_what_was_typed_is_off_the_page_while_it_is_locked_and_there_again(
        self, live: House, browser: Browser, chart: str
    ) -> None:
        with tab(browser, size=DESK) as one:
            sign_in(one.page, live.url, slug=HOA_SEN, role="nurse")
            set_pin(one.page, live)
            one.page.goto(f"{chart}/notes/new")
            field = one.page.locator("textarea").first
            field.fill("Đau bụng từ sáng")
            lock(one.page)
            assert "Đau bụng" not in one.page.content()
            assert "NGUYỄN THỊ HOA" not in one.page.content()
            one.page.get_by_label("Mã PIN 6 chữ số").fill("111222")
            one.page.keyboard.press("Enter")
            expect(one.page.get_by_role("alert")).to_contain_text("còn 4 lần thử")
            one.page.get_by_label("Mã PIN 6 chữ số").fill(PIN)
            one.page.keyboard.press("Enter")
            expect(field).to_have_value("Đau bụng từ sáng")

    def test_somebody_else_signs_in_over_it(self, live: House, ward: Tab) -> None:
        lock(ward.page)
        ward.page.get_by_role("button", name="Người khác đăng nhập").click()
        ward.page.get_by_role("button", name=f"nurse@{HOA_SEN}").click()
        expect(ward.page).to_have_url(f"{live.url}/h/{HOA_SEN}/")
        expect(ward.page.locator(".me .who")).to_contain_text("Điều dưỡng")


class TestTwoHospitals:
    def test_one_is_changed_for_the_other_without_signing_in_again(self, live: House, browser: Browser) -> None:
        with tab(browser, size=DESK) as one:
            sign_in(one.page, live.url, slug=CAU_VONG, role="visiting")
            one.page.get_by_role("link", name="Đổi bệnh viện").click()
            one.page.locator(f'a[href="/h/{HOA_SEN}/"]').click()
            expect(one.page).to_have_url(f"{live.url}/h/{HOA_SEN}/")
            expect(one.page.locator(".house")).to_have_text("Bệnh viện Hoa Sen")

    def test_who_works_in_one_is_offered_no_change(self, live: House, ward: Tab) -> None:
        del live
        expect(ward.page.get_by_role("link", name="Đổi bệnh viện")).to_have_count(0)


class TestRevoked:
    def test_a_doctor_whose_membership_ends_is_out_at_the_next_click(self, live: House, browser: Browser) -> None:
        with tab(browser) as one:
            sign_in(one.page, live.url, slug=HOA_SEN, role="pharmacist")
            live.sql("UPDATE directory.memberships SET active = false WHERE role = 'pharmacist'")
            try:
                one.page.goto(f"{live.url}/h/{HOA_SEN}/")
                expect(one.page.get_by_role("heading", level=1)).to_have_text("Không có quyền")
            finally:
                live.sql("UPDATE directory.memberships SET active = true WHERE role = 'pharmacist'")

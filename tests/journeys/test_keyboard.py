"""Every task by keyboard alone, in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.house import CAU_VONG, HOA_SEN, House
from tests.servers.chromium import Tab, sign_in, tab, write

pytestmark = pytest.mark.server


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


class TestSignIn:
    def test_from_the_front_page_to_a_chart_by_keyboard(self, live: House, browser: Browser, hoa_id: str) -> None:
        with tab(browser) as one:
            page = one.page
            page.goto(f"{live.url}/")
            page.locator('a[href$="/h/hoa-sen/"]').focus()
            press(page, "Enter")
            page.get_by_role("button", name="doctor@hoa-sen").focus()
            press(page, "Enter")
            expect(page.locator("#find")).to_be_focused()
            write(page, "hoa nguyen 1959")
            expect(page.locator("#hits a")).to_have_count(1)
            press(page, "ArrowDown", "Enter")
            expect(page.get_by_role("heading", level=1)).to_have_text("NGUYỄN THỊ HOA")

    def test_signing_out_ends_the_session(self, live: House, browser: Browser) -> None:
        with tab(browser) as one:
            sign_in(one.page, live.url, slug=HOA_SEN, role="nurse")
            one.page.get_by_role("button", name="Đăng xuất").focus()
            press(one.page, "Enter")
            one.page.wait_for_url(f"{live.url}/")
            one.page.goto(f"{live.url}/h/{HOA_SEN}/")
            expect(one.page.get_by_role("button", name=f"nurse@{HOA_SEN}")).to_be_visible()


class TestFind:
    @pytest.mark.parametrize(
        "typed", ["nguyen thi hoa", "hoa nguyen", "HS-004821", "079159004834", "GD4797912800128", "12/03/1959"]
    )
    def test_she_is_found_by_name_number_card_and_birth_date(self, desk: Tab, chart: str, typed: str) -> None:
        desk.page.goto(f"{chart.rsplit('/patients', 1)[0]}/")
        write(desk.page, typed)
        expect(desk.page.locator("#hits")).to_contain_text("NGUYỄN THỊ HOA")
        assert "1959" not in desk.page.url

    def test_the_slash_finds_from_everywhere(self, desk: Tab, chart: str) -> None:
        desk.page.goto(chart)
        press(desk.page, "/")
        write(desk.page, "thi hoa")
        expect(desk.page.locator("#bar-hits a").first).to_be_visible()
        press(desk.page, "ArrowDown")
        expect(desk.page.locator("#bar-hits a").first).to_be_focused()

    def test_nobody_found_says_what_to_try(self, desk: Tab, chart: str) -> None:
        desk.page.goto(f"{chart.rsplit('/patients', 1)[0]}/")
        write(desk.page, "zzzz qqqq")
        expect(desk.page.locator("#hits")).to_contain_text("Không tìm thấy ai")


class TestForms:
    def test_vital_signs(self, desk: Tab, chart: str) -> None:
        page = desk.page
        page.goto(chart)
        press(page, "s")
        expect(page.get_by_label("Huyết áp tâm thu")).to_be_focused()
        for figure in ("128", "82", "76", "36,8", "98"):
            write(page, figure)
            press(page, "Tab")
        press(page, "Alt+s")
        expect(page.get_by_role("status").filter(has_text="Đã lưu sinh hiệu")).to_be_visible()
        expect(page.locator("table").first).to_contain_text("128/82")

    def test_a_mistake_is_summed_up_and_focused_and_nothing_is_lost(self, desk: Tab, chart: str) -> None:
        page = desk.page
        page.goto(f"{chart}/vitals/new")
        page.get_by_label("Mạch").fill("abc")
        page.get_by_label("Nhiệt độ").fill("36,8")
        press(page, "Alt+s")
        expect(page.locator("[data-errors]")).to_be_focused()
        expect(page.locator("[data-errors]")).to_contain_text("«abc» không phải là số")
        expect(page.get_by_label("Nhiệt độ")).to_have_value("36,8")
        press(page, "Tab", "Enter")
        expect(page.get_by_label("Mạch")).to_be_focused()
        desk.troubles.clear()

    def test_an_unusual_value_is_asked_again_and_then_kept(self, desk: Tab, chart: str) -> None:
        page = desk.page
        page.goto(f"{chart}/vitals/new")
        page.get_by_label("Mạch").fill("172")
        press(page, "Alt+s")
        expect(page.locator("[data-errors]")).to_be_focused()
        page.get_by_label("Tôi đã đo lại").focus()
        press(page, "Space", "Alt+s")
        expect(page.get_by_role("status").filter(has_text="Đã lưu sinh hiệu")).to_be_visible()
        desk.troubles.clear()

    def test_a_note(self, desk: Tab, chart: str) -> None:
        page = desk.page
        page.goto(chart)
        press(page, "g")
        expect(page.get_by_label("Nội dung")).to_be_focused()
        write(page, "Người bệnh tỉnh, đỡ chóng mặt.")
        press(page, "Alt+s")
        expect(page.locator("main")).to_contain_text("Người bệnh tỉnh, đỡ chóng mặt.")

    def test_a_problem_from_the_list_of_codes(self, desk: Tab, chart: str) -> None:
        page = desk.page
        page.goto(chart)
        press(page, "v")
        expect(page.locator("#f-find")).to_be_focused()
        write(page, "gut")
        expect(page.locator("#codes input").first).to_be_visible()
        press(page, "ArrowDown", "Space", "Alt+s")
        expect(page.get_by_role("region", name="Vấn đề sức khỏe")).to_contain_text("M10.9")

    def test_an_allergy_stands_in_the_strip_at_once(self, desk: Tab, chart: str) -> None:
        page = desk.page
        page.goto(chart)
        press(page, "d")
        expect(page.get_by_label("Chất gây dị ứng")).to_be_focused()
        write(page, "Sulfamid")
        page.get_by_label("thuốc", exact=True).focus()
        press(page, "Space", "Alt+s")
        expect(page.locator(".patient .alert")).to_contain_text("Sulfamid")

    def test_leaving_an_unsaved_form_asks_first(self, desk: Tab, chart: str) -> None:
        page = desk.page
        asked: list[str] = []
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        page.goto(f"{chart}/notes/new")
        write(page, "chưa lưu")
        press(page, "Alt+q")
        page.wait_for_url(chart)
        assert asked == ["beforeunload"]

    def test_a_broken_line_keeps_what_was_typed_and_sends_again_once(self, desk: Tab, chart: str) -> None:
        page = desk.page
        page.goto(f"{chart}/notes/new")
        write(page, "Mạng chập chờn lúc 3 giờ sáng.")
        page.context.set_offline(True)
        press(page, "Alt+s")
        expect(page.locator("[data-state]")).to_contain_text("tự gửi lại")
        expect(page.get_by_label("Nội dung")).to_have_value("Mạng chập chờn lúc 3 giờ sáng.")
        page.context.set_offline(False)
        expect(page.get_by_role("status").filter(has_text="Đã lưu ghi chú")).to_be_visible()
        expect(page.get_by_text("Mạng chập chờn lúc 3 giờ sáng.")).to_have_count(1)
        desk.troubles.clear()


class TestPlaces:
    @pytest.mark.parametrize(
        ("key", "path"),
        [("k", "/results"), ("l", "/encounters"), ("t", "/documents"), ("h", "/images"), ("s", "/vitals/new")],
    )
    def test_one_letter_goes_there(self, desk: Tab, chart: str, key: str, path: str) -> None:
        desk.page.goto(chart)
        press(desk.page, key)
        desk.page.wait_for_url(f"{chart}{path}")

    def test_a_question_mark_shows_all_keys(self, desk: Tab, chart: str) -> None:
        desk.page.goto(chart)
        press(desk.page, "?")
        expect(desk.page.get_by_role("dialog")).to_contain_text("Sinh hiệu")

    def test_single_letters_can_be_switched_off(self, desk: Tab, chart: str) -> None:
        desk.page.goto(chart)
        press(desk.page, "?")
        desk.page.get_by_label("Dùng phím tắt một chữ cái").focus()
        press(desk.page, "Space", "Escape", "k")
        desk.page.wait_for_timeout(200)
        assert desk.page.url == chart

    def test_letters_typed_into_a_field_stay_letters(self, desk: Tab, chart: str) -> None:
        desk.page.goto(f"{chart}/notes/new")
        write(desk.page, "kgsv")
        expect(desk.page.get_by_label("Nội dung")).to_have_value("kgsv")
        desk.page.get_by_label("Nội dung").fill("")

    def test_anothers_hospital_is_closed_to_this_session(self, desk: Tab, live: House, hoa_id: str) -> None:
        answer = desk.page.goto(f"{live.url}/h/{CAU_VONG}/patients/{hoa_id}")
        assert answer.status == 403
        expect(desk.page.get_by_role("heading")).to_contain_text("Không có quyền")
        desk.troubles.clear()


class TestRoles:
    def test_a_nurse_is_not_offered_to_add_problems(
        self, live: House, browser: Browser, chart: str, sessions: Callable[[str], object]
    ) -> None:
        with tab(browser, storage_state=sessions("nurse")) as one:
            one.page.goto(chart)
            expect(one.page.get_by_role("link", name="Sinh hiệu").first).to_be_visible()
            expect(one.page.locator("a[data-key=v]")).to_have_count(0)

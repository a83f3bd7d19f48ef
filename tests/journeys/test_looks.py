"""What stands where: the first look without scrolling, the phone, the night, English, paper, axe, and the byte budget."""

import gzip
import re
from collections.abc import Callable
from typing import ClassVar

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Response, expect

from tests.house import HOA_SEN, House
from tests.servers.chromium import PHONE, Tab, tab, write

pytestmark = pytest.mark.server
PAGES = (
    "", "/results", "/results?only=abnormal", "/results/4548-4", "/results/8480-6", "/encounters", "/vitals/new", "/notes/new", "/problems/new",
    "/allergies/new", "/documents", "/images",
)  # fmt: skip
FIRST_VISIT, INTERACTION = 100 * 1024, 15 * 1024


def violations(tab_: Tab) -> list[str]:
    found = Axe().run(tab_.page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{item['id']}: {[node['target'] for node in item['nodes']][:3]}" for item in found]


def sent(answer: Response) -> int:
    """Bytes of the answer's body as a browser on a slow line gets it."""
    return (
        len(gzip.compress(answer.body(), 5))
        if "gzip" in answer.headers.get("content-encoding", "")
        else len(answer.body())
    )


class TestFirstLook:
    @pytest.mark.parametrize("name", ["Dị ứng", "Vấn đề sức khỏe", "Thuốc đang dùng", "Sinh hiệu", "Kết quả mới"])
    def test_it_stands_without_scrolling_on_a_ward_pc(self, desk: Tab, still_chart: str, name: str) -> None:
        desk.page.goto(still_chart)
        box = desk.page.get_by_role("region", name=name, exact=True).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 768

    def test_nobody_scrolls_sideways(self, desk: Tab, still_chart: str) -> None:
        desk.page.goto(still_chart)
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= 1366

    def test_the_patient_stays_on_the_page(self, desk: Tab, still_chart: str) -> None:
        desk.page.goto(still_chart)
        desk.page.mouse.wheel(0, 900)
        expect(desk.page.get_by_role("heading", level=1)).to_be_in_viewport()
        expect(desk.page.locator(".patient .alert")).to_be_in_viewport()

    def test_an_abnormal_value_has_a_sign_and_a_word_beside_its_colour(self, desk: Tab, still_chart: str) -> None:
        desk.page.goto(still_chart)
        row = desk.page.get_by_role("row").filter(has_text="HbA1c")
        expect(row.locator(".hi").first).to_contain_text("▲")
        expect(row.locator(".hi").first).to_contain_text("cao")


class TestPhone:
    @pytest.mark.parametrize("path", PAGES)
    def test_nothing_is_wider_than_a_phone(
        self, browser: Browser, chart: str, path: str, sessions: Callable[[str], object]
    ) -> None:
        with tab(browser, size=PHONE, storage_state=sessions("doctor")) as one:
            one.page.goto(f"{chart}{path}")
            assert one.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    def test_what_is_done_most_is_at_the_thumb(
        self, browser: Browser, chart: str, sessions: Callable[[str], object]
    ) -> None:
        with tab(browser, size=PHONE, storage_state=sessions("doctor")) as one:
            one.page.goto(chart)
            box = one.page.locator(".phone-acts a").first.bounding_box()
            assert box is not None
            assert box["height"] >= 44


class TestAxe:
    @pytest.mark.parametrize("path", PAGES)
    def test_no_violation_on_a_patients_page(self, desk: Tab, chart: str, path: str) -> None:
        desk.page.goto(f"{chart}{path}")
        assert violations(desk) == []

    @pytest.mark.parametrize("path", ["/", "/design", "/h/no-such-hospital/"])
    def test_no_violation_outside_a_hospital(self, desk: Tab, live: House, path: str) -> None:
        desk.page.goto(f"{live.url}{path}")
        assert violations(desk) == []
        desk.troubles.clear()

    def test_no_violation_while_finding(self, desk: Tab, live: House, hoa_id: str) -> None:
        desk.page.goto(f"{live.url}/h/{HOA_SEN}/")
        write(desk.page, "hoa")
        expect(desk.page.locator("#hits a").first).to_be_visible()
        assert violations(desk) == []

    @pytest.mark.parametrize("path", ["", "/results/4548-4", "/vitals/new"])
    def test_no_violation_at_night(self, desk: Tab, chart: str, path: str) -> None:
        desk.page.emulate_media(color_scheme="dark")
        desk.page.goto(f"{chart}{path}")
        assert violations(desk) == []

    def test_no_violation_with_an_error_summary(self, desk: Tab, chart: str) -> None:
        desk.page.goto(f"{chart}/vitals/new")
        desk.page.get_by_label("Mạch").fill("abc")
        desk.page.keyboard.press("Alt+s")
        expect(desk.page.locator("[data-errors]")).to_be_focused()
        assert violations(desk) == []
        desk.troubles.clear()

    @pytest.mark.parametrize("path", ["", "/vitals/new"])
    def test_no_violation_on_a_phone(
        self, browser: Browser, chart: str, path: str, sessions: Callable[[str], object]
    ) -> None:
        with tab(browser, size=PHONE, storage_state=sessions("doctor")) as one:
            one.page.goto(f"{chart}{path}")
            assert violations(one) == []


class TestEnglish:
    def test_a_switch_changes_the_language_and_keeps_the_place(
        self, browser: Browser, chart: str, sessions: Callable[[str], object]
    ) -> None:
        with tab(browser, storage_state=sessions("doctor")) as one:
            one.page.goto(chart)
            one.page.get_by_role("button", name="English").click()
            expect(one.page.get_by_role("heading", name="Current medicines")).to_be_visible()
            assert one.page.url == chart
            assert one.page.locator("html").get_attribute("lang") == "en"

    @pytest.mark.parametrize("path", ["/vitals/new", "/notes/new", "/problems/new", "/allergies/new"])
    def test_no_vietnamese_is_left_on_an_english_form(
        self, browser: Browser, chart: str, path: str, sessions: Callable[[str], object]
    ) -> None:
        with tab(browser, storage_state=sessions("doctor")) as one:
            one.context.add_cookies([{"name": "emr_language", "value": "en", "url": chart}])
            one.page.goto(f"{chart}{path}")
            assert (
                re.findall(
                    r"[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]",
                    one.page.locator("main form .body").inner_text(),
                )
                == []
            )


class TestPaper:
    def test_the_chart_prints_with_the_patient_and_without_the_bar(self, desk: Tab, chart: str) -> None:
        desk.page.goto(chart)
        desk.page.emulate_media(media="print")
        expect(desk.page.locator(".bar")).to_be_hidden()
        expect(desk.page.get_by_role("heading", level=1)).to_be_visible()


class TestBudget:
    def test_the_first_visit_is_light(self, browser: Browser, chart: str, sessions: Callable[[str], object]) -> None:
        with tab(browser, storage_state=sessions("doctor")) as one:
            answers: list[Response] = []
            one.page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - a bound built-in has no attributes
            one.page.goto(chart)
            one.page.wait_for_load_state("networkidle")
            pictures = [answer for answer in answers if "/imaging/" not in answer.url]
            assert sum(sent(answer) for answer in pictures) <= FIRST_VISIT

    def test_every_page_is_light(self, desk: Tab, chart: str) -> None:
        sizes = {path: sent(desk.page.goto(f"{chart}{path}")) for path in PAGES}
        assert {path: size for path, size in sizes.items() if size > INTERACTION} == {}

    def test_finding_is_light(self, desk: Tab, live: House, hoa_id: str) -> None:
        desk.page.goto(f"{live.url}/h/{HOA_SEN}/")
        with desk.page.expect_response("**/find") as waiting:
            write(desk.page, "nguyen")
        assert sent(waiting.value) <= INTERACTION


class TestSlowLine:
    """256 kbit/s and a long way to the server, as over a hospital's Wi-Fi at its worst."""

    LINE: ClassVar = {"offline": False, "latency": 120, "downloadThroughput": 32 * 1024, "uploadThroughput": 32 * 1024}

    def test_a_chart_is_there_within_five_seconds_on_the_first_visit(
        self, browser: Browser, chart: str, sessions: Callable[[str], object]
    ) -> None:
        with tab(browser, storage_state=sessions("doctor")) as one:
            one.context.new_cdp_session(one.page).send("Network.emulateNetworkConditions", self.LINE)
            one.page.goto(chart, timeout=5_000, wait_until="domcontentloaded")
            expect(one.page.get_by_role("heading", level=1)).to_be_visible()

    def test_vital_signs_are_saved_within_five_seconds(self, desk: Tab, chart: str) -> None:
        page = desk.page
        page.goto(f"{chart}/vitals/new")
        desk.context.new_cdp_session(page).send("Network.emulateNetworkConditions", self.LINE)
        page.get_by_label("Mạch").fill("78")
        page.keyboard.press("Alt+s")
        expect(page.get_by_role("status").filter(has_text="Đã lưu sinh hiệu")).to_be_visible(timeout=5_000)


class TestHeaders:
    def test_a_page_is_never_kept_and_nothing_inline_runs(self, desk: Tab, chart: str) -> None:
        answer = desk.page.goto(chart)
        assert answer.headers["cache-control"] == "no-store"
        assert "unsafe" not in answer.headers["content-security-policy"]

    def test_htmx_keeps_no_pages_in_the_browser(self, desk: Tab, chart: str) -> None:
        desk.page.goto(chart)
        assert desk.page.evaluate("Object.keys(localStorage).filter(name => name.includes('htmx'))") == []

"""A study in a real browser: scrolling by keyboard, windows, and matching what waits."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.house import HOA_SEN, House
from tests.imaging.records import fresh, patient
from tests.imaging.samples import ROOT, encoded, slice_of
from tests.servers.chromium import PHONE, Tab, chromium, sign_in, tab

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def radiographer(browser: Browser, live: House) -> Iterator[Tab]:
    with tab(browser) as made:
        sign_in(made.page, live.url, slug=HOA_SEN, role="imaging")
        yield made


@pytest.fixture
def admitted(live: House) -> tuple[str, str, str]:
    """A patient, their record number, and a study of five slices that came under another number."""
    number = fresh()
    with live.client() as client:
        holder = client.post("/Patient", json=patient(f"BN{number}")).json()["id"]
    return holder, f"BN{number}", number


def _send(live: House, number: str, patient_id: str) -> str:
    with live.client("pacs") as client:
        for at in range(1, 6):
            made = slice_of(at, study=number, size=64, PatientID=patient_id)
            url = f"{live.url}/h/{HOA_SEN}/dicomweb/studies"
            kept = client.post(url, content=encoded(made), headers={"Content-Type": "application/dicom"})
            assert kept.status_code == 200
    return f"{ROOT}{number}"


class TestViewer:
    def test_arrow_keys_change_the_picture(self, live, radiographer, admitted):
        holder, record, number = admitted
        study, page = _send(live, number, record), radiographer.page
        page.goto(f"{live.url}/h/{HOA_SEN}/patients/{holder}/images/{study}")
        page.locator("[data-viewer]").focus()
        page.keyboard.press("ArrowDown")
        page.locator("[data-viewer] img[src*='/pictures/4']").wait_for()
        expect(page.locator("[data-frame-label]")).to_have_text("4 / 5")
        page.get_by_role("link", name="Phổi").click()
        expect(page.get_by_role("link", name="Phổi")).to_have_attribute("aria-current", "true")
        expect(page.locator("[data-viewer] img")).to_have_js_property("naturalWidth", 900)
        assert radiographer.troubles == []

    def test_no_rule_of_accessibility_is_broken(self, live, radiographer, admitted):
        holder, record, number = admitted
        study, page = _send(live, number, record), radiographer.page
        places = (f"patients/{holder}/images", f"patients/{holder}/images/{study}", "imaging/unmatched")
        for place in places:
            page.goto(f"{live.url}/h/{HOA_SEN}/{place}")
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()

    def test_fits_a_phone(self, live, browser, admitted):
        holder, record, number = admitted
        study = _send(live, number, record)
        with tab(browser, size=PHONE) as phone:
            sign_in(phone.page, live.url, slug=HOA_SEN, role="doctor")
            phone.page.goto(f"{live.url}/h/{HOA_SEN}/patients/{holder}/images/{study}")
            assert phone.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


class TestMatching:
    def test_a_waiting_study_is_matched_after_both_identities_were_shown(self, live, radiographer, admitted):
        holder, record, number = admitted
        study, page = _send(live, number, f"LOST{number}"), radiographer.page
        page.goto(f"{live.url}/h/{HOA_SEN}/imaging/studies/{study}")
        page.get_by_label("Mã hồ sơ đúng").fill("NOBODY")
        page.keyboard.press("Enter")
        assert page.get_by_role("alert").inner_text()
        page.get_by_label("Mã hồ sơ đúng").fill(record)
        page.keyboard.press("Enter")
        page.get_by_text(f"Hồ sơ mang mã {record}: Đặng Thị Thử").wait_for()
        page.get_by_role("button", name="Ghép vào hồ sơ này").click()
        page.wait_for_url(f"**/patients/{holder}/images/{study}")
        page.get_by_text("Đã ghép hình ảnh vào bệnh án").wait_for()
        with live.client() as client:
            [found] = client.get("/ImagingStudy", params={"patient": holder}).json()["entry"]
        assert found["resource"]["subject"] == {"reference": f"Patient/{holder}"}
        assert [each for each in radiographer.troubles if "422" not in each] == []

"""SMART's own JavaScript client in a real browser: both launches from their beginning to what the app shows."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fhir.samples import made, observation, patient
from tests.house import HOA_SEN, House
from tests.servers.chromium import PHONE, chromium, sign_in, tab
from tests.smart.apps import Registered, registered
from tests.smart.site import Site, site

pytestmark = pytest.mark.server
SCOPE = "launch launch/patient online_access patient/Patient.rs patient/Observation.rs"
NAME = "Biểu đồ chiều cao"
"""No other app of the hospital is called so."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def growth() -> Iterator[Site]:
    with site() as running:
        yield running


@pytest.fixture(scope="module")
def app(live: House, growth: Site) -> Registered:
    return registered(
        live,
        name=NAME,
        kind="public",
        scopes=SCOPE.split(" "),
        redirect_uris=[f"{growth.origin}/"],
        launch_uri=f"{growth.origin}/launch",
    )


@pytest.fixture(scope="module")
def people(live: House) -> dict[str, str]:
    with live.client() as client:
        child = made(client, patient(name=[{"text": "Bùi Ngọc Ánh Dương"}], birthDate="2023-02-01"))["id"]
        other = made(client, patient(name=[{"text": "Đỗ Gia Bảo"}]))["id"]
        height = made(client, observation(child))["id"]
        made(client, observation(other))
    return {"child": child, "other": other, "height": height}


def said(page: Page) -> dict[str, Any]:
    """What the app has found once it is ready."""
    expect(page).to_have_title(re.compile("^(ready|failed)"))
    assert page.title() == "ready"
    found: dict[str, Any] = json.loads(page.locator("body").get_attribute("data-said") or "")
    return found


def expected(people: dict[str, str]) -> dict[str, Any]:
    return {"patient": people["child"], "name": "Bùi Ngọc Ánh Dương", "observations": [people["height"]], "others": 404,
            "conditions": 403, "renewed": True, "again": people["child"]}  # fmt: skip


class TestFhirClient:
    def test_opened_from_a_chart(
        self, live: House, browser: Browser, growth: Site, app: Registered, people: dict[str, str]
    ) -> None:
        config = {"clientId": app.id, "scope": SCOPE.replace("launch/patient ", ""), "redirectUri": f"{growth.origin}/"}
        growth.configure(json.dumps(config), people["other"])
        with tab(browser) as opened:
            sign_in(opened.page, live.url, slug=HOA_SEN, role="doctor")
            opened.page.goto(f"{live.url}/h/{HOA_SEN}/patients/{people['child']}/apps")
            with opened.context.expect_page() as appeared:
                opened.page.get_by_role("button", name=f"Mở «{NAME}»").click()
            page = appeared.value
            expect(page.get_by_role("heading", name=f"Cho phép «{NAME}»?")).to_be_visible()
            expect(page.get_by_text("BÙI NGỌC ÁNH DƯƠNG")).to_be_visible()
            page.get_by_role("button", name="Cho phép").click()
            found = said(page)
        assert {name: found[name] for name in expected(people)} == expected(people)
        assert opened.troubles == [], "of our own page"

    def test_opened_from_outside(
        self, live: House, browser: Browser, growth: Site, app: Registered, people: dict[str, str]
    ) -> None:
        """By keyboard alone, on a telephone, signing in on the way."""
        scope = SCOPE.removeprefix("launch ")
        config = {"clientId": app.id, "scope": scope, "iss": live.fhir(), "redirectUri": f"{growth.origin}/"}
        growth.configure(json.dumps(config), people["other"])
        with tab(browser, size=PHONE) as opened:
            page = opened.page
            page.goto(f"{growth.origin}/launch")
            page.get_by_role("button", name=f"nurse@{HOA_SEN}").click()
            expect(page.get_by_role("heading", name="Chọn người bệnh")).to_be_visible()
            expect(page.locator("input:focus")).to_be_visible()
            page.keyboard.type("anh duong bui")
            page.keyboard.press("Enter")
            chosen = page.get_by_role("button", name="BÙI NGỌC ÁNH DƯƠNG")
            expect(chosen).to_be_visible()
            # The page gives its own field the focus a moment after it is there.
            expect(page.locator("input:focus")).to_be_visible()
            chosen.focus()
            page.keyboard.press("Enter")
            allow = page.get_by_role("button", name="Cho phép")
            allow.focus()
            page.keyboard.press("Enter")
            found = said(page)
        assert {name: found[name] for name in expected(people)} == expected(people)
        # The two that the app tries although it may not, as the browser notes them.
        noted = sorted(each.rpartition("status of ")[2] for each in opened.troubles)
        assert noted == ["403 (Forbidden)", "404 (Not Found)"]

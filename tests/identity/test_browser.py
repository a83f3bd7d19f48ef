"""Signing in and out in a real Chromium, with its own ideas of cookies and redirects."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.identity.providers import DOCTOR
from tests.identity.world import World
from tests.servers.chromium import chromium

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Chromium) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def sign_in(page: Page, world: World) -> None:
    """The doctor, by name and password at Keycloak."""
    page.goto(f"{world.base_url}/auth/sign-in?to=/h/hoa-sen/whoami")
    page.locator("input[name=username]").fill(DOCTOR)
    page.keyboard.press("Enter")
    page.locator("input[name=password]").fill(world.provider.server.password)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{world.base_url}/h/hoa-sen/whoami")
    expect(page.locator("body")).to_contain_text('"role":"doctor"')


class TestChromium:
    def test_one_click_at_the_demos_provider(self, demo: World, page: Page) -> None:
        page.goto(f"{demo.base_url}/auth/sign-in?to=/h/hoa-sen/whoami")
        page.get_by_text(DOCTOR, exact=True).click()
        expect(page).to_have_url(f"{demo.base_url}/h/hoa-sen/whoami")
        expect(page.locator("body")).to_contain_text('"role":"doctor"')
        assert "emr_session" not in page.evaluate("document.cookie")

    def test_name_and_password_at_keycloak_and_out_again(self, keycloak: World, page: Page) -> None:
        sign_in(page, keycloak)
        page.goto(f"{keycloak.base_url}/choices")
        page.evaluate("document.body.innerHTML = '<form method=post action=/auth/sign-out><button>out</button></form>'")
        page.get_by_role("button").click()
        expect(page).to_have_url(f"{keycloak.base_url}/choices")
        expect(page.locator("body")).to_contain_text('"person":""')
        page.goto(f"{keycloak.base_url}/auth/sign-in?to=/h/hoa-sen/whoami")
        expect(page.locator("input[name=username]")).to_be_visible()

    def test_who_is_locked_at_keycloak_stands_before_the_sign_in_within_a_minute(
        self, keycloak: World, page: Page
    ) -> None:
        sign_in(page, keycloak)
        keycloak.provider.disable(DOCTOR)
        try:
            keycloak.clock.ahead = timedelta(seconds=56)
            page.goto(f"{keycloak.base_url}/h/hoa-sen/whoami")
            expect(page.locator("input[name=username]")).to_be_visible()
            expect(page.locator("body")).not_to_contain_text('"role":"doctor"')
        finally:
            keycloak.clock.ahead = timedelta()
            keycloak.provider.enable(DOCTOR)

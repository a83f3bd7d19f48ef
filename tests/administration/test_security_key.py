"""A security key as second factor (WebAuthn) at a real Keycloak, with Chromium's virtual authenticator."""

import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from tests.administration.world import Administration
from tests.house import HOA_SEN
from tests.servers.chromium import Tab, chromium, tab

KEY = {
    "protocol": "ctap2", "transport": "usb", "hasResidentKey": False, "hasUserVerification": False,
    "automaticPresenceSimulation": True,
}  # fmt: skip
"""One that is touched as soon as it blinks."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def with_key(one: Tab) -> Page:
    """A browser with a new key in its port; it has no credentials yet."""
    devices = one.context.new_cdp_session(one.page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
    one.page.on("dialog", lambda asked: asked.accept("Chìa khóa"))
    return one.page


def administrator(world: Administration) -> str:
    """An administrator who has a password alone, and is to register a key at the next sign-in."""
    name = f"admin-{secrets.token_hex(4)}"
    subject = world.server.add_person(name, world.house.tenants[HOA_SEN].organization_id or "")
    world.grant(subject, "admin")
    keycloak = world.server.administrator()
    keycloak.update_user(subject, dict(keycloak.get_user(subject)) | {"requiredActions": ["webauthn-register"]})
    return name


def sign_in(page: Page, world: Administration, username: str) -> None:
    page.goto(f"{world.house.url}/auth/sign-in?to=/h/{HOA_SEN}/admin/members")
    page.fill("input[name=username]", username)
    page.keyboard.press("Enter")
    page.fill("input[name=password]", world.server.password)
    page.keyboard.press("Enter")


def go(page: Page, url: str) -> None:
    """Open an address, also while Keycloak's page goes on by itself, to tell that the key knows nobody here."""
    for _ in range(9):
        try:
            page.goto(url)
        except Error as error:
            assert "ERR_ABORTED" in error.message  # noqa: PT017 - anything else is a failure
            page.wait_for_load_state()
        else:
            return
    page.goto(url)


class TestKey:
    def test_who_registers_one_administers_with_it_and_nobody_without(
        self, at_keycloak: Administration, browser: Browser
    ) -> None:
        username = administrator(at_keycloak)
        with tab(browser) as one:
            page = with_key(one)
            sign_in(page, at_keycloak, username)
            page.locator("#registerWebAuthn").click()
            page.locator("#authenticateWebAuthnButton").click()
            page.wait_for_url(at_keycloak.url("/members"))
            expect(page.locator("h1")).to_be_visible()
        with tab(browser) as other:
            page = with_key(other)
            sign_in(page, at_keycloak, username)
            page.locator("#authenticateWebAuthnButton").click()
            page.wait_for_load_state("networkidle")
            assert page.locator("input[name=otp]").count() == 0
            go(page, at_keycloak.url("/members"))
            assert not page.url.startswith(at_keycloak.url("/members"))

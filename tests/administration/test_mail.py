"""An invitation by mail: Keycloak sends it through a real mail server, and its link opens the account."""

import re
import secrets
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from playwright.sync_api import Browser, expect

from tests.administration.test_members import address, invite
from tests.administration.world import Administration
from tests.servers.chromium import chromium, tab
from tests.servers.keycloak import REALM
from tests.servers.smtp import Mailbox, mail_server


@pytest.fixture
def mailbox(at_keycloak: Administration) -> Iterator[Mailbox]:
    """Where mail of the realm goes, as long as a test runs."""
    admin = at_keycloak.server.administrator()
    with mail_server() as box:
        sender = {"host": "127.0.0.1", "port": str(box.port), "from": "benh-an@thanh-pho.example"}
        admin.update_realm(REALM, {"smtpServer": sender})
        yield box
    admin.update_realm(REALM, {"smtpServer": {}})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def link_of(message: EmailMessage) -> str:
    plain = message.get_body(("plain",))
    assert plain is not None
    found = re.search(r"https?://\S+", plain.get_content())
    assert found is not None, plain.get_content()
    return found[0]


class TestInvitation:
    def test_its_link_opens_the_account_once(
        self, at_keycloak: Administration, mailbox: Mailbox, browser: Browser
    ) -> None:
        email, chosen = address(), secrets.token_urlsafe(18)
        assert invite(at_keycloak, email=email) == (email, "")
        message = mailbox.wait_for(email)
        link = link_of(message)
        with tab(browser) as one:
            page = one.page
            page.goto(link)
            page.get_by_role("link").first.click()
            page.fill("input[name=password-new]", chosen)
            page.fill("input[name=password-confirm]", chosen)
            page.keyboard.press("Enter")
            expect(page.locator("input[name=password-new]")).to_have_count(0)
        assert at_keycloak.entered(at_keycloak.sign_in(email, chosen)) == 200
        with tab(browser) as again:
            again.page.goto(link)
            assert again.page.locator("input[name=password-new]").count() == 0

    def test_where_no_mail_goes_out_a_password_is_shown_once(self, at_keycloak: Administration) -> None:
        assert invite(at_keycloak)[1] != ""

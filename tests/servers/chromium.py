"""A real Chromium with a fresh profile, and signing in to it as anybody of the demo's provider."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.servers.tools import tool

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESK = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 20_000


@dataclass
class Tab:
    """One page, and what went wrong on it: messages of the console and uncaught errors."""

    page: Page
    context: BrowserContext
    troubles: list[str]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser; without Chromium on this machine the calling test skips, or fails when `CI=true`."""
    path = tool("chromium-headless-shell")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(path), args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def tab(browser: Browser, *, size: dict[str, int] | None = None, **options: Any) -> Iterator[Tab]:
    """A page in a profile of its own."""
    context = browser.new_context(viewport=size or DESK, locale="vi-VN", timezone_id="Asia/Ho_Chi_Minh", **options)
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield Tab(page, context, troubles)
    context.close()


def sign_in(page: Page, url: str, *, slug: str, role: str) -> None:
    """From the hospital's first page through the demo's provider and back."""
    page.goto(f"{url}/h/{slug}/")
    page.get_by_role("button", name=f"{role}@{slug}").click()
    page.wait_for_url(f"{url}/h/{slug}/**")


def write(page: Page, text: str) -> None:
    """Type as soon as a field has the focus: a fresh page gives it a moment after it is there."""
    expect(page.locator("input:focus, textarea:focus")).to_be_visible()
    page.keyboard.type(text)

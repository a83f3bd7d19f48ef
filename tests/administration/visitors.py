"""Somebody of the demo's provider in a browser without script: signed in, and a member of whatever they are."""

import html
import re

from emr_demo.provider.people import subject_of
from tests.house import HOA_SEN, House
from tests.identity.providers import Browser


def entered(house: House, username: str, slug: str = HOA_SEN, *, to: str = "") -> Browser:
    """A browser that has gone through the provider's page as `username` and back, on the way into the hospital, or `to`
    another place of ours.
    """
    browser = Browser()
    begun = browser.get(f"{house.url}/auth/sign-in", params={"to": to or f"/h/{slug}/"})
    page = browser.get(begun.headers["location"])
    hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    fields = {name: html.unescape(value) for name, value in hidden} | {"account": subject_of(username)}
    answer = browser.post(f"{house.settings.identity.issuer}/authorize", data=fields)
    assert answer.status_code == 302, answer.text[:300]
    assert browser.get(answer.headers["location"]).status_code == 303
    return browser

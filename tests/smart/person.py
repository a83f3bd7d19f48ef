"""Somebody at a browser without a browser: signs in, reads our pages' forms, and stops where an app would begin."""

import base64
import hashlib
import html
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx

from emr_demo.provider.people import subject_of
from tests.house import HOA_SEN, House
from tests.smart.apps import Registered, token_url

VERIFIER = secrets.token_urlsafe(48)


def challenge(verifier: str = VERIFIER) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Person:
    """A signed-in member of a hospital, with cookies."""

    house: House
    username: str
    slug: str = HOA_SEN
    client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=30))
    opened: ClassVar[list[httpx.Client]] = []

    def __post_init__(self) -> None:
        self.opened.append(self.client)

    def sign_in(self, to: str = "") -> httpx.Response:
        """Through the demo's provider to a path of ours; answers with what is there."""
        begun = self.client.get(f"{self.house.url}/auth/sign-in", params={"to": to or f"/h/{self.slug}/"})
        return self.through(begun)

    def through(self, begun: httpx.Response) -> httpx.Response:
        """From the redirect to the provider to where it leads back to."""
        page = self.client.get(begun.headers["location"])
        back = self.client.post(
            f"{self.house.settings.identity.issuer}/authorize",
            data=hidden(page.text) | {"account": subject_of(self.username)},
        )
        landed = self.client.get(back.headers["location"])
        assert landed.status_code == 303, landed.text
        return self.client.get(f"{self.house.url}{landed.headers['location']}")

    def asks(self, app: Registered, scope: str, **changes: str | None) -> httpx.Response:
        """An app sends this person's browser to the authorization endpoint (None: without that parameter)."""
        whole = {
            "response_type": "code",
            "client_id": app.id,
            "redirect_uri": BACK,
            "scope": scope,
            "state": "st-1",
            "aud": self.house.fhir(self.slug),
            "code_challenge": challenge(),
            "code_challenge_method": "S256",
        } | changes
        query = {name: value for name, value in whole.items() if value is not None}
        return self.client.get(f"{self.house.url}/h/{self.slug}/smart/authorize", params=query)

    def sends(self, page: httpx.Response, path: str, **fields: str) -> httpx.Response:
        """Submit a form of the page, with its hidden fields."""
        return self.client.post(f"{self.house.url}/h/{self.slug}{path}", data=hidden(page.text) | fields)

    def allows(self, page: httpx.Response) -> str:
        """Press the button; the code that the app gets."""
        answer = self.sends(page, "/smart/consent", decision="allow")
        assert answer.status_code == 303, answer.text
        return answered(answer)["code"]

    def chooses(self, page: httpx.Response, patient: str) -> httpx.Response:
        """Choose a patient on the page that asks for one."""
        return self.sends(page, "/smart/patient", patient=patient)

    def opens(self, app: Registered, patient: str) -> dict[str, str]:
        """Open an app from a chart; what the app gets in its address."""
        page = self.client.get(f"{self.house.url}/h/{self.slug}/patients/{patient}/apps")
        assert page.status_code == 200, page.text
        answer = self.sends(page, f"/patients/{patient}/apps/{app.id}")
        assert answer.status_code == 303, answer.text
        return answered(answer)


BACK = "https://growth.example/back?x=1"
LAUNCH = "https://growth.example/launch"


def redeem(house: House, app: Registered, code: str, **changes: Any) -> httpx.Response:
    """The app asks for a token, as an app without a secret does."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        "client_id": app.id,
    } | changes
    fields = {name: value for name, value in form.items() if value is not None}
    options: dict[str, Any] = {"auth": (app.id, app.secret)} if app.secret else {}
    return httpx.post(token_url(house, app.slug), data=fields, trust_env=False, timeout=30, **options)


def renew(house: House, app: Registered, refresh_token: str, **more: str) -> httpx.Response:
    """The app asks for another token."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": app.id} | more
    return httpx.post(token_url(house, app.slug), data=form, trust_env=False, timeout=30)


def answered(redirect: httpx.Response) -> dict[str, str]:
    """The parameters that a redirect carries to the app."""
    return {name: values[0] for name, values in parse_qs(urlsplit(redirect.headers["location"]).query).items()}


def hidden(page: str) -> dict[str, str]:
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}

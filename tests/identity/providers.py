"""The two providers that the platform is tried with, as the tests use them, and a browser to go through their pages."""

import html
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import httpx

from emr_demo.provider.app import Provider
from emr_demo.provider.config import ProviderConfig
from emr_demo.provider.mint import mint_token
from emr_demo.provider.people import hospital, organization_id, subject_of
from emr_demo.provider.run import running
from emr_demo.provider.secrets_folder import web_secret
from tests.servers.keycloak import KeycloakServer, keycloak_server
from tests.servers.ports import free_port

HOSPITALS = {"hoa-sen": "Bệnh viện Hoa Sen", "cau-vong": "Trung tâm Y tế Cầu Vồng"}
DOCTOR, NURSE, STRANGER = "doctor@hoa-sen", "nurse@cau-vong", "ops@city"
WITH_CODE = "pharmacist@hoa-sen"
"""Somebody who can prove a second factor: at Keycloak by a code of the telephone, at the demo's provider by the click."""


class Browser(httpx.Client):
    """Keeps cookies and follows nothing by itself. Keycloak marks cookies Secure on plain http too; browsers send those
    to loopback, httpx does not, so the mark is taken off."""

    opened: ClassVar[list["Browser"]] = []

    def __init__(self) -> None:
        super().__init__(transport=_Loopback(), follow_redirects=False, timeout=30, trust_env=False)
        self.opened.append(self)


class _Loopback(httpx.HTTPTransport):
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        answer.headers = httpx.Headers(
            [(name, re.sub(rb";\s*Secure", b"", value)) for name, value in answer.headers.raw]
        )
        return answer


class ProviderUnderTest(Protocol):
    """What the tests ask of either provider."""

    issuer: str
    secret: str
    organizations: dict[str, str]

    def subject(self, username: str) -> str: ...
    def answer(self, browser: Browser, url: str, username: str) -> str: ...
    def machine_token(self, slug: str) -> str: ...
    def machine_subject(self, slug: str) -> str: ...
    def disable(self, username: str) -> None: ...
    def enable(self, username: str) -> None: ...
    def end_all(self, username: str) -> None: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...


@dataclass(slots=True)
class DemoProvider:
    """The demo's provider, started and stopped in a thread."""

    config: ProviderConfig
    issuer: str = ""
    secret: str = ""
    organizations: dict[str, str] = field(default_factory=dict)
    provider: Provider | None = None
    _running: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.issuer = self.config.issuer
        self.secret = web_secret(self.config.folder)
        self.organizations = {slug: organization_id(slug) for slug in HOSPITALS}

    def start(self) -> None:
        self.provider = self._running.enter_context(running(self.config))

    def stop(self) -> None:
        self._running.close()

    def subject(self, username: str) -> str:
        return subject_of(username)

    def answer(self, browser: Browser, url: str, username: str) -> str:
        """Choose the account on the page; answers the address that leads back to the platform."""
        page = browser.get(url)
        assert page.status_code == 200, page.text
        hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        fields = {name: html.unescape(value) for name, value in hidden}
        answer = browser.post(f"{self.issuer}/authorize", data=fields | {"account": self.subject(username)})
        return answer.headers["location"] if answer.status_code == 302 else ""

    def machine_token(self, slug: str) -> str:
        return mint_token(self.config.folder, tenant=slug, role="lis")

    def machine_subject(self, slug: str) -> str:
        return subject_of(f"lis@{slug}")

    def disable(self, username: str) -> None:
        assert self.provider is not None
        self.provider.state.disable(self.subject(username))

    def enable(self, username: str) -> None:
        assert self.provider is not None
        self.provider.state.enable(self.subject(username))

    def end_all(self, username: str) -> None:
        assert self.provider is not None
        self.provider.state.end_all(self.subject(username))


@dataclass(slots=True)
class KeycloakProvider:
    """A real Keycloak with the shipped realm, filled by its API."""

    server: KeycloakServer
    issuer: str = ""
    secret: str = ""
    organizations: dict[str, str] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)
    machines: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.issuer, self.secret = self.server.issuer, self.server.secret
        admin = self.server.administrator()
        for slug, name in HOSPITALS.items():
            body = {"name": name, "alias": slug, "enabled": True, "domains": [{"name": f"{slug}.example"}]}
            self.organizations[slug] = str(admin.create_organization(body))
            self.machines[slug] = self.server.add_machine(f"lis-{slug}", self.organizations[slug])
        for username in (DOCTOR, NURSE, STRANGER, WITH_CODE):
            slug = username.partition("@")[2]
            code = username == WITH_CODE
            self.subjects[username] = self.server.add_person(username, self.organizations.get(slug, ""), code=code)

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()

    def subject(self, username: str) -> str:
        return self.subjects[username]

    def answer(self, browser: Browser, url: str, username: str) -> str:
        """Go through the login pages: the name, then the password; "" if they do not lead back."""
        page = browser.get(url)
        for _ in range(6):
            if page.status_code in (302, 303):
                location = page.headers["location"]
                if location.startswith(self.server.platform_url):
                    return location
                page = browser.get(location)
                continue
            form = re.search(r'<form[^>]*?action="([^"]+)"', page.text, re.DOTALL)
            if form is None or 'aria-invalid="true"' in page.text:
                return ""
            asked = set(re.findall(r'<input[^>]*name="(username|password|otp)"', page.text))
            values = {"username": username, "password": self.server.password}
            if "otp" in asked:
                values["otp"] = self.server.one_time_code(username)
            page = browser.post(html.unescape(form[1]), data={name: values[name] for name in asked})
        return ""

    def machine_token(self, slug: str) -> str:
        return self.server.machine_token(f"lis-{slug}", f"organization:{slug}")

    def machine_subject(self, slug: str) -> str:
        return self.machines[slug]

    def disable(self, username: str) -> None:
        self._update(username, enabled=False)

    def enable(self, username: str) -> None:
        self._update(username, enabled=True)

    def end_all(self, username: str) -> None:
        self.server.administrator().user_logout(self.subject(username))

    def _update(self, username: str, *, enabled: bool) -> None:
        admin = self.server.administrator()
        user = admin.get_user(self.subject(username))
        admin.update_user(self.subject(username), user | {"enabled": enabled})


@contextmanager
def demo_provider(folder: Path, platform_url: str) -> Iterator[DemoProvider]:
    config = ProviderConfig(
        profile="test",
        issuer=f"http://127.0.0.1:{free_port()}",
        platform_url=platform_url,
        folder=folder / "data",
        hospitals=tuple(hospital(slug, name) for slug, name in HOSPITALS.items()),
    )
    provider = DemoProvider(config)
    provider.start()
    try:
        yield provider
    finally:
        provider.stop()


@contextmanager
def keycloak_provider(folder: Path, platform_url: str) -> Iterator[KeycloakProvider]:
    with keycloak_server(folder, platform_url=platform_url) as server:
        yield KeycloakProvider(server)

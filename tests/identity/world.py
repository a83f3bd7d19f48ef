"""A platform with sign-in, two hospitals, and one of the two providers: the demo's own, or a real Keycloak."""

import base64
import html
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

import httpx
import psycopg
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse

from emr.fleet.migration import migrate
from emr.identity.memberships import Membership
from emr.identity.service import Identity
from emr.kernel.ids import uuid7
from emr.kernel.tenant import Tenant
from emr.settings import Settings
from emr.web import errors
from emr.web.sign_in import choices, principal_of, router
from emr.work.runtime import Runtime, runtime
from emr_demo.postgres import Cluster
from emr_demo.provider.app import Provider
from emr_demo.provider.config import ProviderConfig
from emr_demo.provider.mint import mint_token
from emr_demo.provider.people import hospital, organization_id, subject_of
from emr_demo.provider.run import running
from emr_demo.provider.secrets_folder import web_secret
from tests.servers.keycloak import KeycloakServer, free_port, keycloak_server

HOSPITALS = {"hoa-sen": "Bệnh viện Hoa Sen", "cau-vong": "Trung tâm Y tế Cầu Vồng"}
DOCTOR, NURSE, STRANGER = "doctor@hoa-sen", "nurse@cau-vong", "ops@city"


class Clock:
    """The real time, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


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
        for username in (DOCTOR, NURSE, STRANGER):
            slug = username.partition("@")[2]
            self.subjects[username] = self.server.add_person(username, self.organizations.get(slug, ""))

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
            asked = set(re.findall(r'<input[^>]*name="(username|password)"', page.text))
            values = {"username": username, "password": self.server.password}
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


@dataclass(slots=True)
class World:
    """The platform, its parts and the provider. `portal` calls coroutines in the platform's own loop."""

    provider: Any
    base_url: str
    settings: Settings
    superuser_url: str
    clock: Clock
    portal: BlockingPortal
    runtime: Runtime
    identity: Identity
    app: FastAPI

    def tenant(self, slug: str) -> Tenant:
        return self.runtime.registry.by_slug(slug)

    def grant(self, username: str, slug: str, role: str) -> None:
        subject = self.provider.subject(username)
        member = Membership(self.tenant(slug).id, subject, role, f"Thử {username}")
        self.portal.call(lambda: self.identity.memberships.grant(member, granted_by="test"))

    def revoke(self, username: str, slug: str) -> None:
        subject, tenant = self.provider.subject(username), self.tenant(slug).id
        self.portal.call(lambda: self.identity.memberships.revoke(tenant, subject, revoked_by="test"))

    def sql(self, statement: Any, *args: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            cursor = connection.execute(statement, args)
            return cursor.fetchall() if cursor.description else []

    def begin(self, browser: Browser, to: str = "/h/hoa-sen/") -> str:
        """Press "sign in"; answers where the browser is sent."""
        answer = browser.get(f"{self.base_url}/auth/sign-in", params={"to": to})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def sign_in(self, username: str = DOCTOR, *, browser: Browser | None = None) -> Browser:
        """A browser in which someone is signed in."""
        browser = browser or Browser()
        back = self.provider.answer(browser, self.begin(browser), username)
        assert back, "the provider's pages do not lead back"
        answer = browser.get(back)
        assert answer.status_code == 303, answer.text
        return browser

    def who(self, browser: httpx.Client, slug: str = "hoa-sen", **headers: str) -> httpx.Response:
        return browser.get(f"{self.base_url}/h/{slug}/whoami", headers=headers)

    def bearer(self, token: str, slug: str = "hoa-sen") -> httpx.Response:
        return httpx.get(
            f"{self.base_url}/h/{slug}/whoami", headers={"Authorization": f"Bearer {token}".encode()}, trust_env=False
        )

    def age_tokens(self) -> None:
        """Make every session's access token look as if it had expired."""
        self.sql("UPDATE directory.sessions SET token_expires_at = now() - interval '1 second'")

    def eventually(self, fact: Callable[[], bool]) -> bool:
        """Whether something comes true within five seconds."""
        limit = time.monotonic() + 5
        while not fact():
            if time.monotonic() > limit:
                return False
            time.sleep(0.05)
        return True


def app(parts: Runtime, identity: Identity) -> FastAPI:
    """The routes under test, and one that says who is asking."""
    built = FastAPI(openapi_url=None)
    built.state.identity, built.state.runtime = identity, parts
    built.include_router(router)

    @built.get("/h/{slug}/whoami")
    async def whoami(request: Request, slug: str) -> dict[str, Any]:
        principal = await principal_of(request, parts.registry.by_slug(slug))
        return {
            "subject": principal.subject, "name": principal.name, "role": principal.role, "kind": principal.kind,
            "tenant": principal.tenant_id, "session": principal.session_id, "form": identity.form_token(principal),
        }  # fmt: skip

    @built.post("/h/{slug}/change")
    async def change(request: Request, slug: str) -> None:
        await principal_of(request, parts.registry.by_slug(slug))

    @built.get("/choices")
    async def listed(request: Request) -> dict[str, Any]:
        found = await choices(request)
        return {"person": found.person, "hospitals": [[each.slug, each.role] for each in found.hospitals]}

    @built.get("/")
    async def home() -> RedirectResponse:
        return RedirectResponse("/choices")

    errors.install(built)
    return built


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


@contextmanager
def world(kind: str, cluster: Cluster, folder: Path) -> Iterator[World]:
    """Everything, running."""
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    make = {"demo": demo_provider, "keycloak": keycloak_provider}[kind]
    with make(folder, base_url) as provider, start_blocking_portal() as portal:
        settings = _settings(cluster, f"identity_{kind}", base_url, folder, provider)
        superuser_url = cluster.url(database=f"identity_{kind}")
        assert not any(step.error for step in migrate(settings.database))
        _add_hospitals(superuser_url, provider.organizations)
        clock = Clock()
        parts = portal.call(runtime, settings)
        identity = portal.call(Identity, settings, parts.databases.directory, clock)
        portal.call(parts.open)
        application = app(parts, identity)
        server = uvicorn.Server(
            uvicorn.Config(application, host="127.0.0.1", port=port, log_level="warning", lifespan="off", ws="none")
        )
        served = portal.start_task_soon(server.serve)
        try:
            while not server.started:
                assert not served.done()
            yield World(provider, base_url, settings, superuser_url, clock, portal, parts, identity, application)
        finally:
            server.should_exit = True
            served.result(timeout=10)
            portal.call(identity.close)
            portal.call(parts.close)


def _settings(cluster: Cluster, database: str, base_url: str, folder: Path, provider: Any) -> Settings:
    cluster.create_login("emr_app", options="NOINHERIT")
    cluster.create_login("emr_owner", options="CREATEROLE")
    cluster.create_database(database, owner="emr_owner")
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return Settings.model_validate(
        {
            "profile": "test",
            "database": {
                "url": cluster.url(role="emr_app", database=database),
                "owner_url": cluster.url(role="emr_owner", database=database),
                "pool_size": 4,
            },
            "storage": {"folder": folder / "objects"},
            "identity": {"issuer": provider.issuer, "client_secret": provider.secret},
            "http": {"base_url": base_url},
            "keys": {"master": f"k1:{key}", "signing": key, "sealing": key},
        }
    )


def _add_hospitals(superuser_url: str, organizations: dict[str, str]) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for slug, name in HOSPITALS.items():
            definition = {
                "name": name, "facility_code": "79999", "tier": "shared", "province": "79", "locale": "vi-VN",
                "time_zone": "Asia/Ho_Chi_Minh", "features": [], "quotas": {}, "identity": {"organization": slug},
                "retention": {"default_years": 10},
            }  # fmt: skip
            connection.execute(
                """INSERT INTO directory.tenants (id, slug, schema, cell, state, definition, managed_by,
                     organization_id, index_key) VALUES (%s, %s, %s, 'default', 'live', %s, 'file', %s, %s)""",
                (
                    uuid7(), slug, f"t_{secrets.token_hex(6)}", psycopg.types.json.Jsonb(definition),
                    organizations[slug], secrets.token_bytes(16),
                ),
            )  # fmt: skip


def host(url: str) -> str:
    """host:port of an address."""
    return urlsplit(url).netloc

"""A platform with sign-in, two hospitals, and one of the two providers: the demo's own, or a real Keycloak."""

import base64
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

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
from tests.curtain import behind
from tests.identity.providers import DOCTOR, HOSPITALS, Browser, demo_provider, keycloak_provider
from tests.servers.ports import free_port


class Clock:
    """The real time, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


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

    def grant(self, username: str, slug: str, role: str, **more: Any) -> None:
        subject = self.provider.subject(username)
        member = Membership(self.tenant(slug).id, subject, role, f"Thử {username}", **more)
        self.portal.call(lambda: self.identity.memberships.grant(member, granted_by="test"))

    def revoke(self, username: str, slug: str) -> None:
        subject, tenant = self.provider.subject(username), self.tenant(slug).id
        self.portal.call(lambda: self.identity.memberships.revoke(tenant, subject, revoked_by="test"))

    def sql(self, statement: Any, *args: object) -> list[tuple[Any, ...]]:
        return behind(self.superuser_url, statement, args)

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

    def call(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A coroutine in the platform's own loop."""
        return self.portal.call(lambda: verb(*args, **kwargs))

    def who(self, browser: httpx.Client, slug: str = "hoa-sen", **headers: str) -> httpx.Response:
        return browser.get(f"{self.base_url}/h/{slug}/whoami", headers=headers)

    def choices_of(self, browser: httpx.Client) -> dict[str, str]:
        """The hospitals on the page to choose one, each with the role that the person has there."""
        return dict(browser.get(f"{self.base_url}/choices").json()["hospitals"])

    def bearer(self, token: str, slug: str = "hoa-sen") -> httpx.Response:
        return httpx.get(
            f"{self.base_url}/h/{slug}/whoami", headers={"Authorization": f"Bearer {token}".encode()}, trust_env=False
        )

    def age_tokens(self) -> None:
        """Make every session's access token look as if it had expired."""
        self.sql("UPDATE directory.sessions SET token_expires_at = now() - interval '1 second'")

    def eventually(self, fact: Callable[[], bool]) -> bool:
        """Whether something comes true within half a minute."""
        limit = time.monotonic() + 30
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
            "duties": sorted(principal.duties), "wards": sorted(principal.wards),
            "clearances": sorted(principal.clearances), "practitioner": principal.practitioner,
            "strong": principal.strong,
            "authenticated_at": principal.authenticated_at and principal.authenticated_at.timestamp(),
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
            uvicorn.Config(application, host="127.0.0.1", port=port, log_config=None, lifespan="off", ws="none")
        )
        served = portal.start_task_soon(server.serve)
        try:
            while not server.started:
                assert not served.done()
                time.sleep(0.02)
            yield World(provider, base_url, settings, superuser_url, clock, portal, parts, identity, application)
        finally:
            server.should_exit = True
            served.result(timeout=30)
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


def lasting(value: object) -> str:
    """The name of a parameter that holds a moment: the same in each process that collects it."""
    return re.sub(r"\d{9,}", "moment", str(value))

"""The platform with a real Keycloak that it administers: the hospitals' organizations, their people, signing in."""

import base64
import html
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pydantic import SecretStr

from emr.fleet import migration
from emr.fleet.applying import apply
from emr.fleet.organizations import organizations_of
from emr.settings import Database, Http, Identity, Keys, Settings, Storage, Warehouse
from emr_demo.onboarding import make_logins
from emr_demo.postgres import Cluster
from tests.house import HOA_SEN, ROOT, House, served, standing_tenants
from tests.identity.providers import Browser
from tests.servers.keycloak import KeycloakServer, keycloak_server
from tests.servers.ports import free_port

CSRF = re.compile(r'name="_csrf" value="([^"]+)"')


@dataclass
class Administration:
    """A hospital's pages as its administrator has them: `browser` is signed in."""

    house: House
    server: KeycloakServer
    browser: Browser
    people: dict[Browser, str] = field(default_factory=dict)
    """Who sits at which browser."""

    def url(self, path: str, slug: str = HOA_SEN) -> str:
        return f"{self.house.url}/h/{slug}/admin{path}"

    def get(self, path: str) -> httpx.Response:
        return self.browser.get(self.url(path), headers={"Accept": "text/html"})

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form with the token of the overview."""
        found = CSRF.search(self.get("/members/new").text)
        assert found is not None
        return self.browser.post(self.url(path), data=fields | {"_csrf": found[1]}, headers={"Accept": "text/html"})

    def subject(self, email: str) -> str:
        return str(self.server.administrator().get_users({"email": email, "exact": "true"})[0]["id"])

    def member(self, subject: str, slug: str = HOA_SEN) -> tuple[str, bool] | None:
        rows = self.house.sql(
            "SELECT role, active FROM directory.memberships WHERE subject = %s AND tenant_id = %s",
            subject, self.house.tenants[slug].id,
        )  # fmt: skip
        return (rows[0][0], rows[0][1]) if rows else None

    def grant(self, subject: str, role: str, slug: str = HOA_SEN) -> None:
        self.house.sql(
            """INSERT INTO directory.memberships (tenant_id, subject, role, name, granted_by)
               VALUES (%s, %s, %s, 'Thử', 'test') ON CONFLICT DO NOTHING""",
            self.house.tenants[slug].id, subject, role,
        )  # fmt: skip

    def allow_loopback(self) -> None:
        """Let the hospital's file name this machine as a place to ask over plain HTTP."""
        receivers = json.dumps({"receivers": [{"cidr": "127.0.0.0/8", "http": True}]})
        self.house.sql(
            "UPDATE directory.tenants SET definition = jsonb_set(definition, '{subscriptions}', %s::jsonb) WHERE slug = %s",
            receivers,
            HOA_SEN,
        )

    def person(self, slug: str, role: str) -> tuple[str, str]:
        """An account of somebody else's making in a hospital's organization: e-mail address and subject."""
        name = f"{role}-{secrets.token_hex(4)}"
        organization = self.house.tenants[slug].organization_id or ""
        subject = self.server.add_person(name, organization, code=role == "admin")
        self.grant(subject, role, slug)
        return f"{name}@example.invalid", subject

    def sign_in(self, username: str, password: str, new_password: str = "") -> Browser:
        """Through Keycloak's pages into the hospital; `new_password` where it asks for one."""
        browser = Browser()
        self.people[browser] = username
        return self._asked(browser, "sign-in", username, password, new_password)

    def step_up(self, browser: Browser) -> None:
        """The second factor, without which an administrator may do nothing."""
        self._asked(browser, "step-up", "", "", "")

    def _asked(self, browser: Browser, for_what: str, username: str, password: str, new_password: str) -> Browser:
        page = browser.get(f"{self.house.url}/auth/{for_what}", params={"to": f"/h/{HOA_SEN}/"})
        for _ in range(10):
            if page.status_code in (302, 303):
                location = page.headers["location"]
                page = browser.get(httpx.URL(str(page.url)).join(location))
                if location.startswith(f"/h/{HOA_SEN}/"):
                    break
                continue
            form = re.search(r'<form[^>]*?action="([^"]+)"', page.text, re.DOTALL)
            if form is None or page.status_code != 200:
                break
            asked = set(
                re.findall(r'<input[^>]*name="(username|password-new|password-confirm|password|otp)"', page.text)
            )
            values = {
                "username": username, "password": password,
                "password-new": new_password, "password-confirm": new_password,
            }  # fmt: skip
            if "otp" in asked:
                values["otp"] = self.server.one_time_code(self.people[browser])
            page = browser.post(html.unescape(form[1]), data={name: values[name] for name in asked})
        return browser

    def entered(self, browser: Browser) -> int:
        """What the hospital's first page answers."""
        return browser.get(f"{self.house.url}/h/{HOA_SEN}/", headers={"Accept": "text/html"}).status_code


@contextmanager
def administered_house(cluster: Cluster, folder: Path) -> Iterator[Administration]:
    """Both hospitals of `tenants/` onboarded through a real Keycloak, and an administrator of one of them signed in."""
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    with keycloak_server(folder, platform_url=base_url, host="localhost") as server:
        settings = _settings(cluster, folder, base_url, server)
        assert not [step.error for step in migration.migrate(settings.database) if step.error]
        made = apply(settings, organizations_of(settings))
        assert not [outcome.error for outcome in made if outcome.error]
        with served(House(settings, cluster, folder, standing_tenants(settings))) as house:
            world = Administration(house, server, Browser())
            email, _ = world.person(HOA_SEN, "admin")
            world.browser = world.sign_in(email.partition("@")[0], server.password)
            world.step_up(world.browser)
            yield world


def _settings(cluster: Cluster, folder: Path, base_url: str, server: KeycloakServer) -> Settings:
    logins = make_logins(cluster)
    key = base64.b64encode(secrets.token_bytes(32)).decode
    return Settings(
        profile="test",
        tenants=ROOT / "tenants",
        database=Database(url=logins.service, owner_url=logins.owner, pool_size=4),
        storage=Storage(folder=folder / "objects", endpoint=""),
        warehouse=Warehouse(url=str(folder / "warehouse")),
        http=Http(base_url=base_url),
        keys=Keys(master=f"test:{key()}", signing=key(), sealing=key()),
        identity=Identity(
            issuer=server.issuer,
            client_secret=server.secret,
            admin_url=server.url,
            admin_client_secret=SecretStr(server.secret),
        ),
    )

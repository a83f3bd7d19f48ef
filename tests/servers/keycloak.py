"""A real Keycloak on loopback, with the realm that the chart ships and people whom the tests add by its API."""

import hashlib
import hmac
import json
import os
import secrets
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from keycloak import KeycloakAdmin

from tests.servers.ports import free_port
from tests.servers.tools import find, keycloak_home, missing

REALM = "emr"
REALM_FILE = Path(__file__).parents[2] / "helm" / "emr" / "files" / "emr-realm.json"
# C1 and the serial collector halve the CPU seconds of a start.
_JAVA = (
    "-XX:MetaspaceSize=96M -XX:MaxMetaspaceSize=256m -Dfile.encoding=UTF-8 -Djava.security.egd=file:/dev/urandom "
    "-XX:+ExitOnOutOfMemoryError -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xms64m -Xmx384m"
)
_START_SECONDS = 420


@dataclass(slots=True)
class KeycloakServer:
    """A server that can be stopped and started again on the same ports and data. `password` is everyone's.

    host: `localhost` where browsers are to use security keys, which know no numbers (Web Authentication, 5.4.2).
    """

    home: Path
    platform_url: str
    port: int
    management_port: int
    host: str = "127.0.0.1"
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    code_secret: str = field(default_factory=lambda: secrets.token_hex(10))
    last_codes: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/{REALM}"

    def start(self) -> None:
        """Start and wait until the realm answers."""
        log = self.home / "keycloak.log"
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [self.home / "bin" / "kc.sh", "start", "--optimized", "--import-realm"],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Keycloak did not start: {log.read_text('utf-8', 'replace')[-3000:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop, if it runs."""
        process, self.process = self.process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def administrator(self) -> KeycloakAdmin:
        """The server's own administrator, who may make clients."""
        return KeycloakAdmin(
            server_url=self.url, username="root", password=self.secret, realm_name=REALM, user_realm_name="master"
        )

    def add_person(self, username: str, organization_id: str, *, code: bool = False) -> str:
        """A user with a password, a member of an organization, with `code` able to give codes; answers the subject."""
        admin = self.administrator()
        credentials: list[dict[str, Any]] = [{"type": "password", "value": self.password, "temporary": False}]
        if code:
            credentials.append(self.telephone())
        subject = admin.create_user(
            {
                "username": username,
                "enabled": True,
                "email": f"{username.replace('@', '.')}@example.invalid",
                "emailVerified": True,
                "firstName": "Thử",
                "lastName": username.split("@", maxsplit=1)[0].title(),
                "credentials": credentials,
            }
        )
        if organization_id:
            admin.organization_user_add(subject, organization_id)
        return str(subject)

    def telephone(self) -> dict[str, Any]:
        """The credential of a telephone that gives codes."""
        kind = {"subType": "totp", "digits": 6, "period": 30, "algorithm": "HmacSHA1", "counter": 0}
        return {
            "type": "otp",
            "secretData": json.dumps({"value": self.code_secret}),
            "credentialData": json.dumps(kind),
        }

    def one_time_code(self, username: str) -> str:
        """A code of a telephone (RFC 6238) that its owner has not used: Keycloak takes the next one already, too."""
        while True:
            now = int(time.time()) // 30
            step = max(now, self.last_codes.get(username, 0) + 1)
            if step <= now + 1:
                break
            time.sleep(1)
        self.last_codes[username] = step
        digest = hmac.digest(self.code_secret.encode(), struct.pack(">Q", step), hashlib.sha1)
        at = digest[-1] & 15
        return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**6:06}"

    def add_machine(self, client_id: str, organization_id: str, *, audience: bool = True) -> str:
        """A machine client with a service account that is a member of an organization; answers the subject."""
        admin = self.administrator()
        mapper = {
            "name": "aud-emr-api",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-audience-mapper",
            "config": {"included.client.audience": "emr-api", "access.token.claim": "true"},
        }
        client: dict[str, Any] = {
            "clientId": client_id,
            "enabled": True,
            "publicClient": False,
            "secret": self.secret,
            "standardFlowEnabled": False,
            "serviceAccountsEnabled": True,
            "fullScopeAllowed": False,
            "defaultClientScopes": ["basic"],
            "optionalClientScopes": ["organization"],
            "protocolMappers": [mapper] if audience else [],
        }
        subject = str(admin.get_client_service_account_user(admin.create_client(client))["id"])
        if organization_id:
            admin.organization_user_add(subject, organization_id)
        return subject

    def machine_token(self, client_id: str, scope: str) -> str:
        """A bearer token by client credentials."""
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": self.secret}
        answer = httpx.post(f"{self.issuer}/protocol/openid-connect/token", data=form | {"scope": scope})
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}
        names = ("EMR_WEB_SECRET", "EMR_API_SECRET", "EMR_ADMIN_SECRET", "KC_BOOTSTRAP_ADMIN_PASSWORD")
        return (
            _java()
            | kept
            | dict.fromkeys(names, self.secret)
            | {
                "EMR_BASE_URL": self.platform_url,
                "KC_BOOTSTRAP_ADMIN_USERNAME": "root",
                "KC_HTTP_ENABLED": "true",
                "KC_HTTP_HOST": "127.0.0.1",
                "KC_HTTP_PORT": str(self.port),
                "KC_HTTP_MANAGEMENT_HOST": "127.0.0.1",
                "KC_HTTP_MANAGEMENT_PORT": str(self.management_port),
                "KC_HEALTH_ENABLED": "true",
                "KC_HOSTNAME": self.url,
                "KC_CACHE": "local",
                "JAVA_OPTS": _JAVA,
            }
        )

    def _ready(self) -> bool:
        try:
            ready = httpx.get(f"http://127.0.0.1:{self.management_port}/health/ready", timeout=2).status_code == 200
            return ready and httpx.get(f"{self.issuer}/.well-known/openid-configuration", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def keycloak_server(folder: Path, *, platform_url: str, host: str = "127.0.0.1") -> Iterator[KeycloakServer]:
    """A running server with the shipped realm; skips, or fails in CI, when Java or Keycloak is missing."""
    home = folder / "keycloak"
    _link_tree(keycloak_home(), home)
    if find("java") is None and not _java():
        missing("Java is not installed: run ops/tools/debian")
    imported = home / "data" / "import"
    imported.mkdir(parents=True)
    shutil.copyfile(REALM_FILE, imported / "emr-realm.json")
    server = KeycloakServer(home, platform_url, port=free_port(), management_port=free_port(), host=host)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _link_tree(source: Path, target: Path) -> None:
    """A copy that shares its files with the cache where the file system allows it, but never its data folder."""
    ignore = shutil.ignore_patterns("data")
    try:
        shutil.copytree(source, target, copy_function=os.link, ignore=ignore)
    except (OSError, shutil.Error):
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=ignore)


def _java() -> dict[str, str]:
    """The newest Java of the machine, which starts the quickest; empty when `java` on the PATH has to do."""
    homes = sorted(Path("/usr/lib/jvm").glob("temurin-25*"))
    return {"JAVA_HOME": str(homes[-1])} if homes else {}

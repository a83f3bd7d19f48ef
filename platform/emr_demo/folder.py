"""The demo's data folder: what it keeps from one start to the next, and the settings that follow from it.

Everything secret in it is generated at the first start and readable by its owner only. One demo uses a folder at a
time; the lock goes with the process that holds it.
"""

import base64
import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from emr_demo.provider.secrets_folder import web_secret, write_private

_KEY_BYTES = 32
_ROOT = 0


class FolderInUse(Exception):
    """Another demo runs on this data folder."""


@dataclass(frozen=True)
class Databases:
    """The addresses of the two logins, new at each start because the port is."""

    service: str
    owner: str


class DemoFolder:
    """A data folder that exists."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.path.mkdir(parents=True, exist_ok=True)
        # PostgreSQL's own account must be able to pass through to its data when the demo is started by root.
        self.path.chmod(0o711 if os.geteuid() == _ROOT else 0o700)
        for name in ("logs", "secrets"):
            (self.path / name).mkdir(exist_ok=True, mode=0o700)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other demos off the folder. Raises FolderInUse."""
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as taken:
                raise FolderInUse(
                    f"another demo runs on {self.path}; stop it, or choose a folder with --data"
                ) from taken
            yield

    def log(self, name: str) -> Path:
        """The log file of a child."""
        return self.path / "logs" / f"{name}.log"

    def port(self, name: str, preferred: int = 0) -> int:
        """A free port that stays the same from start to start where nothing else has taken it meanwhile."""
        known = self._read("ports.json")
        for candidate in (known.get(name, 0), preferred, 0):
            if free := free_port(candidate):
                write_private(self.path / "ports.json", json.dumps(known | {name: free}))
                return free
        raise OSError(f"no free port for {name}")

    def born(self, today: date) -> date:
        """The day on which the sample data are made up: the day of the first start, for ever after."""
        known = self._read("sample-data.json")
        if "today" not in known:
            self.remember(today=today.isoformat())
            return today
        return date.fromisoformat(known["today"])

    def loaded(self) -> list[str]:
        """Slugs of the hospitals whose sample data are complete."""
        found: list[str] = self._read("sample-data.json").get("loaded", [])
        return found

    def remember(self, **facts: Any) -> None:
        """Keep facts about the sample data."""
        write_private(self.path / "sample-data.json", json.dumps(self._read("sample-data.json") | facts))

    def environment(self, databases: Databases, *, issuer: str, base_url: str, tenants: Path) -> Mapping[str, str]:
        """The settings of every process of the demo; secrets are named by file."""
        return {
            "EMR_PROFILE": "demo",
            "EMR_TENANTS": str(tenants),
            "EMR_DATABASE__URL_FILE": self._secret("database-url", databases.service),
            "EMR_DATABASE__OWNER_URL_FILE": self._secret("database-owner-url", databases.owner),
            "EMR_STORAGE__FOLDER": self._made("objects"),
            "EMR_IDENTITY__ISSUER": issuer,
            "EMR_IDENTITY__CLIENT_SECRET_FILE": self._secret("identity-client", web_secret(self.path)),
            "EMR_WAREHOUSE__URL": self._made("warehouse"),
            "EMR_HTTP__BASE_URL": base_url,
            "EMR_DICOM__PORT": str(self.port("dicom", 11112)),
            "EMR_DICOM__SPOOL": self._made("spool"),
            "EMR_KEYS__MASTER_FILE": self._key("master-key", prefix="demo:"),
            "EMR_KEYS__SIGNING_FILE": self._key("signing-key"),
            "EMR_KEYS__SEALING_FILE": self._key("sealing-key"),
        }

    def _made(self, name: str) -> str:
        (self.path / name).mkdir(exist_ok=True, mode=0o700)
        return str(self.path / name)

    def _key(self, name: str, *, prefix: str = "") -> str:
        path = self.path / "secrets" / name
        if not path.exists():
            write_private(path, prefix + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii"))
        return str(path)

    def _secret(self, name: str, value: str) -> str:
        path = self.path / "secrets" / name
        write_private(path, value)
        return str(path)

    def _read(self, name: str) -> dict[str, Any]:
        path = self.path / name
        found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return found


def free_port(port: int) -> int | None:
    """The port if it can be taken on 127.0.0.1; a free one for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return None
        found: int = probe.getsockname()[1]
        return found

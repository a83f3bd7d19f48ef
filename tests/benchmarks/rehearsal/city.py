"""What the rehearsal is done to: an archived cell, an empty second one, another platform, and servers that are asked for."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from emr.settings import Settings
from emr_demo.onboarding import make_logins
from emr_demo.postgres import Cluster, temporary
from tests.benchmarks.builds import THIS, command_of
from tests.benchmarks.service import environment as service_environment
from tests.benchmarks.service import wait_until_ready
from tests.fleet.rewind.world import World, archived_world
from tests.fleet.rewind.world import environment as backup_environment
from tests.fleet.world import environment
from tests.house import _key
from tests.servers.keycloak import KeycloakServer, keycloak_server
from tests.servers.minio import minio_server
from tests.servers.ports import free_port

NORTH = "north"
_LONGEST = 3600
_PATTERN = """\
slug: {slug}
name: Bệnh viện Diễn tập {number}
facility_code: "{code}"
province: "79"
features: [outpatient, inpatient, imaging, documents]
dicom: {{ae_title: DT{number:04}}}
identity: {{organization: {slug}, domains: [{slug}.example]{administrator}}}
"""
_ADMINISTRATOR = ", administrator: {{name: Quản trị {number}, email: admin@{slug}.example}}"


@dataclass(frozen=True)
class Wanted:
    """How many hospitals; by which servers beside PostgreSQL; how many have every door tried."""

    number: int
    keycloak: bool = False
    minio: bool = False
    doors: int = 3


@dataclass
class City:
    """Where everything is. `build`: whose commands are run; `more`: what the environment says besides the settings."""

    world: World
    wanted: Wanted
    folder: Path
    more: dict[str, str]
    second: dict[str, str]
    build: Path = THIS
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """Of the process that looks, not of the commands."""
        return self.world.house.settings

    @property
    def postgres(self) -> int:
        """The process of the first cell's server."""
        process = self.world.house.cluster._process
        assert process is not None
        return process.pid

    @property
    def slugs(self) -> list[str]:
        """The hospitals of the rehearsal."""
        return [f"h-{number:04}" for number in range(self.wanted.number)]

    def emr(self, *arguments: str | Path, at: str = "", second: bool = False) -> Any:
        """Run a command, which must succeed; gives what it says as JSON. `at`: keep its seconds under this name."""
        began = time.monotonic()
        done = subprocess.run(
            command_of(*arguments), env=self.environment(second=second), cwd=self.build, capture_output=True,
            text=True, check=False, timeout=_LONGEST,
        )  # fmt: skip
        words = " ".join(map(str, arguments))
        assert done.returncode == 0, f"emr {words}: {done.stderr[-3000:]} {done.stdout[-1000:]}"
        if at:
            self.figures[f"{at}_s"] = round(time.monotonic() - began, 1)
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    def environment(self, *, second: bool = False) -> dict[str, str]:
        """What a command finds."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EMR_")}
        own = self.second if second else service_environment(self.world.house) | environment(self.settings) | self.more
        return kept | own | {"PYTHONPATH": str(self.build)}

    @contextmanager
    def served(self) -> Iterator["subprocess.Popen[bytes]"]:
        """The web service of the build, two processes."""
        port = self.settings.http.base_url.rsplit(":", 1)[1]
        log = self.folder / "serve.log"
        command = command_of("serve", "--workers", "2", "--port", port, "--management-port", str(free_port()))
        with log.open("ab") as file:
            process = subprocess.Popen(
                command, env=self.environment(), cwd=self.build, stdout=subprocess.DEVNULL, stderr=file
            )
        try:
            wait_until_ready(self.settings.http.base_url, process, log)
            yield process
        finally:
            process.terminate()
            process.wait(60)

    def write_files(self) -> None:
        """A file for each hospital of the rehearsal, beside those of the two that stand."""
        for number, slug in enumerate(self.slugs):
            administrator = _ADMINISTRATOR.format(number=number, slug=slug) if self.wanted.keycloak else ""
            text = _PATTERN.format(slug=slug, number=number, code=10_000 + number, administrator=administrator)
            (self.settings.tenants / f"{slug}.yaml").write_text(text, "utf-8")


@contextmanager
def city(wanted: Wanted) -> Iterator[City]:
    """Everything up, and everything down again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emr-rehearsal-")))
        folder.chmod(0o755)
        world = stack.enter_context(archived_world())
        _as_shipped(world)
        north, other = stack.enter_context(temporary()), stack.enter_context(temporary())
        tenants = folder / "tenants"
        tenants.mkdir()
        for path in world.house.settings.tenants.glob("*.yaml"):
            (tenants / path.name).write_bytes(path.read_bytes())
        world.house.settings = world.house.settings.model_copy(update={"tenants": tenants})
        more = _cells(north) | dict(backup_environment(world.house.settings.backup))
        if wanted.minio:
            (folder / "minio").mkdir()
            store = stack.enter_context(minio_server(folder / "minio"))
            more |= {
                "EMR_STORAGE__ENDPOINT": store.host, "EMR_STORAGE__SECURE": "false",
                "EMR_STORAGE__ACCESS_KEY": store.user, "EMR_STORAGE__SECRET_KEY": store.password,
            }  # fmt: skip
        if wanted.keycloak:
            (folder / "provider").mkdir()
            url = world.house.settings.http.base_url
            more |= _provider(stack.enter_context(keycloak_server(folder / "provider", platform_url=url)))
        yield City(world, wanted, folder, more, _second(other, folder / "second"))


def _as_shipped(world: World) -> None:
    """What `ops/backup` sets for many small files, and time for a cell of a thousand hospitals."""
    backup = world.house.settings.backup
    assert backup.config is not None
    config = backup.config.read_text("utf-8")
    backup.config.write_text(config.replace("[global]\n", "[global]\nrepo1-bundle=y\nprocess-max=2\n", 1), "utf-8")
    longer = backup.model_copy(update={"minutes": 60, "archive_seconds": 120, "memory_mib": 128})
    world.house.settings = world.house.settings.model_copy(update={"backup": longer})


def _cells(north: Cluster) -> dict[str, str]:
    logins = make_logins(north)
    return {
        "EMR_DATABASE__CELLS": json.dumps({NORTH: logins.service}),
        "EMR_DATABASE__CELL_OWNERS": json.dumps({NORTH: logins.owner}),
        "EMR_DATABASE__CELL_HOSPITALS": "5000",
        "EMR_DATABASE__POOL_SLICES": "2",
        "EMR_BORDER__PER_SECOND": "5000",
    }


def _second(cluster: Cluster, folder: Path) -> dict[str, str]:
    """Another platform: its own server, objects and keys, and no hospital."""
    logins = make_logins(cluster)
    folder.mkdir()
    return {
        "EMR_PROFILE": "test",
        "EMR_DATABASE__URL": logins.service,
        "EMR_DATABASE__OWNER_URL": logins.owner,
        "EMR_STORAGE__FOLDER": str(folder / "objects"),
        "EMR_KEYS__MASTER": f"second:{_key()}",
        "EMR_KEYS__SIGNING": _key(),
        "EMR_KEYS__SEALING": _key(),
    }


def _provider(server: KeycloakServer) -> Mapping[str, str]:
    secret = SecretStr(server.secret).get_secret_value()
    return {"EMR_IDENTITY__ADMIN_URL": server.url, "EMR_IDENTITY__ADMIN_CLIENT_SECRET": secret}

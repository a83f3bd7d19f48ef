"""One node of a pretended cluster: the image's processes, started with the very arguments, variables and secret files that the
chart gives them, against a real PostgreSQL and a real MinIO on loopback."""

import base64
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from minio import Minio

from emr_demo.postgres import Cluster, Tuning
from tests.helm.chart import ROOT, containers, environment, pods
from tests.servers.image import Container, Given
from tests.servers.minio import MinioServer

MANAGEMENT_HOST = "127.0.0.2"
"""On loopback, but not the default: a process that ignores the setting is not found there."""
_START_SECONDS = 60


@dataclass(frozen=True)
class Node:
    """Where the image's processes run, and what they are given."""

    container: Container
    secrets: Path
    values: dict[str, Any]

    def given(self, pod: str, name: str, extra: dict[str, str] | None = None) -> Given:
        """What the chart gives to the container `name` of a pod, with every address moved to loopback."""
        (found,) = [c for c in containers(dict(pods(self.values))[pod]) if c["name"] == name]
        moved = {variable: value.replace("0.0.0.0", "127.0.0.1") for variable, value in environment(found).items()}
        moved |= {"EMR_TELEMETRY__MANAGEMENT_HOST": MANAGEMENT_HOST}
        folders = {"/etc/emr/secrets": self.secrets, "/etc/emr/hospitals": ROOT / "tenants"}
        return Given(moved | (extra or {}), folders)

    def arguments(self, pod: str, name: str, ports: dict[str, int]) -> list[str]:
        """The chart's arguments of a container, with its ports exchanged for free ones."""
        (found,) = [c for c in containers(dict(pods(self.values))[pod]) if c["name"] == name]
        swap = {"0.0.0.0": "127.0.0.1"} | {number: str(port) for number, port in ports.items()}
        return ["emr", *(swap.get(argument, argument) for argument in found["args"])]

    @contextmanager
    def running(self, name: str, ports: dict[str, int], extra: dict[str, str] | None = None) -> Iterator["Running"]:
        """One of the long-running processes; told to stop at the end if it still runs."""
        command = self.container.command(
            *self.arguments(f"emr-{name}", name, ports), given=self.given(f"emr-{name}", name, extra)
        )
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        running = Running(process)
        try:
            yield running
        finally:
            running.end()


@dataclass(frozen=True)
class Running:
    """A process of the image."""

    process: subprocess.Popen[str]

    def wait_for(self, address: str) -> tuple[int, str]:
        """The first answer of an address; fails with the process's output if it ends or takes too long."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urlopen(address, timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except HTTPError as refused:
                return refused.code, refused.read().decode()
            except (URLError, OSError):
                time.sleep(0.1)
        raise AssertionError(f"no answer from {address}:\n{self.end()}")

    def user(self, command: str) -> int:
        """The user id of the process whose command line holds `command`, among this one's descendants."""
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if os.getsid(int(entry.name)) == self.process.pid and line.startswith(command):
                    return entry.stat().st_uid
            except (OSError, ProcessLookupError):
                continue
        raise AssertionError(f"no process {command} of this container")

    def end(self) -> str:
        """Tell it to stop and return what it said."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            return self.process.communicate(timeout=40)[0]
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.communicate()[0]


@contextmanager
def database(folder: Path) -> Iterator[Cluster]:
    """A PostgreSQL with the two logins that an installation makes, and an empty database."""
    with Cluster(folder, tuning=Tuning(durable=False)) as cluster:
        cluster.create_login("emr_owner", options="CREATEROLE")
        cluster.create_login("emr_app", options="NOINHERIT")
        cluster.create_database("emr", owner="emr_owner")
        yield cluster
    cluster.remove()


def write_secrets(folder: Path, cluster: Cluster, store: MinioServer) -> None:
    """The files that the chart's secrets become in a pod, readable by the image's user."""
    Minio(store.host, store.user, store.password, secure=False).make_bucket("emr")
    files = {
        "database/url": cluster.url(role="emr_app", database="emr"),
        "owner/url": cluster.url(role="emr_owner", database="emr"),
        "storage/accessKey": store.user,
        "storage/secretKey": store.password,
        "identity/clientSecret": secrets.token_urlsafe(24),
        "keys/master": f"k1:{_random_key()}",
        "keys/signing": _random_key(),
        "keys/sealing": _random_key(),
        "keys/anchor": _random_key(),
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content + "\n", "utf-8")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()

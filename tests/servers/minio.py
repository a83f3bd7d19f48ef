"""A real MinIO server on loopback with a folder of its own."""

import os
import secrets
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from emr.storage.s3 import S3Address
from tests.servers.ports import free_port
from tests.servers.tools import tool


@dataclass(slots=True)
class MinioServer:
    """A server that can be stopped and started again on the same port and folder."""

    binary: Path
    folder: Path
    port: int
    user: str
    password: str
    certificates: Path | None = None
    """Folder with `public.crt` and `private.key`: it then speaks TLS."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    def address(self, bucket: str, *, deadline: float = 20.0) -> S3Address:
        """How the storage room reaches a bucket here."""
        return S3Address(self.host, bucket, self.user, self.password, secure=False, deadline=deadline)

    def start(self) -> None:
        """Start and wait until it is ready."""
        keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        secret = {"MINIO_ROOT_USER": self.user, "MINIO_ROOT_PASSWORD": self.password}
        quiet = {"MINIO_BROWSER": "off", "MINIO_UPDATE": "off", "GOMAXPROCS": "2"}
        secured = ["--certs-dir", self.certificates] if self.certificates else []
        with (self.folder / "minio.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "server", self.folder / "data", "--address", self.host, "--quiet", *secured],
                env=keep | secret | quiet,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"MinIO did not start: {(self.folder / 'minio.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def _ready(self) -> bool:
        """Health says so early; the service itself refuses strangers only when it can answer anybody."""
        try:
            with urlopen(self._url(), timeout=1, context=self._trust()) as answer:
                return bool(answer.status == 200)
        except HTTPError as refused:
            return refused.code == 403
        except (URLError, OSError):
            return False

    def _url(self) -> str:
        return f"{'https' if self.certificates else 'http'}://{self.host}/"

    def _trust(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self.certificates / "public.crt") if self.certificates else None

    def stop(self) -> None:
        """Stop, if it runs."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


@contextmanager
def minio_server(folder: Path, *, certificates: Path | None = None) -> Iterator[MinioServer]:
    """A running server whose data lies in `folder`; skips, or fails in CI, when the binary is missing."""
    server = MinioServer(tool("minio"), folder, free_port(), "emr-test", secrets.token_urlsafe(24), certificates)
    server.start()
    try:
        yield server
    finally:
        server.stop()

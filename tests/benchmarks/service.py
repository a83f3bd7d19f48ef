"""The service as in production but for the provider: `emr serve --workers 2`, PostgreSQL with fsync on, all checks on."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from emr_demo.postgres import Cluster, Tuning
from tests.house import ROOT, House, house
from tests.servers.ports import free_port


@dataclass
class Service:
    """The house, the web service's process and the seconds that it took to be ready."""

    house: House
    process: "subprocess.Popen[bytes]"
    ready_seconds: float

    @property
    def roots(self) -> list[int]:
        """The processes whose trees are the server and its database."""
        assert self.house.cluster._process is not None
        return [self.process.pid, self.house.cluster._process.pid]


@contextmanager
def service(*, workers: int = 2, hospitals: int = 2) -> Iterator[Service]:
    """Everything up, with so many hospitals (at least two), and everything down again."""
    with tempfile.TemporaryDirectory(prefix="emr-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        cluster = Cluster(folder / "postgres", tuning=Tuning(shared_buffers_mib=512, log_kept_mib=1024))
        cluster.start()
        try:
            with house(cluster, folder, tenants=_tenants(folder, hospitals)) as standing:
                begun = time.monotonic()
                process = subprocess.Popen(
                    [
                        Path(sys.executable).with_name("emr"),
                        "serve",
                        "--workers",
                        str(workers),
                        "--port",
                        standing.url.rsplit(":", 1)[1],
                        "--management-port",
                        str(free_port()),
                    ],
                    env=os.environ | environment(standing),
                    stdout=subprocess.DEVNULL,
                    stderr=(folder / "serve.log").open("wb"),
                )
                try:
                    wait_until_ready(standing.url, process, folder / "serve.log")
                    yield Service(standing, process, time.monotonic() - begun)
                finally:
                    process.terminate()
                    process.wait(40)
        finally:
            cluster.remove()


def _tenants(folder: Path, hospitals: int) -> Path:
    """The files of the two hospitals, and of as many more as are asked for."""
    target = folder / "tenants"
    shutil.copytree(ROOT / "tenants", target)
    pattern = (target / "hoa-sen.yaml").read_text("utf-8")
    for number in range(hospitals - 2):
        slug = f"bench-{number:03}"
        text = re.sub(r"(?ms)^dicom:.*?^(?=identity:)", "", pattern.replace("hoa-sen", slug))
        text = re.sub(r"(?m)^facility_code:.*$", f'facility_code: "{10_000 + number}"', text)
        (target / f"{slug}.yaml").write_text(text, "utf-8")
    return target


def environment(standing: House) -> dict[str, str]:
    """The settings of the house as a process of its own reads them."""
    settings = standing.settings
    keys = settings.keys
    return {
        "EMR_PROFILE": "test",
        "EMR_TENANTS": str(settings.tenants),
        "EMR_DATABASE__URL": settings.database.url,
        "EMR_DATABASE__OWNER_URL": settings.database.owner_url,
        "EMR_DATABASE__POOL_SIZE": "8",
        "EMR_DATABASE__POOL_SLICES": "1",
        "EMR_STORAGE__FOLDER": str(settings.storage.folder),
        "EMR_IDENTITY__ISSUER": settings.identity.issuer,
        "EMR_IDENTITY__CLIENT_SECRET": settings.identity.client_secret.get_secret_value(),
        "EMR_BORDER__NIGHTLY": "false",
        "EMR_WAREHOUSE__URL": settings.warehouse.url,
        "EMR_HTTP__BASE_URL": settings.http.base_url,
        "EMR_DICOM__PORT": str(settings.dicom.port),
        "EMR_DICOM__SPOOL": str(settings.dicom.spool),
        "EMR_KEYS__MASTER": keys.master.get_secret_value(),
        "EMR_KEYS__SIGNING": keys.signing.get_secret_value(),
        "EMR_KEYS__SEALING": keys.sealing.get_secret_value(),
    }


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Ask until it answers; raises `RuntimeError` with the end of its log."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(log.read_text("utf-8")[-2000:])
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise RuntimeError(f"the service did not become ready: {log.read_text('utf-8')[-2000:]}")

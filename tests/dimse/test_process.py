"""The process `emr dicom`, from its start to its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.benchmarks.service import environment
from tests.house import ROOT, House
from tests.imaging.records import fresh
from tests.imaging.samples import encoded, slice_of, write
from tests.patience import comes_true
from tests.servers.dcmtk import Device
from tests.servers.ports import free_port
from tests.servers.tools import tool

pytestmark = pytest.mark.server

COMMAND = [sys.executable, "-c", "from emr.cli import app; app()", "dicom"]
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def process(standing, tmp_path_factory):
    """A listener in a process of its own: the process, its port and its management port."""
    management, log = free_port(), tmp_path_factory.mktemp("dicom") / "log"
    given = {**os.environ, **environment(standing), "PYTHONPATH": str(ROOT / "platform")}
    with log.open("wb") as out:
        running = subprocess.Popen([*COMMAND, "--management-port", str(management)], env=given, stdout=out, stderr=out)
        _until_ready(running, management, log)
        yield running, standing.settings.dicom.port, management
        running.kill()
        running.wait(30)


def _until_ready(running: subprocess.Popen[bytes], management: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert running.poll() is None, log.read_text()
        try:
            if httpx.get(f"http://127.0.0.1:{management}/readyz", trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    pytest.fail(log.read_text())


def _peak(running: subprocess.Popen[bytes]) -> int:
    """The most memory that it ever had, in bytes."""
    status = Path(f"/proc/{running.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024


def _kept(standing: House) -> tuple[int, int, int]:
    counts = standing.counts()
    return counts["dicom_instances"], counts["blobs"], len(standing.objects())


class TestServing:
    def test_is_alive_ready_and_measured(self, process):
        _, port, management = process
        assert Device(port).echo().returncode == 0
        for path in ("healthz", "readyz", "metrics"):
            answer = httpx.get(f"http://127.0.0.1:{management}/{path}", trust_env=False)
            assert answer.status_code == 200
        assert 'operation="c-echo",status="success"' in answer.text

    def test_memory_stays_flat_while_a_large_instance_comes(self, process, tmp_path):
        running, port, _ = process
        Device(port).store([write(tmp_path, encoded(slice_of(study=fresh())))])
        before = _peak(running)
        made = slice_of(study=fresh(), Rows=1024, Columns=1024, NumberOfFrames=60, PixelData=bytes(120 * MIB))
        assert Device(port).store([write(tmp_path, encoded(made), "large.dcm")]).returncode == 0
        assert _peak(running) - before < 40 * MIB


class TestStopping:
    def test_a_termination_signal_ends_it_cleanly_while_instances_come(self, standing, process, tmp_path):
        running, port, _ = process
        study, before = fresh(), _kept(standing)
        files = [write(tmp_path, encoded(slice_of(number, study=study)), f"{number}.dcm") for number in range(1, 200)]
        device = subprocess.Popen(
            [str(tool("storescu")), "-aet", "XRAY1", "-aec", "HOASEN", "127.0.0.1", str(port), *map(str, files)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert comes_true(lambda: _kept(standing)[0] > before[0])
        running.send_signal(signal.SIGTERM)
        assert running.wait(40) == 0
        device.wait(60)
        assert Device(port).echo().returncode != 0
        # Whatever was acknowledged has its object, its row and nothing else.
        assert len({now - then for now, then in zip(_kept(standing), before, strict=True)}) == 1
        assert not list(standing.settings.dicom.spool.glob("*.dcm"))

"""`emr demo` as a person starts it: one line, everything up, everything down again."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from emr_demo.postgres import Cluster
from tests.servers.ports import free_port

pytestmark = pytest.mark.server

EMR = Path(sys.executable).with_name("emr")
ROOT = Path(__file__).parents[2]
PATIENCE = 240


@contextmanager
def demo(data: Path, port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [EMR, "demo", "--port", str(port), "--data", data, *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EMR_")}
    with (data.parent / "told.log").open("w") as told:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=told, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(90)
        if process.stdout:
            process.stdout.close()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), True)
    return process.stdout.readline()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ports_of(data: Path) -> list[int]:
    return [int(port) for port in re.findall(r"\d+", (data / "ports.json").read_text())]


class TestRefuse:
    def test_under_the_production_profile_it_does_not_start(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [EMR, "demo", "--data", tmp_path / "demo"],
            env={**os.environ, "EMR_PROFILE": "production"}, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "production" in done.stderr
        assert not (tmp_path / "demo").exists()

    def test_a_port_that_is_taken_is_said_at_once(self, tmp_path: Path) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            command = [EMR, "demo", "--data", tmp_path / "demo", "--port", str(other.getsockname()[1])]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "--port" in done.stderr


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("demo") / "data"
    yield folder
    Cluster(folder / "postgres").remove()


class TestRun:
    @pytest.mark.timeout(PATIENCE)
    def test_first_it_fills_the_hospitals_and_says_one_line(self, data: Path) -> None:
        port = free_port()
        with demo(data, port) as process:
            assert first_line(process) == f"EMR ready: http://127.0.0.1:{port}\n"
            assert httpx.get(f"http://127.0.0.1:{port}/readyz").is_success
            token = ["token", "--tenant", "hoa-sen", "--role", "doctor", "--data", data]
            made = subprocess.run([EMR, *token], capture_output=True, text=True, check=True)
            bearer = {"Authorization": f"Bearer {made.stdout.strip()}"}
            base = f"http://127.0.0.1:{port}/h/hoa-sen/fhir"
            counted = httpx.get(f"{base}/Patient?_summary=count", headers=bearer)
            assert counted.json()["total"] >= 60
            elsewhere = httpx.get(f"http://127.0.0.1:{port}/h/cau-vong/fhir/Patient", headers=bearer)
            assert elsewhere.status_code == 403

    @pytest.mark.timeout(PATIENCE)
    def test_then_it_keeps_the_data_and_stops_on_ctrl_c(self, data: Path) -> None:
        port = free_port()
        with demo(data, port) as process:
            begun = time.monotonic()
            assert first_line(process).startswith("EMR ready: ")
            assert listens(port)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
            assert process.stdout is not None
            assert process.stdout.read() == ""
            assert time.monotonic() - begun < PATIENCE
        assert not any(listens(one) for one in (port, *ports_of(data)))

    @pytest.mark.timeout(PATIENCE)
    def test_a_child_that_dies_ends_it_with_the_name_of_its_log(self, data: Path) -> None:
        with demo(data, free_port()) as process:
            first_line(process)
            pids = [int(pid) for pid in re.findall(r"\d+", (data / "children.json").read_text())]
            os.kill(pids[0], signal.SIGKILL)
            assert process.wait(60) == 1
        assert "logs/serve.log" in (data.parent / "told.log").read_text().replace("\n", "")

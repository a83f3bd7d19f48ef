"""`emr serve` as a process: it says why it is not ready, refuses to start unsafely, and finishes what it began."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.benchmarks.machine import children
from tests.benchmarks.service import environment
from tests.house import House
from tests.patience import comes_true
from tests.servers.ports import free_port

EMR = Path(sys.executable).with_name("emr")


def start(standing: House, *options: str, **more: str) -> "tuple[subprocess.Popen[bytes], str]":
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    own = {"EMR_HTTP__BASE_URL": url} | more
    process = subprocess.Popen(
        [EMR, "serve", "--port", str(port), "--management-port", str(free_port()), *options],
        env=os.environ | environment(standing) | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    return process, url


@pytest.fixture
def serving(standing: House) -> "Iterator[tuple[subprocess.Popen[bytes], str]]":
    process, url = start(standing)
    await_ready(process, url)
    yield process, url
    end(process)


def await_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).is_success:
                break
        except httpx.TransportError:
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    if process.stderr:
        process.stderr.close()


def refuses(host: str, port: int) -> bool:
    """Whether nobody listens there any more."""
    try:
        socket.create_connection((host, port), timeout=20).close()
    except ConnectionRefusedError:
        return True
    return False


class TestStop:
    def test_a_request_under_way_is_finished_and_no_new_one_taken(
        self, standing: House, serving: "tuple[subprocess.Popen[bytes], str]"
    ) -> None:
        process, url = serving
        body = json.dumps({"resourceType": "Patient", "name": [{"family": "Cuối"}]}).encode()
        head = (
            "POST /h/hoa-sen/fhir/Patient HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Authorization: Bearer {standing.token()}\r\nContent-Type: application/fhir+json\r\n"
            f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as line:
            answers = line.makefile("rb")
            line.sendall(head)
            # Said when the application asks for the body (RFC 9110, 10.1.1): now the request is under way.
            assert [answers.readline(), answers.readline()] == [b"HTTP/1.1 100 Continue\r\n", b"\r\n"]
            line.sendall(body[:10])
            process.send_signal(signal.SIGTERM)
            assert comes_true(lambda: refuses(host, int(port)))
            line.sendall(body[10:])
            answer = answers.readline()
        assert answer.startswith(b"HTTP/1.1 201")
        assert process.wait(30) in (0, -signal.SIGTERM)


class TestWorkers:
    @pytest.fixture
    def shared(self, standing: House) -> "Iterator[tuple[subprocess.Popen[bytes], str]]":
        process, url = start(standing, "--workers", "2")
        await_ready(process, url)
        yield process, url
        end(process)

    def test_one_that_dies_is_replaced_and_all_end_with_the_first(
        self, standing: House, shared: "tuple[subprocess.Popen[bytes], str]"
    ) -> None:
        process, url = shared
        assert comes_true(lambda: len(children(process.pid)) == 2)
        first, second = children(process.pid)
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while len(now := set(children(process.pid)) - {first}) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert second in now
        # Connections are new each time, so that both take some; copies of one process give no name twice.
        told = [httpx.get(f"{url}/readyz", trust_env=False, timeout=30).headers["x-request-id"] for _ in range(40)]
        assert len(set(told)) == len(told)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
        assert not any(Path(f"/proc/{each}").exists() for each in now)


class TestStart:
    def test_a_login_that_owns_something_is_refused(self, standing: House) -> None:
        process, _ = start(standing, EMR_DATABASE__URL=standing.settings.database.owner_url)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "refuses this database login" in said.decode()

    def test_a_weak_secret_is_refused_by_name(self, standing: House) -> None:
        process, _ = start(standing, EMR_KEYS__SIGNING="c2VjcmV0")
        _, said = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "EMR_KEYS__SIGNING" in said.decode()

    def test_production_refuses_plain_http(self, standing: House) -> None:
        process, _ = start(standing, EMR_PROFILE="production")
        _, said = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "EMR_HTTP__BASE_URL" in said.decode()

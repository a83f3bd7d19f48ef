"""B8: a hospital's record out as NDJSON and into another hospital, by a worker as in production."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

from tests.benchmarks.load import Result
from tests.benchmarks.machine import measured
from tests.benchmarks.service import Service, environment
from tests.house import CAU_VONG
from tests.servers.ports import free_port

_ASYNC = {"Prefer": "respond-async"}
_EVERY = 0.25
_RECORD = (
    "resources", "resource_versions", "tokens", "links", "strings", "dates", "quantities", "composites", "words",
    "identifiers", "compartments", "grants", "idempotency_keys",
)  # fmt: skip


@dataclass
class _Bench:
    """The service with a worker beside it."""

    standing: Service
    worker: "subprocess.Popen[bytes]"

    def job(self, client: httpx.Client, begin: Callable[[], httpx.Response]) -> tuple[str, Any, dict[str, Any]]:
        """Begin a job and wait for its end: its address, its manifest, and what it took."""
        with measured([*self.standing.roots, self.worker.pid]) as spent:
            address = begin().raise_for_status().headers["Content-Location"]
            while self.waits(address):
                assert self.worker.poll() is None, "the worker has ended"
                time.sleep(_EVERY)
        answer = client.get(address).raise_for_status()
        peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{self.worker.pid}/status").read_text("utf-8"))
        assert peak is not None
        figures = {"seconds": round(self.seconds(address), 2), "cpu_seconds": round(spent.cpu, 2)}
        return (
            address,
            answer.json(),
            figures | {"worker_peak_mib": int(peak[1]) // 1024, "others_cores": round(spent.others, 2)},
        )

    def waits(self, address: str) -> bool:
        """Whether the job is under way; asked of the database, so that the service is left alone."""
        slug, name = address.split("/h/")[1].split("/", maxsplit=1)[0], address.rpartition("/")[2]
        schema = self.standing.house.tenants[slug].schema
        state = self.standing.house.sql(f"SELECT state FROM {schema}.bulk_jobs WHERE id = %s", name)[0][0]
        return state in ("waiting", "running")

    def seconds(self, address: str) -> float:
        """From the kick-off to the end of the job."""
        slug, name = address.split("/h/")[1].split("/", maxsplit=1)[0], address.rpartition("/")[2]
        schema = self.standing.house.tenants[slug].schema
        taken = f"SELECT extract(epoch FROM finished_at - created_at)::float8 FROM {schema}.bulk_jobs WHERE id = %s"
        return float(self.standing.house.sql(taken, name)[0][0])


def bulk(standing: Service) -> list[Result]:
    """Export what the ingest has stored, fetch the files, and import them into the neighbour's empty record."""
    with _worker(standing) as worker:
        bench = _Bench(standing, worker)
        exported, files = _export(bench)
        return [exported, _fetched(bench, files), _import(bench, files)]


def _export(bench: _Bench) -> tuple[Result, list[str]]:
    with bench.standing.house.client("warehouse") as client:
        _, manifest, figures = bench.job(client, lambda: client.get("/$export", headers=_ASYNC))
    lines = sum(each["count"] for each in manifest["output"])
    rates = {
        "per_second": round(lines / figures["seconds"]),
        "per_cpu_second": round(lines / figures["cpu_seconds"]),
    }
    figures = {"resources": lines} | rates | figures
    return Result("B8", "export of a hospital", figures), [each["url"] for each in manifest["output"]]


def _fetched(bench: _Bench, files: list[str]) -> Result:
    with bench.standing.house.client("warehouse") as client:
        begun = time.monotonic()
        size = sum(len(client.get(url).raise_for_status().content) for url in files) / (1 << 20)
    seconds = time.monotonic() - begun
    return Result("B8", "its files, fetched", {"mib": round(size, 1), "mib_per_second": round(size / seconds, 1)})


def _import(bench: _Bench, files: list[str]) -> Result:
    _empty(bench.standing)
    with tempfile.TemporaryFile() as content:
        with bench.standing.house.client("warehouse") as client:
            for url in files:
                with client.stream("GET", url) as answer:
                    for chunk in answer.raise_for_status().iter_bytes():
                        content.write(chunk)
        size = content.tell()
        content.seek(0)
        headers = _ASYNC | {"Content-Type": "application/fhir+ndjson", "Content-Length": str(size)}
        with bench.standing.house.client("his", CAU_VONG) as client:
            client.timeout = httpx.Timeout(300)
            _, said, figures = bench.job(
                client, lambda: client.post("/$import", content=_chunks(content), headers=headers)
            )
    kept = {"resources": said["stored"], "refused": said["refused"]}
    rates = {
        "per_second": round(said["stored"] / figures["seconds"]),
        "per_cpu_second": round(said["stored"] / figures["cpu_seconds"]),
    }
    return Result("B8", "import of them, validated", kept | rates | figures)


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    while chunk := content.read(1 << 20):
        yield chunk


def _empty(standing: Service) -> None:
    """Take away what the neighbour was given when the record was smaller."""
    schema = standing.house.tenants[CAU_VONG].schema
    standing.house.sql("TRUNCATE " + ", ".join(f"{schema}.{name}" for name in _RECORD))


@contextmanager
def _worker(standing: Service) -> Iterator["subprocess.Popen[bytes]"]:
    port = free_port()
    command = [str(Path(sys.executable).with_name("emr")), "worker", "--management-port", str(port)]
    process = subprocess.Popen(
        command,
        env=os.environ | environment(standing.house) | {"EMR_WAREHOUSE__URL": "", "EMR_BULK__POLL_SECONDS": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success:
                    break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(40)

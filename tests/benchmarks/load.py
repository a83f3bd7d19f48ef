"""The load: mixes of requests driven by wrk, three runs each, medians reported."""

import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.disk import flushing, settle
from tests.benchmarks.machine import measured
from tests.benchmarks.service import Service

Request = tuple[float, str, str, str]
"""Weight, method, path below the service, body ("-" for none)."""
_SCRIPT = Path(__file__).with_name("drive.lua")
_SECONDS = int(os.environ.get("BENCH_SECONDS", "8"))
_RUNS = 3


@dataclass
class Result:
    """Medians of the runs of one benchmark."""

    id: str
    what: str
    figures: dict[str, Any]

    def called(self, name: str, what: str) -> "Result":
        """The same figures under another name."""
        return Result(name, what, self.figures)


def drive(name: str, what: str, service: Service, mix: Sequence[Request], *, clients: int = 16) -> Result:
    """Run a mix. Raises when wrk is not installed."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("wrk is not installed (on Debian: apt-get install wrk)")
    settle()
    with tempfile.TemporaryDirectory(prefix="emr-mix-") as folder:
        asked, tokens = Path(folder, "mix"), Path(folder, "tokens")
        asked.write_text("".join(f"{weight} {method} {path} {body}\n" for weight, method, path, body in mix), "utf-8")
        slugs = {path.split("/")[2] for _, _, path, _ in mix}
        tokens.write_text("".join(f"{slug} {service.house.token(slug=slug)}\n" for slug in slugs), "utf-8")
        environment = os.environ | {"MIX": str(asked), "TOKENS": str(tokens)}
        command = [wrk, "-t", "2", "-c", str(clients), "-d", f"{_SECONDS}s", "-s", str(_SCRIPT), service.house.url]
        runs = [_run(command, environment, service) for _ in range(_RUNS)]
    return Result(name, what, {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]})


def _run(command: list[str], environment: dict[str, str], service: Service) -> dict[str, float]:
    with flushing() as flushes, measured(service.roots) as spent:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout.rsplit("RESULT ", 1)[1])
    return {
        "per_second": said["requests"] / said["seconds"],
        "per_cpu_second": said["requests"] / spent.cpu,
        "p50_ms": said["p50"],
        "p95_ms": said["p95"],
        "p99_ms": said["p99"],
        "refused": said["refused"],
        "broken": said["broken"],
        "others_cores": spent.others,
        "disk_p99_ms": flushes.p99,
        "disk_worst_ms": flushes.worst,
    }


def sample(items: Sequence[Any], most: int, seed: int = 1) -> list[Any]:
    """At most so many of them, the same each time."""
    return random.Random(seed).sample(list(items), min(most, len(items)))

"""The platform's other processes beside the web service, which log everything and trace every act."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.service import environment, wait_until_ready
from tests.house import ROOT, House
from tests.servers.otelcol import Collector
from tests.servers.ports import free_port


@contextmanager
def process(house: House, name: str, collector: Collector, log: Path) -> Iterator[None]:
    """`emr worker` or `emr dicom`, ready; whatever it prints is in `log`."""
    management = free_port()
    told = {
        "EMR_TELEMETRY__LOG_LEVEL": "debug",
        "EMR_TELEMETRY__OTLP_ENDPOINT": collector.endpoint,
        "EMR_TELEMETRY__SAMPLE_RATIO": "1",
        "PYTHONPATH": str(ROOT / "platform"),
    }
    command = [sys.executable, "-c", "from emr.cli import app; app()", name, "--management-port", str(management)]
    with log.open("wb") as out:
        running = subprocess.Popen(command, env=os.environ | environment(house) | told, stdout=out, stderr=out)
    try:
        wait_until_ready(f"http://127.0.0.1:{management}", running, log)
        yield
    finally:
        running.terminate()
        running.wait(40)

"""A real OpenTelemetry collector on loopback; what it received is read from its debug exporter."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.ports import free_port
from tests.servers.tools import tool

_CONFIG = """
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}
exporters:
  debug: {{verbosity: detailed, sampling_initial: 100000}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [debug]}}
"""


@dataclass(frozen=True, slots=True)
class Received:
    """One span as the collector printed it."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    status: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Collector:
    """A running collector: where it listens and what it has printed."""

    port: int
    log: Path

    @property
    def endpoint(self) -> str:
        """What goes into `EMR_TELEMETRY__OTLP_ENDPOINT`."""
        return f"http://127.0.0.1:{self.port}"

    def text(self) -> str:
        """Everything that the collector printed, resources and events included."""
        return self.log.read_text()

    def spans(self) -> list[Received]:
        """All spans so far."""
        blocks = re.split(r"^Span #\d+$", self.text(), flags=re.MULTILINE)[1:]
        return [_span(block) for block in blocks]

    def wait_for(self, name: str, *, seconds: float = 30) -> list[Received]:
        """All spans, once one is called `name`."""
        deadline = time.monotonic() + seconds
        while not any(span.name == name for span in self.spans()):
            if time.monotonic() > deadline:
                raise AssertionError(f"no span {name!r} among {sorted({span.name for span in self.spans()})}")
            time.sleep(0.05)
        return self.spans()


@contextmanager
def otelcol_server(folder: Path) -> Iterator[Collector]:
    """A collector with its files in `folder`; skips, or fails in CI, when the binary is missing."""
    binary = tool("otelcol")
    port = free_port()
    config = folder / "otelcol.yaml"
    config.write_text(_CONFIG.format(port=port))
    collector = Collector(port, folder / "otelcol.log")
    with collector.log.open("wb") as log:
        process = subprocess.Popen([binary, "--config", config], stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_ready(collector, process)
        yield collector
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(collector: Collector, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while "Everything is ready" not in collector.text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the collector did not start: {collector.text()[-2000:]}")
        time.sleep(0.05)


def _span(block: str) -> Received:
    def field(label: str) -> str:
        found = re.search(rf"^\s*{label}\s*:[ ]?(.*)$", block, re.MULTILINE)
        return found.group(1).strip() if found else ""

    attributes = re.findall(r"^\s+-> ([\w.]+): \w+\((.*)\)$", block, re.MULTILINE)
    return Received(
        name=field("Name"),
        kind=field("Kind"),
        trace_id=field("Trace ID"),
        span_id=field("ID"),
        parent_id=field("Parent ID"),
        status=field("Status code"),
        attributes=dict(attributes),
    )

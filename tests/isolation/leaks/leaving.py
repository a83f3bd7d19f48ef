"""Everything that leaves the service beside its answers, kept while something is done: log lines, spans, figures."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from emr.settings import Telemetry
from emr.telemetry.logs import configure_logs
from emr.telemetry.tracing import configure_tracing
from tests.servers.otelcol import Collector


@contextmanager
def observed(collector: Collector) -> Iterator[io.StringIO]:
    """Log everything into a text and send every span to the collector, also of what runs in other threads."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    kept, telemetry = io.StringIO(), Telemetry(otlp_endpoint=collector.endpoint, sample_ratio=1, log_level="debug")
    configure_logs(telemetry, "serve", kept)
    stop = configure_tracing(telemetry, "serve")
    try:
        yield kept
    finally:
        stop()
        configure_logs(Telemetry(), "test")
        logging.captureWarnings(False)
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)

"""Sending traces to a collector by OTLP over HTTP, from settings."""

import logging
import os
import threading
from collections.abc import Callable
from typing import Final

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from emr.settings import Telemetry
from emr.telemetry import spans

FLUSH_SECONDS: Final = 5
"""The longest that a stopping process waits for its last spans to leave."""
_EXPORT_SECONDS: Final = 4


def configure_tracing(settings: Telemetry, process: str) -> Callable[[], None]:
    """Record and send traces if a collector is named; the answer stops that and flushes, within `FLUSH_SECONDS`.

    `process` is `serve`, `worker` or `dicom`. A caller's sampled trace is continued; others are chosen by ratio in
    `spans.chosen`. The resource is put together by hand: what the SDK would detect by itself can hold command lines
    and user names.
    """
    if not settings.otlp_endpoint:
        spans.use_tracer(None)
        return _nothing
    exporter = OTLPSpanExporter(
        endpoint=settings.otlp_endpoint.rstrip("/") + "/v1/traces",
        timeout=_EXPORT_SECONDS,
        compression=Compression.Gzip,
    )
    resource = Resource({"service.name": f"emr-{process}", "service.instance.id": str(os.getpid())})
    provider = TracerProvider(
        sampler=ParentBased(ALWAYS_ON),
        resource=resource,
        shutdown_on_exit=False,
        span_limits=SpanLimits(max_span_attribute_length=200),
    )
    processor = BatchSpanProcessor(exporter, schedule_delay_millis=1_000, max_queue_size=4_096)
    provider.add_span_processor(processor)
    spans.use_tracer(provider.get_tracer("emr"), settings.sample_ratio)
    # A collector that is down is the operator's to see in its own monitoring; one line per failed batch helps nobody.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)

    def stop() -> None:
        # The processor would wait 30 s for a collector that does not answer; a thread can be left behind.
        spans.use_tracer(None)
        flushing = threading.Thread(target=processor.shutdown, name="emr-trace-flush", daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)

    return stop


def _nothing() -> None:
    """There is nothing to flush."""

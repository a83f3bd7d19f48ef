"""Spans that cost next to nothing when nobody records them.

The tracer is the process's own and never OpenTelemetry's global one. A span below an unrecorded parent is nothing at
all; attributes are on an allow-list; an exception leaves its type, never its message.
"""

import random
from contextlib import AbstractContextManager, nullcontext
from contextvars import Token
from types import TracebackType
from typing import Final, Self

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from emr.kernel.errors import Refusal, Unavailable

Attribute = str | int | float | bool

ATTRIBUTES: Final = {
    "statement": "db.query.summary",
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "hospital": "emr.hospital",
    "request_id": "emr.request_id",
    "use_case": "emr.use_case",
    "permission": "emr.permission",
    "resource_type": "emr.resource_type",
    "job": "emr.job",
    "batch": "emr.batch",
    "destination": "emr.destination",
    "table_version": "emr.table_version",
    "verb": "emr.verb",
    "outcome": "emr.outcome",
    "rows": "emr.rows",
    "bytes": "emr.bytes",
    "attempt": "emr.attempt",
}
"""What a span may say, by the name used in code. Anything else is left out."""

_NOTHING: Final = nullcontext(None)
_IDLE: Final = trace.NoOpTracer()


class _Process:
    """The tracer of this process; idle until tracing is configured."""

    tracer: Tracer = _IDLE
    ratio: float = 0.0


def use_tracer(tracer: Tracer | None, ratio: float = 0.0) -> None:
    """From now on record this share of traces with this tracer; None stops recording."""
    _Process.tracer, _Process.ratio = tracer or _IDLE, ratio


def chosen(*, continued: bool = False) -> bool:
    """Whether a trace begins here: by lot, and for a caller's own trace whenever tracing is on.

    Asked before the SDK is, whose sampler takes longer to say no than the rest of a request's telemetry.
    """
    if _Process.tracer is _IDLE:
        return False
    return continued or random.random() < _Process.ratio  # noqa: S311 - a share of requests, not a secret


def span(name: str, **attributes: Attribute) -> AbstractContextManager[object]:
    """A child of the current span if that one is recorded, else nothing at all. Attributes hold no patient data."""
    if _Process.tracer is _IDLE or not trace.get_current_span().is_recording():
        return _NOTHING
    return _Recorded(name, SpanKind.INTERNAL, attributes)


def root_span(name: str, **attributes: Attribute) -> AbstractContextManager[object]:
    """A trace of its own, for work that no request started, if the lot falls on it."""
    if not chosen():
        return _NOTHING
    return _Recorded(name, SpanKind.INTERNAL, attributes)


def describe(**attributes: Attribute) -> None:
    """Add to the current span what became known only now."""
    running = trace.get_current_span()
    if running.is_recording():
        running.set_attributes(_allowed(attributes))


def trace_id() -> str | None:
    """32 hex digits of the current trace, recorded or not; None outside of any."""
    if _Process.tracer is _IDLE:
        return None
    found = trace.get_current_span().get_span_context()
    return f"{found.trace_id:032x}" if found.is_valid else None


def start(name: str, kind: SpanKind, attributes: dict[str, Attribute], parent: otel.Context | None = None) -> Span:
    """A span that the caller ends. Attributes are named as in code."""
    return _Process.tracer.start_span(name, context=parent, kind=kind, attributes=_allowed(attributes))


def fail(running: Span, error: BaseException) -> None:
    """What a span says of an exception: its type; a refusal is an answer and not a failure."""
    running.set_attribute("error.type", type(error).__name__)
    if isinstance(error, Refusal):
        running.set_attribute("emr.refusal", error.code)
    if not isinstance(error, Refusal) or isinstance(error, Unavailable):
        running.set_status(Status(StatusCode.ERROR, type(error).__name__))


def _allowed(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    return {ATTRIBUTES[key]: value for key, value in attributes.items() if key in ATTRIBUTES}


class _Recorded:
    """The current span while its body runs."""

    __slots__ = ("_attributes", "_kind", "_name", "_span", "_token")

    def __init__(self, name: str, kind: SpanKind, attributes: dict[str, Attribute]) -> None:
        self._name, self._kind, self._attributes = name, kind, attributes
        self._span: Span = trace.INVALID_SPAN
        self._token: Token[otel.Context] | None = None

    def __enter__(self) -> Self:
        self._span = start(self._name, self._kind, self._attributes)
        self._token = otel.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        if error is not None:
            fail(self._span, error)
        if self._token is not None:
            otel.detach(self._token)
        self._span.end()

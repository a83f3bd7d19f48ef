"""The outermost layer of the web service: request id, span, metrics and one log line for each request."""

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from emr.telemetry import activity, metrics, spans
from emr.telemetry.logs import log_request
from emr.telemetry.traffic import TRAFFIC

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

UNMATCHED: Final = "(none)"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
_ID: Final = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class ObserveRequests:
    """Wraps the whole application, outside of its own error handling: `ObserveRequests(app)`.

    Each answer gets `X-Request-Id`: the caller's if it is 32 hex digits or a UUID, for other text could name a
    patient, else a new one. A W3C `traceparent` is continued.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given, parent = _headers(scope)
        exchange = _Exchange(send, given or activity.new_id())
        with activity.request(exchange.id):
            if spans.chosen(continued=parent is not None):
                await self._traced(scope, receive, exchange, parent)
            else:
                await self._answered(scope, receive, exchange)

    async def _answered(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> None:
        metrics.HTTP_RUNNING.inc()
        try:
            await self._app(scope, receive, exchange.send)
        except BaseException:
            exchange.status = exchange.status or 500
            raise
        finally:
            metrics.HTTP_RUNNING.dec()
            self._account(scope, exchange)

    async def _traced(
        self, scope: Scope, receive: Receive, exchange: "_Exchange", parent: dict[str, str] | None
    ) -> None:
        method = _method(scope)
        facts: dict[str, spans.Attribute] = {"method": method, "request_id": exchange.id}
        span = spans.start(method, SpanKind.SERVER, facts, _PROPAGATOR.extract(parent) if parent else otel.Context())
        token = otel.attach(trace.set_span_in_context(span))
        try:
            await self._answered(scope, receive, exchange)
        except BaseException as error:
            spans.fail(span, error)
            raise
        finally:
            if span.is_recording():
                _complete(span, method, route_of(scope), exchange.status)
            otel.detach(token)
            span.end()

    def _account(self, scope: Scope, exchange: "_Exchange") -> None:
        doing = activity.current()
        hospital = doing.hospital if doing else None
        seconds = time.perf_counter() - exchange.began
        method, route, status = _method(scope), route_of(scope), exchange.status or 499
        metrics.http_request(method, route, status, seconds)
        metrics.http_hospital(hospital, _CLASSES[min(max(status // 100, 1), 5) - 1], seconds)
        if hospital is not None:
            TRAFFIC.note(hospital, status, seconds)
        log_request(method, route, status, round(seconds * 1000, 1))


class _Exchange:
    """One request on its way through: when it began, what it is called, what was answered."""

    __slots__ = ("_send", "began", "id", "status")

    def __init__(self, send: Send, id_: str) -> None:
        self.began = time.perf_counter()
        self.id = id_
        self.status = 0
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.id.encode("ascii"))]
        await self._send(message)


def route_of(scope: Scope) -> str:
    """The template of the route that was chosen, such as `/h/{slug}/fhir/{type}/{id}`; never what was asked for."""
    chosen = scope.get("route")
    included = scope.get("fastapi")
    if included:
        # A router that was included knows the prefix; the route alone does not.
        context = included.get("effective_route_context")
        chosen = getattr(context, "starlette_route", None) or context or chosen
    found = getattr(chosen, "path_format", None)
    if isinstance(found, str) and found:
        return found
    return "(mounted)" if "endpoint" in scope else UNMATCHED


def _headers(scope: Scope) -> tuple[str | None, dict[str, str] | None]:
    given: str | None = None
    parent: dict[str, str] | None = None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            given = value.decode("ascii")
        elif name == b"traceparent" and len(value) <= 128:
            parent = {"traceparent": value.decode("latin-1")}
    return given, parent


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in _METHODS else "OTHER"


def _complete(span: trace.Span, method: str, route: str, status: int) -> None:
    span.update_name(f"{method} {route}")
    doing = activity.current()
    spans.describe(route=route, status=status or 499, hospital=doing.hospital if doing and doing.hospital else "none")
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))

"""What each hospital may ask at most: requests in a second, and requests at one time. More is told to come again.

Counted in each process for itself, which has its part of a hospital's quota; a hospital without a quota costs a look
into a dict. What is refused here is counted and told, and leaves no row in a trail: a flood must not write.
"""

import math
import time
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from emr.kernel.errors import TooManyRequests
from emr.kernel.tenant import Quotas
from emr.telemetry import metrics
from emr.telemetry.activity import note_hospital
from emr.web import errors

_PREFIX: Final = "/h/"
_BURST_SECONDS: Final = 2.0
"""What was not asked for is kept so long: a page comes with several requests at once."""
_SHORTEST: Final = 1


class OverQuota(TooManyRequests):
    """The hospital asks more than its file lets it; `retry_after` says when there is room again."""

    def __init__(self, what: str, retry_after: int) -> None:
        super().__init__(
            f"hospital-{what}",
            "This hospital asks more of the service at the moment than its quota allows; try again shortly.",
        )
        self.retry_after = retry_after


@dataclass(slots=True)
class Gate:
    """One hospital at one process. quotas: of the hospital; processes: that share them."""

    quotas: Quotas
    processes: int
    running: int = 0
    _tokens: float = 0.0
    _at: float = 0.0
    rate: float = field(init=False)
    most: int = field(init=False)

    def __post_init__(self) -> None:
        self.change(self.quotas)

    def change(self, quotas: Quotas) -> None:
        """Other quotas count from now on; who is inside stays."""
        self.quotas = quotas
        self.rate = quotas.requests_per_second / self.processes
        self.most = math.ceil(quotas.concurrent_requests / self.processes)
        self._tokens, self._at = max(1.0, self.rate * _BURST_SECONDS), time.monotonic()

    def enter(self, now: float) -> None:
        """One more request. Raises `OverQuota`; then it has not entered."""
        if self.most and self.running >= self.most:
            raise OverQuota("concurrent-requests", _SHORTEST)
        if self.rate:
            full = max(1.0, self.rate * _BURST_SECONDS)
            self._tokens, self._at = min(full, self._tokens + (now - self._at) * self.rate), now
            if self._tokens < 1.0:
                raise OverQuota("requests-per-second", max(_SHORTEST, math.ceil((1.0 - self._tokens) / self.rate)))
            self._tokens -= 1.0
        self.running += 1

    def leave(self) -> None:
        """A request is over, its answer sent or its line broken."""
        self.running -= 1


class Fairness:
    """ASGI: lets a hospital's requests through as far as its quotas go."""

    def __init__(self, inner: ASGIApp, app: Any) -> None:
        self._inner = inner
        self._app = app
        self._gates: dict[str, Gate] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        gate = self._gate(scope["path"]) if scope["type"] == "http" else None
        if gate is None:
            await self._inner(scope, receive, send)
            return
        try:
            gate.enter(time.monotonic())
        except OverQuota as refusal:
            await self._refuse(refusal, scope, receive, send)
            return
        try:
            await self._inner(scope, receive, send)
        finally:
            gate.leave()

    def _gate(self, path: str) -> Gate | None:
        """That of the hospital that a path names, or None where nothing limits it."""
        if not path.startswith(_PREFIX):
            return None
        slug = path[3:].partition("/")[0]
        quotas = self._app.state.runtime.registry.quotas_of(slug)
        if quotas is None or not (quotas.requests_per_second or quotas.concurrent_requests):
            return None
        gate = self._gates.get(slug)
        if gate is None:
            gate = self._gates[slug] = Gate(quotas, self._app.state.processes)
        elif gate.quotas is not quotas and gate.quotas != quotas:
            gate.change(quotas)
        return gate

    async def _refuse(self, refusal: OverQuota, scope: Scope, receive: Receive, send: Send) -> None:
        slug = scope["path"].split("/", 3)[2]
        note_hospital(slug)
        metrics.THROTTLED.labels(metrics.hospital_label(slug), refusal.code.removeprefix("hospital-")).inc()
        scope["app"] = self._app
        answer = errors.answer(Request(scope, receive), refusal, errors.status_of(refusal))
        await answer(scope, receive, send)

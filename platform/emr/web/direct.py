"""Plain routes, answered without the framework's layers.

A request that meets the application passes two exception layers, an exit stack for injected dependencies and one router
after another before its endpoint runs: a third of the time that a read takes. The routes of FHIR need none of that.
They stand in the application too, as everybody else's: what is not answered here takes the usual way.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from emr.kernel.errors import Refusal
from emr.web import errors

Endpoint = Callable[[Request], Awaitable[Response]]
_PLAIN: Final = "emr_plain"
_VARIES: Final = re.compile(r"([^{}]*)\{(\w+)\}")
"""`{id}`, or `${operation}` with what it begins with."""


def plain(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that wants nothing but its request and raises nothing but refusals."""
    setattr(endpoint, _PLAIN, True)
    return endpoint


@dataclass(frozen=True, slots=True)
class Address:
    """One route below a hospital: its segments (of one that varies: what it begins with), the names of those that vary
    (None: fixed), and who answers.

    `endpoint` is None where the application itself answers.
    """

    segments: tuple[str, ...]
    names: tuple[str | None, ...]
    path_format: str
    endpoint: Endpoint | None

    def fits(self, segments: Sequence[str]) -> bool:
        """Whether a request of these segments is meant; method and number have been compared."""
        for segment, own, name in zip(segments, self.segments, self.names, strict=True):
            if not (segment.startswith(own) and segment != own if name else segment == own):
                return False
        return True


def addresses(routes: Iterable[BaseRoute]) -> dict[tuple[str, int], tuple[Address, ...]]:
    """The addresses of routers in their order, by method and number of segments. A path of open length is none."""
    found: dict[tuple[str, int], list[Address]] = {}
    for route in routes:
        path = getattr(route, "path_format", None)
        methods = getattr(route, "methods", None)
        if path is None or methods is None or ":path}" in getattr(route, "path", ""):
            continue
        address = _address(path, route)
        for method in methods:
            found.setdefault((method, len(address.segments)), []).append(address)
    return {key: tuple(group) for key, group in found.items()}


def _address(path: str, route: BaseRoute) -> Address:
    parts = [(each, _VARIES.fullmatch(each)) for each in path.split("/")]
    segments = tuple(varies[1] if varies else each for each, varies in parts)
    names = tuple(varies[2] if varies else None for _, varies in parts)
    endpoint = route.endpoint if isinstance(route, Route) else None
    return Address(segments, names, path, endpoint if hasattr(endpoint, _PLAIN) else None)


class DirectRoutes:
    """ASGI: answers the plain ones of `routes` itself and hands everything else to the application's own stack."""

    def __init__(self, stack: ASGIApp, app: Any, routes: Iterable[BaseRoute]) -> None:
        self._stack = stack
        self._app = app
        self._addresses = addresses(routes)
        # What fails here fails as it would there: noted, told apart from a refusal, and raised to the server.
        self._guarded = ServerErrorMiddleware(self._answer, handler=errors.failed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            segments = scope["path"].split("/")
            for address in self._addresses.get((scope["method"], len(segments)), ()):
                if address.fits(segments):
                    if address.endpoint is not None:
                        scope["app"], scope["route"], scope["endpoint"] = self._app, address, address.endpoint
                        scope["path_params"] = {
                            name: segment.removeprefix(own)
                            for name, segment, own in zip(address.names, segments, address.segments, strict=True)
                            if name
                        }
                        await self._guarded(scope, receive, send)
                        return
                    break
        await self._stack(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            answer = await scope["endpoint"](request)
        except Refusal as refusal:
            answer = await errors.refused(request, refusal)
        await answer(scope, receive, send)

"""What apps in a browser may do from another origin (Fetch, 3.3; SMART App Launch 2.2, app-launch.html).

Only origins to which a hospital has registered a way back, only its FHIR and token endpoints, and never with cookies:
there is no `Access-Control-Allow-Credentials`, so what a browser sends there carries nothing but its token. What is
public is so for every origin. A request without `Origin` passes untouched.
"""

import time
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emr.kernel.errors import Refusal
from emr.smart.addresses import INTROSPECT, REVOKE, TOKEN
from emr.smart.asking import origin_of

_PUBLIC: Final = ("metadata", ".well-known/smart-configuration")
_ENDPOINTS: Final = frozenset({TOKEN, INTROSPECT, REVOKE})
_KNOWN_FOR: Final = 10.0
_MOST: Final = 1_000
_ALLOWED: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Exist, "
    "If-None-Match, Idempotency-Key, Prefer, Cache-Control",
    "Access-Control-Max-Age": "600",
}
_SHOWN: Final = "Content-Location, ETag, Last-Modified, Location, Retry-After, X-Request-Id"


class CrossOrigin:
    """ASGI: answers what a browser asks beforehand, and adds to answers what lets an app read them."""

    def __init__(self, inner: ASGIApp, app: Any) -> None:
        self._inner = inner
        self._app = app
        self._origins: dict[str, tuple[float, frozenset[str]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        allowed = None if origin is None else await self._allowed(scope["path"], origin)
        if allowed is None:
            await self._inner(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            headers = _ALLOWED | {"Access-Control-Allow-Origin": allowed, "Vary": "Origin"}
            await Response(None, 204, headers)(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = allowed
                headers["Access-Control-Expose-Headers"] = _SHOWN
                headers.add_vary_header("Origin")
            await send(message)

        await self._inner(scope, receive, told)

    async def _allowed(self, path: str, origin: str) -> str | None:
        """The origin that may read the answer, `*` for all; None when this is no matter of apps."""
        parts = path.split("/", 4)
        if len(parts) < 4 or parts[1] != "h":
            return None
        below = parts[4] if len(parts) > 4 else ""
        if parts[3] == "fhir" and below in _PUBLIC:
            return "*"
        if parts[3] == "fhir" or (parts[3] == "smart" and below in _ENDPOINTS):
            return origin if origin.lower() in await self._registered(parts[2]) else None
        return None

    async def _registered(self, slug: str) -> frozenset[str]:
        """The origins of a hospital's apps, as they were ten seconds ago at most."""
        known = self._origins.get(slug)
        if known is not None and time.monotonic() - known[0] < _KNOWN_FOR:
            return known[1]
        try:
            tenant = self._app.state.runtime.registry.by_slug(slug)
        except Refusal:
            return frozenset()
        apps = await self._app.state.identity.app_access.apps.list_apps(tenant.id)
        found = frozenset(origin_of(uri) for app in apps if app.active for uri in app.redirect_uris)
        if len(self._origins) >= _MOST:
            self._origins.clear()
        self._origins[slug] = (time.monotonic(), found)
        return found

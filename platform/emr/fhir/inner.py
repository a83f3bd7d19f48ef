"""Requests inside a request: an entry of a Bundle, answered by the endpoint that would answer it alone.

So whatever can be asked of this interface by itself can be asked in a Bundle, under the same rules.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import compile_path

from emr.definitions.model import resource_types
from emr.fhir import operations
from emr.fhir.operation import Level
from emr.kernel.errors import Malformed, NotFound
from emr.web.work import Endpoint
from emr.work.unit import UnitOfWork

Routes = Iterable[tuple[str, str, Endpoint]]
"""Method, path below the base, endpoint."""

_HEAD: Final = "HEAD"


@dataclass(frozen=True, slots=True)
class Call:
    """What an entry asks: a method, an address below the base, header fields, a body."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class _Known:
    method: str
    path: re.Pattern[str]
    endpoint: Endpoint


class Inner:
    """Knows the routes that an entry may name."""

    def __init__(self, routes: Routes) -> None:
        self._known = [_Known(method, compile_path(path)[0], endpoint) for method, path, endpoint in routes]
        self._operations = [compile_path(path)[0] for path in operations.ROUTES]

    async def ask(self, outer: Request, work: UnitOfWork, call: Call) -> Response:
        """The answer to a call, in the unit of work of the request that brings it.

        Raises what the endpoint raises, `Malformed` for an address or a method that is not here.
        """
        path, _, query = call.url.removeprefix("/").partition("?")
        endpoint, names = self._endpoint(call.method, f"/{path}")
        scope = {
            **outer.scope,
            "method": call.method,
            "path": f"{outer.url.path.rstrip('/')}/{path}",
            "query_string": query.encode(),
            "headers": _headers(outer.headers, call.headers),
            "path_params": {"slug": outer.path_params["slug"], **names},
            "state": {**outer.scope.get("state", {}), "body": call.body},
        }
        answer = await endpoint(Request(scope), work)
        if not hasattr(answer, "body"):
            raise Malformed("entry-streams", "What is answered bit by bit is asked by itself, not in a Bundle.")
        return answer

    def _endpoint(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
        method = "GET" if method == _HEAD else method
        for pattern in self._operations:
            if (found := pattern.match(path)) is not None:
                return _operation(method, found.groupdict())
        for known in self._known:
            if known.method == method and (found := known.path.match(path)) is not None:
                return known.endpoint, found.groupdict()
        if path.split("/")[1] not in resource_types():
            raise NotFound("type-unknown", "There is no resource type of this name in R4.")
        raise Malformed("entry-url", "This server has no such interaction; see metadata.")


def _operation(method: str, names: dict[str, str]) -> tuple[Endpoint, dict[str, str]]:
    resource_type = names.get("type")
    level: Level = "version" if "version" in names else "instance" if "id" in names else "type"
    found = operations.operation_at(names["operation"], level if resource_type else "system", resource_type)
    if found is None or method not in found.methods:
        raise Malformed("operation-unknown", f"There is no operation ${names['operation'][:64]} here.")
    return found.endpoint, names


def _headers(outer: Headers, own: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Those of the entry, with the media types and preferences of the whole."""
    made = MutableHeaders({"accept": "application/fhir+json", "content-type": "application/fhir+json"})
    if "prefer" in outer:
        made["prefer"] = outer["prefer"]
    made.update({name: value for name, value in own.items() if value})
    return made.raw

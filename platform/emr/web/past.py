"""Addresses of the past: the pages of the record, below `/h/{slug}/past/{id}`, as they would have been at a moment.

A page of the past is the page of today with a hospital whose tables lie elsewhere, so an address of the past is turned
into that of today, and the request remembers which past is meant. Only pages that show and find are there; what is
one's own (the lock, the sessions) is today's.
"""

import re
from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

_SCOPE: Final = "emr_past"
_ADDRESS: Final = re.compile(r"/h/([a-z0-9-]{1,63})/past/([a-z0-9]{12})(/.*)")
_SHOWN: Final = re.compile(
    r"/(find|changes|patients/[^/]+(/.*)?|documents/[^/]+(/pages/[^/]+|/original)?|imaging/studies/.+)?"
)
_TODAYS: Final = re.compile(r"/me/(active|lock|locked|unlock|sessions)(/.*)?")
_ASKED_BY_POST: Final = frozenset({"/find"})
_READS: Final = frozenset({"GET", "HEAD"})


class PastAddresses:
    """ASGI: turns an address of the past into that of today. What is no page of the past goes on as it is, to be told
    that there is nothing at this address.
    """

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and "/past/" in scope["path"]:
            found = _ADDRESS.fullmatch(scope["path"])
            if found is not None:
                _turn(scope, *found.groups())
        await self._inner(scope, receive, send)


def past_meant(request: Request) -> str | None:
    """The id of the past that the request's address names, or None for today."""
    meant: str | None = request.scope.get(_SCOPE)
    return meant


def _turn(scope: Scope, slug: str, past: str, rest: str) -> None:
    if _TODAYS.fullmatch(rest):
        path = f"/h/{slug}{rest}"
    elif _SHOWN.fullmatch(rest) and (scope["method"] in _READS or rest in _ASKED_BY_POST):
        path = f"/h/{slug}{rest}"
        scope[_SCOPE] = past
    else:
        return
    scope["path"], scope["raw_path"] = path, path.encode()

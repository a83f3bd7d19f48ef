"""A stored file as an answer: whole, or the one range of it that is asked for (RFC 9110, section 14)."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Final

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
Opened = Callable[[int, int], AsyncGenerator[bytes, None]]
"""Gives the bytes from one place up to but not including another; needs no transaction once it has begun."""


def answer_ranges(request: Request, opened: Opened, size: int, headers: Mapping[str, str]) -> Response:
    """The answer to a GET or HEAD. `headers` say type, ETag and what it is called; it is never shown in place."""
    said = {
        "Content-Disposition": "attachment",
        **headers,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    asked_for = _RANGE.fullmatch(request.headers.get("range", ""))
    whole = asked_for is None or not any(asked_for.groups())
    if asked_for is None or whole or request.headers.get("if-range", said["ETag"]) != said["ETag"]:
        return StoredFile(opened, (0, size), said)
    start, end = _span(asked_for, size)
    if start >= end:
        return Response(None, 416, {"Content-Range": f"bytes */{size}"})
    return StoredFile(opened, (start, end), said | {"Content-Range": f"bytes {start}-{end - 1}/{size}"})


def _span(asked_for: re.Match[str], size: int) -> tuple[int, int]:
    first, last = asked_for.groups()
    start = int(first) if first else max(0, size - int(last))
    return start, min(int(last) + 1, size) if first and last else size


class StoredFile(Response):
    """The bytes of a file, the first of which were opened before anything is sent."""

    def __init__(self, opened: Opened, span: tuple[int, int], headers: Mapping[str, str]) -> None:
        self._open: Callable[[], AsyncGenerator[bytes, None]] = lambda: opened(*span)
        status = 206 if "Content-Range" in headers else 200
        super().__init__(None, status, {**headers, "Content-Length": str(span[1] - span[0])})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(self.headers)
        if scope["method"] == "HEAD":
            await Response(None, self.status_code, headers)(scope, receive, send)
            return
        async with aclosing(self._open()) as chunks:
            first = await anext(chunks, b"")
            await StreamingResponse(_joined(first, chunks), self.status_code, headers)(scope, receive, send)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk

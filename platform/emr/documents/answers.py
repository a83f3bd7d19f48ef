"""Answers that are made after the transaction: a drawn page, bytes as they were filed.

Both are made when the answer is about to leave, so that neither drawing nor a slow reader holds a connection of the
database; a refusal can still become a proper answer, for nothing has been sent by then.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Final

from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from emr.documents.names import content_disposition
from emr.documents.service import Content

_BYTES: Final = "application/octet-stream"
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}")
SHOWN_INLINE: Final = frozenset({"image/jpeg", "image/png"})
GUARDED: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}
"""What goes with every byte that came from outside: never run, never guessed, never kept."""


class DrawnPage(Response):
    """A page as a JPEG, drawn when the answer leaves."""

    media_type = "image/jpeg"

    def __init__(self, draw: Callable[[], Awaitable[bytes]]) -> None:
        super().__init__(headers=dict(GUARDED))
        self._draw = draw

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        drawn = Response(await self._draw(), headers=dict(GUARDED), media_type=self.media_type)
        await drawn(scope, receive, send)


class FiledBytes(Response):
    """Content as it was filed, as a stream whose first piece was checked before anything was sent."""

    def __init__(self, content: Content) -> None:
        how = "inline" if content.media_type in SHOWN_INLINE else "attachment"
        headers = dict(GUARDED)
        headers["Content-Disposition"] = content_disposition(content.file_name, how)
        headers["Content-Type"] = content.media_type if _MEDIA_TYPE.fullmatch(content.media_type) else _BYTES
        headers["Content-Length"] = str(content.size)
        super().__init__(headers=headers)
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._content.chunks()) as chunks:
            first = await anext(chunks, b"")
            await StreamingResponse(_joined(first, chunks), headers=dict(self.headers))(scope, receive, send)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk

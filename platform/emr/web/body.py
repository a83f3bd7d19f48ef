"""Read a request's body within a limit, refusing as soon as the limit is passed and not at the end."""

from typing import Final

from fastapi import Request

from emr.kernel.errors import TooLarge, UnsupportedMedia
from emr.web.sign_in import runtime_of

_MIB: Final = 1024 * 1024


async def read_body(request: Request) -> bytes:
    """The whole body. Raises `TooLarge` over the configured limit, `UnsupportedMedia` for a compressed one."""
    limit = runtime_of(request).settings.http.body_limit_mib * _MIB
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMedia("body-compressed", "Send the body uncompressed.", location="Content-Encoding")
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def body_of(request: Request) -> bytes:
    """The body of a request that came with `WorkWithBody`."""
    body: bytes = request.state.body
    return body


def _too_large(limit: int) -> TooLarge:
    return TooLarge("body-too-large", f"A body has at most {limit // _MIB} MiB.")

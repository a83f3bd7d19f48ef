"""Read a request's body within a limit, refusing as soon as the limit is passed and not at the end.

What is read takes its share of the room that all bodies of this process have together, and gives it back when the
request is over: a hundred clients with large bodies are asked to come again, and nobody's work is lost to them.
"""

from typing import Final

from fastapi import Request

from emr.kernel.errors import TooLarge, Unavailable, UnsupportedMedia
from emr.web.sign_in import runtime_of

_MIB: Final = 1024 * 1024


class Room:
    """The bytes that bodies may take in this process at one time."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0


class Share:
    """What one request has taken of the room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0

    def take(self, size: int) -> None:
        """Take more. Raises `Unavailable` when there is no room left; then others have the whole share at once."""
        if self._room.taken + size > self._room.limit:
            self.give_back()
            raise Unavailable("too-many-bodies", "Many large requests are under way; try again in a few seconds.")
        self._room.taken += size
        self._size += size

    def give_back(self) -> None:
        """All of it."""
        self._room.taken -= self._size
        self._size = 0


def share_of(request: Request) -> Share:
    """The request's share, still empty, of its process's room."""
    room: Room = request.app.state.bodies
    return Share(room)


async def read_body(request: Request, share: Share) -> bytes:
    """The whole body.

    Raises `TooLarge` over the configured limit, `UnsupportedMedia` for a compressed one, `Unavailable` without room.
    """
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
        share.take(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def body_of(request: Request) -> bytes:
    """The body of a request that came with `WorkWithBody`."""
    body: bytes = request.state.body
    return body


def _too_large(limit: int) -> TooLarge:
    return TooLarge("body-too-large", f"A body has at most {limit // _MIB} MiB.")

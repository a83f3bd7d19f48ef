"""Binary resources whose bytes lie in the object store: they leave with their bytes and come back under their key.

The record keeps such a Binary without `data`; its id names the object. In a file of an export its line carries the
bytes as base64 at its end, so that any client can read it and no line has to be held in memory to be written or read.
"""

import base64
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from typing import Final

from emr.kernel.errors import Malformed
from emr.storage.blobs import Blob, BlobStore

_DATA: Final = b',"data":"'
_END: Final = b'"}\n'
_KEEP: Final = len(_END) + 4
_BINARY: Final = b'{"resourceType":"Binary","id":"'
_STEP: Final = 3 << 16
"""A multiple of three bytes, so that pieces of base64 join to one text."""


async def line_with_bytes(body: bytes, blobs: BlobStore, blob: Blob) -> AsyncGenerator[bytes, None]:
    """The line of a Binary: its body with `data` put in at the end. Raises what `BlobStore.open` does."""
    yield body[:-1] + _DATA
    held = bytearray()
    async with aclosing(blobs.open(blob)) as chunks:
        async for chunk in chunks:
            held += chunk
            whole = len(held) // _STEP * _STEP
            if whole:
                yield base64.b64encode(held[:whole])
                del held[:whole]
    yield base64.b64encode(held) + _END


class BytesOfLine:
    """The line of such a Binary, of which `head` is the Binary without its bytes, and `chunks` gives these."""

    def __init__(self, head: bytes, beginning: bytes, rest: AsyncIterator[bytes]) -> None:
        self.head = head
        self._first = beginning
        self._rest = rest

    @classmethod
    def cut(cls, beginning: bytes, rest: AsyncIterator[bytes]) -> "BytesOfLine | None":
        """From the first piece of a line and what follows; None for a line of another kind."""
        place = beginning.find(_DATA) if beginning.startswith(_BINARY) else -1
        if place < 0:
            return None
        return cls(beginning[:place] + b"}", beginning[place + len(_DATA) :], rest)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes. Raises `Malformed` when the text is not base64 or something follows it."""
        held = bytearray(self._first)
        async for piece in self._rest:
            held += piece
            whole = max(0, len(held) - _KEEP) // 4 * 4
            if whole:
                yield _decoded(bytes(held[:whole]))
                del held[:whole]
        text = bytes(held).rstrip()
        if not text.endswith(b'"}'):
            raise Malformed("line-data", "The data of a Binary stands at its end.", location="Binary.data")
        yield _decoded(text[:-2])

    async def drain(self) -> None:
        """Pass over what is left of the line."""
        async for _ in self._rest:
            pass


async def nothing() -> AsyncIterator[bytes]:
    """An empty stream."""
    return
    yield b""


async def counted(stream: AsyncIterable[bytes], into: list[int]) -> AsyncIterator[bytes]:
    """The same stream; the number of its bytes is added to the only element of `into`."""
    async for chunk in stream:
        into[0] += len(chunk)
        yield chunk


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Malformed("line-data", "The data is not base64.", location="Binary.data") from error

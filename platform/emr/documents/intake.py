"""A file on its way in: kept in a temporary file under a limit while it is looked at, then gone."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emr.documents.errors import DocumentTooLarge
from emr.documents.kinds import HEAD_BYTES, TAIL_BYTES

CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Received:
    """A file that came in: where it lies now, its size, its SHA-1 (what FHIR's `Attachment.hash` asks for)."""

    path: Path
    size: int
    sha1: bytes
    head: bytes
    tail: bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes, in pieces of at most 1 MiB."""
        with await asyncio.to_thread(self.path.open, "rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk


@asynccontextmanager
async def received(stream: AsyncIterable[bytes], limit: int) -> AsyncIterator[Received]:
    """Take a stream into a file that lasts as long as the context; `DocumentTooLarge` at the first byte too many."""
    with tempfile.NamedTemporaryFile(prefix="emr-upload-") as file:
        size, sha1, tail = 0, hashlib.sha1(usedforsecurity=False), b""
        head = b""
        async for chunk in stream:
            size += len(chunk)
            if size > limit:
                raise DocumentTooLarge(limit)
            sha1.update(chunk)
            head = head if len(head) >= HEAD_BYTES else (head + chunk)[:HEAD_BYTES]
            tail = (tail + chunk)[-TAIL_BYTES:]
            await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(file.flush)
        yield Received(Path(file.name), size, sha1.digest(), head, tail)

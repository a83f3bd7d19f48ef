"""NDJSON as a stream, in batches of lines; what is longer than JSON may be is given as a stream of its own."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from emr.kernel import json
from emr.records.bulk.attachments import BytesOfLine

LINES: Final = 500
BYTES: Final = 4 * 1024 * 1024
"""The most of both in one batch; one line alone may be longer."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file: `digest` is the SHA-256 of its bytes, `size` how many; `chunks` gives them from an offset on."""

    name: str
    digest: bytes
    chunks: Callable[[int], AsyncGenerator[bytes, None]] = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line by its number in the file, beginning with 1, without its end."""

    number: int
    text: bytes = field(repr=False)


class TooLong:
    """A line that is longer than JSON may be and no Binary with its bytes at the end."""

    def __init__(self, rest: AsyncIterator[bytes]) -> None:
        self._rest = rest

    async def drain(self) -> None:
        """Pass over what is left of the line."""
        async for _ in self._rest:
            pass


Long = BytesOfLine | TooLong


@dataclass(slots=True)
class Batch:
    """Lines that are stored together, and where the next ones begin: offset and number.

    With `long`, the batch is one line of which only the head is here. What is left of it has to be taken before the
    next batch is asked for, and then the reader says where that begins.
    """

    lines: list[Line]
    offset: int
    number: int
    long: Long | None = None
    last: bool = False


class Reader:
    """Cuts a stream into batches. `number` is that of the first line, `offset` where the stream begins in the file."""

    def __init__(self, chunks: AsyncGenerator[bytes, None], offset: int = 0, number: int = 1) -> None:
        self._chunks, self._offset, self._number = chunks, offset, number
        self._begun = offset
        self._held = bytearray()
        self._ended = False

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """All of the file; the last batch says so, and may be empty."""
        async with aclosing(self._chunks):
            lines: list[Line] = []
            weight = 0
            while (text := await self._line()) is not None:
                if not isinstance(text, bytes):
                    if lines:
                        yield Batch(lines, self._begun, self._number)
                        lines, weight = [], 0
                    self._number += 1
                    head = text.head if isinstance(text, BytesOfLine) else b""
                    yield Batch([Line(self._number - 1, head)], 0, self._number, text)
                    continue
                if text.strip():
                    lines.append(Line(self._number, text))
                    weight += len(text)
                self._number += 1
                if len(lines) >= LINES or weight >= BYTES:
                    yield Batch(lines, self._offset, self._number)
                    lines, weight = [], 0
            yield Batch(lines, self._offset, self._number, last=True)

    @property
    def offset(self) -> int:
        """Where in the file the next line begins."""
        return self._offset

    async def _line(self) -> bytes | Long | None:
        seen = 0
        while (end := self._held.find(b"\n", seen)) < 0:
            seen = len(self._held)
            if seen > json.MAX_BYTES:
                beginning = bytes(self._held)
                self._held.clear()
                self._begun, self._offset = self._offset, self._offset + len(beginning)
                rest = self._to_end_of_line()
                return BytesOfLine.cut(beginning, rest) or TooLong(rest)
            if not await self._more():
                return self._taken(len(self._held)) if self._held else None
        return self._taken(end + 1)

    def _taken(self, size: int) -> bytes:
        text = bytes(self._held[:size])
        del self._held[:size]
        self._offset += size
        return text.rstrip(b"\r\n")

    async def _more(self) -> bool:
        if not self._ended:
            chunk = await anext(self._chunks, None)
            if chunk is not None:
                self._held += chunk
                return True
            self._ended = True
        return False

    async def _to_end_of_line(self) -> AsyncIterator[bytes]:
        while self._held or await self._more():
            end = self._held.find(b"\n")
            piece = bytes(self._held if end < 0 else self._held[: end + 1])
            del self._held[: len(piece)]
            self._offset += len(piece)
            yield piece
            if end >= 0:
                return

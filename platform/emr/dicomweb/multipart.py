"""multipart/related on the wire (RFC 2387), both ways, without holding a part in memory.

Incoming parts are written to a folder as they arrive; outgoing parts are read from their source as they leave.
"""

import secrets
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from emr.kernel.errors import Malformed, TooLarge, UnsupportedMedia

DICOM = "application/dicom"
MAX_PARTS = 10_000
_HEADER_LIMIT = 8 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of one part and of the whole request."""

    part: int
    whole: int


@dataclass(frozen=True, slots=True)
class Part:
    """One part that has arrived: its media type in lower case and the file that holds its bytes."""

    media_type: str
    path: Path
    size: int


def media_type(text: str) -> tuple[str, dict[str, str]]:
    """`text/x; a=b` as its type in lower case and its parameters, names in lower case (RFC 9110 section 8.3.1)."""
    message = Message()
    message["content-type"] = text
    values = message.get_params(failobj=[])
    return (values[0][0].lower() if values else ""), {name.lower(): value for name, value in values[1:]}


@dataclass(slots=True)
class _Spool:
    """Writes parts to files of their own and keeps count."""

    folder: Path
    limits: Limits
    parts: list[Part] = field(default_factory=list)
    kind: str = ""
    finished: bool = False
    _total: int = 0
    _size: int = 0
    _file: BinaryIO | None = None
    _path: Path = field(default_factory=Path)
    _name: bytes = b""
    _value: bytes = b""

    def count(self, size: int) -> None:
        self._total += size
        if self._total > self.limits.whole:
            raise TooLarge("stow-too-large", f"the request is larger than {self.limits.whole} bytes")

    def begin(self) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise TooLarge("stow-too-many-parts", f"more than {MAX_PARTS} instances in one request")
        self.kind, self._size, self._name, self._value = "", 0, b"", b""
        self._path = self.folder / secrets.token_hex(16)
        self._file = self._path.open("xb")

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name = self._bounded(self._name + data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value = self._bounded(self._value + data[start:end])

    def header_end(self) -> None:
        if self._name.strip().lower() == b"content-type":
            self.kind = media_type(self._value.decode("latin-1"))[0]
        self._name, self._value = b"", b""

    def data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size > self.limits.part:
            raise TooLarge("stow-instance-too-large", f"an instance is larger than {self.limits.part} bytes")
        if self._file:
            self._file.write(memoryview(data)[start:end])

    def end(self) -> None:
        self.close()
        self.parts.append(Part(self.kind or DICOM, self._path, self._size))

    def finish(self) -> None:
        self.finished = True

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _bounded(self, header: bytes) -> bytes:
        if len(header) > _HEADER_LIMIT:
            raise Malformed("stow-body", "a part's header is too long")
        return header


async def receive(body: AsyncIterable[bytes], content_type: str, folder: Path, limits: Limits) -> list[Part]:
    """All parts of a STOW-RS body, spooled to `folder`. A body of application/dicom is one part.

    Raises UnsupportedMedia for another type, Malformed for a broken body, TooLarge as soon as a limit is passed.
    """
    kind, parameters = media_type(content_type)
    spool = _Spool(folder, limits)
    try:
        if kind == DICOM:
            return await _receive_single(body, spool)
        inner = parameters.get("type", DICOM).lower()
        if kind != "multipart/related" or inner != DICOM:
            raise UnsupportedMedia(
                "stow-media-type", "send multipart/related of application/dicom", location="Content-Type"
            )
        return await _receive_parts(body, parameters.get("boundary", ""), spool)
    finally:
        spool.close()


async def _receive_single(body: AsyncIterable[bytes], spool: _Spool) -> list[Part]:
    spool.begin()
    spool.kind = DICOM
    async for chunk in body:
        spool.count(len(chunk))
        spool.data(chunk, 0, len(chunk))
    spool.end()
    return spool.parts


async def _receive_parts(body: AsyncIterable[bytes], boundary: str, spool: _Spool) -> list[Part]:
    if not boundary or len(boundary) > 200:
        raise Malformed("stow-boundary", "the Content-Type names no boundary", location="Content-Type")
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": spool.begin,
            "on_header_field": spool.header_name,
            "on_header_value": spool.header_value,
            "on_header_end": spool.header_end,
            "on_part_data": spool.data,
            "on_part_end": spool.end,
            "on_end": spool.finish,
        },
    )
    try:
        async for chunk in body:
            spool.count(len(chunk))
            parser.write(chunk)
        parser.finalize()
    except FormParserError as failure:
        raise Malformed("stow-body", "the multipart body cannot be taken apart") from failure
    if not spool.finished:
        raise Malformed("stow-body", "the multipart body ends before its last boundary")
    return spool.parts


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One part that leaves: its media type with parameters, and its bytes."""

    media_type: str
    chunks: AsyncIterable[bytes]


async def related(parts: AsyncIterable[Outgoing], boundary: str) -> AsyncIterator[bytes]:
    """The body of a multipart/related answer."""
    mark = boundary.encode()
    async for part in parts:
        yield b"--" + mark + b"\r\nContent-Type: " + part.media_type.encode() + b"\r\n\r\n"
        async for chunk in part.chunks:
            yield chunk
        yield b"\r\n"
    yield b"--" + mark + b"--\r\n"


def new_boundary() -> str:
    return secrets.token_hex(24)

"""The file into which old rows of a trail are moved: their texts, line by line, compressed. Pure.

`platform/docs/audit-format.md` describes the bytes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import zstandard

from emr.audit.rows import Unreadable

FORMAT: Final = 1
LARGEST: Final = 1 << 29
"""The most bytes that a file holds when it is not compressed."""
_LEVEL: Final = 9
_CANONICAL: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Span:
    """Whole batches that follow each other: their stream, and the numbers of batches and rows at both ends."""

    stream: str
    first_batch: int
    last_batch: int
    first: int
    last: int

    def header(self) -> bytes:
        """The file's first line, without its end."""
        said = {
            "v": FORMAT,
            "stream": self.stream,
            "batches": [self.first_batch, self.last_batch],
            "rows": [self.first, self.last],
        }
        return _CANONICAL.encode(said).encode()


def packed(span: Span, texts: Sequence[str]) -> bytes:
    """The file with the texts of these rows, in the order of their numbers."""
    if len(texts) != span.last - span.first + 1:
        raise ValueError("a file holds every row of its batches")
    plain = b"\n".join((span.header(), *(text.encode() for text in texts), b""))
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(plain)


def unpacked(span: Span, data: bytes) -> list[str]:
    """The texts of its rows. Raises `Unreadable` for what is not the file of this span."""
    try:
        if not 0 < zstandard.frame_content_size(data) <= LARGEST:
            raise Unreadable("the file is no archive")
        lines = zstandard.ZstdDecompressor().decompress(data).decode().split("\n")
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise Unreadable("the file is no archive") from error
    if lines[0] != span.header().decode() or len(lines) != span.last - span.first + 3 or lines[-1]:
        raise Unreadable("the file is that of other rows")
    return lines[1:-1]

"""A package as one zip file that is written in a stream and in stretches, at any time, by any process.

Source: APPNOTE.TXT 6.3.10 of PKWARE: 4.3.7 local header, 4.3.9 data descriptor, 4.3.12 central directory, 4.3.14 and
4.3.15 Zip64, 4.4.4 bit 3. Digests and sizes stand behind each file's bytes, so that nothing is read twice; the entries
of the central directory are gathered beside the archive and come last.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_END_64: Final = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR: Final = struct.Struct("<4sIQI")
_BEHIND: Final = 0x0008
"""Bit 3: digest and sizes stand in a data descriptor behind the bytes."""
_STORED, _DEFLATED = 0, 8
_PLAIN, _ZIP_64 = 20, 45
_MADE_BY: Final = (3 << 8) | _ZIP_64
_REGULAR: Final = 0o100600 << 16
_FULL: Final = 0xFFFFFFFF
_MOST_ENTRIES: Final = 0xFFFF
_LARGE: Final = 0xF0000000
"""From so many bytes on a file has sizes of 64 bits; what hardly fits is thought to have grown by packing."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an archive stands: bytes that are written, and entries of the central directory."""

    offset: int = 0
    entries: int = 0


class Entry:
    """One file on its way into the archive. `size`: bytes that it has; `packed`: whether it is deflated."""

    def __init__(self, path: str, size: int, at: datetime, *, packed: bool) -> None:
        self._name, self._large = path.encode("ascii"), size >= _LARGE
        self._method = _DEFLATED if packed else _STORED
        self._time = (at.hour << 11) | (at.minute << 5) | (at.second // 2)
        self._date = ((at.year - 1980) << 9) | (at.month << 5) | at.day
        self._deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS) if packed else None
        self._crc = self._plain = self._written = 0

    def head(self) -> bytes:
        """What stands before the bytes."""
        more = struct.pack("<HHQQ", 1, 16, 0, 0) if self._large else b""
        size = _FULL if self._large else 0
        return (
            _LOCAL.pack(
                b"PK\x03\x04", self._needed, _BEHIND, self._method, self._time, self._date, 0, size, size,
                len(self._name), len(more),
            )
            + self._name
            + more
        )  # fmt: skip

    def add(self, chunk: bytes) -> bytes:
        """The next bytes, as they stand in the archive."""
        self._crc = zlib.crc32(chunk, self._crc)
        self._plain += len(chunk)
        out = chunk if self._deflate is None else self._deflate.compress(chunk)
        self._written += len(out)
        return out

    def tail(self) -> bytes:
        """What stands behind the bytes."""
        rest = b"" if self._deflate is None else self._deflate.flush()
        self._written += len(rest)
        sizes = struct.pack("<QQ" if self._large else "<II", self._written, self._plain)
        return rest + struct.pack("<4sI", b"PK\x07\x08", self._crc) + sizes

    def central(self, offset: int) -> bytes:
        """The entry of the central directory, once the tail is written; `offset`: where the head stands."""
        wide = [value for value in (self._plain, self._written) if self._large]
        wide += [offset] if offset >= _FULL else []
        more = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        sizes = (_FULL, _FULL) if self._large else (self._written, self._plain)
        return (
            _CENTRAL.pack(
                b"PK\x01\x02", _MADE_BY, _ZIP_64 if wide else _PLAIN, _BEHIND, self._method, self._time, self._date,
                self._crc, *sizes, len(self._name), len(more), 0, 0, 0, _REGULAR, min(offset, _FULL),
            )
            + self._name
            + more
        )  # fmt: skip

    @property
    def _needed(self) -> int:
        return _ZIP_64 if self._large else _PLAIN


def end_of(place: Place, size: int) -> Iterator[bytes]:
    """What stands behind the central directory, which begins at this place and has `size` bytes."""
    if place.entries >= _MOST_ENTRIES or place.offset >= _FULL or size >= _FULL:
        counts = (place.entries, place.entries, size, place.offset)
        yield _END_64.pack(b"PK\x06\x06", _END_64.size - 12, _MADE_BY, _ZIP_64, 0, 0, *counts)
        yield _LOCATOR.pack(b"PK\x06\x07", 0, place.offset + size, 1)
    entries = min(place.entries, _MOST_ENTRIES)
    yield _END.pack(b"PK\x05\x06", 0, 0, entries, entries, min(size, _FULL), min(place.offset, _FULL), 0)

"""The bytes of a seal: Merkle roots over numbered rows, chained. Pure; `platform/docs/audit-format.md` in code."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

FORMAT: Final = 1
START: Final = bytes(32)
"""What the first seal of a stream has for the hash of the one before."""

_MAGIC: Final = b"EMR-AUDIT-SEAL\x00"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LEAF: Final = struct.Struct(">BQ").pack


@dataclass(frozen=True, slots=True)
class Seal:
    """One batch of rows, `first` to `last`, under one root."""

    stream: str
    batch: int
    first: int
    last: int
    root: bytes
    previous: bytes
    sealed_at: datetime
    format: int = FORMAT

    def hash(self) -> bytes:
        """SHA-256 over every field; what the next seal and an anchor hold."""
        name = self.stream.encode("ascii")
        microseconds = (self.sealed_at - _EPOCH) // _EPOCH.resolution
        head = struct.pack(">IH", self.format, len(name)) + name
        figures = struct.pack(">QQQq", self.batch, self.first, self.last, microseconds)
        return sha256(_MAGIC + head + figures + self.root + self.previous).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """Where a stream ends: nothing yet, or after its last seal. This is what an anchor writes down."""

    batch: int = 0
    last: int = 0
    hash: bytes = START


@dataclass(frozen=True, slots=True)
class Kept:
    """A seal as it was read back, with the hash that was stored beside it."""

    seal: Seal
    hash: bytes


def leaf(number: int, text: str) -> bytes:
    """What stands for a row in the tree: SHA-256(0x00 ‖ its number as 8 bytes ‖ its text in UTF-8)."""
    return leaf_of(number, text.encode())


def leaf_of(number: int, text: bytes) -> bytes:
    """The same for a text in UTF-8."""
    return sha256(_LEAF(0, number) + text).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle root as RFC 6962 (section 2.1) builds it: the left part is the largest power of two below the size."""
    if not leaves:
        raise ValueError("a seal covers at least one row")
    # Pairing level by level and carrying an odd node up gives the same tree as the recursion of the RFC.
    level = leaves
    while len(level) > 1:
        paired = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        level = paired + list(level[len(level) - len(level) % 2 :])
    return level[0]


def seal(stream: str, head: Head, leaves: Sequence[bytes], sealed_at: datetime) -> Seal:
    """The seal that follows `head`, over the rows that follow its last."""
    return Seal(stream, head.batch + 1, head.last + 1, head.last + len(leaves), root(leaves), head.hash, sealed_at)

"""The bytes of a seal: Merkle roots over numbered rows, chained. Pure; `platform/docs/audit-format.md` in code."""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

FORMAT: Final = 1
START: Final = bytes(32)
"""What the first seal of a stream has for the hash of the one before."""

_MAGIC: Final = b"EMR-AUDIT-SEAL\x00"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """A sealed row: its number in the hospital's stream, and its canonical text in UTF-8."""

    number: int
    text: bytes


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
        return hashlib.sha256(_MAGIC + head + figures + self.root + self.previous).digest()


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


def leaf(row: Row) -> bytes:
    """SHA-256(0x00 ‖ number as 8 bytes ‖ text)."""
    return hashlib.sha256(b"\x00" + struct.pack(">Q", row.number) + row.text).digest()


def root(rows: Sequence[Row]) -> bytes:
    """The Merkle root as RFC 6962 (section 2.1) builds it: the left part is the largest power of two below the size."""
    if not rows:
        raise ValueError("a seal covers at least one row")
    # Pairing level by level and carrying an odd node up gives the same tree as the recursion of the RFC.
    level = [leaf(row) for row in rows]
    while len(level) > 1:
        paired = [
            hashlib.sha256(b"\x01" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        level = paired + level[len(level) - len(level) % 2 :]
    return level[0]


def seal(stream: str, head: Head, rows: Sequence[Row], sealed_at: datetime) -> Seal:
    """The seal that follows `head`."""
    return Seal(stream, head.batch + 1, rows[0].number, rows[-1].number, root(rows), head.hash, sealed_at)


def verify(stream: str, seals: Sequence[Kept], rows: Iterable[Row], anchor: Head | None = None) -> Iterator[str]:
    """Everything that is wrong with a stream, in words; nothing when it is whole.

    Finds a changed, missing, inserted or moved row and a changed, missing or moved seal. That the end was cut off can
    only be seen with an `anchor`: the newest head that was written down elsewhere.
    """
    by_number: dict[int, Row] = {}
    for row in rows:
        if row.number in by_number:
            yield f"row {row.number} stands twice"
        by_number[row.number] = row
    head, heads = Head(), {0: START}
    for kept in seals:
        yield from _seal_faults(stream, head, kept)
        numbers = range(kept.seal.first, kept.seal.last + 1)
        covered = [by_number.pop(number) for number in numbers if number in by_number]
        if len(covered) != len(numbers):
            yield f"seal {kept.seal.batch}: {len(numbers) - len(covered)} of its rows are missing"
        elif not covered or root(covered) != kept.seal.root:
            yield f"seal {kept.seal.batch}: a row of {kept.seal.first} to {kept.seal.last} was changed"
        head = Head(kept.seal.batch, kept.seal.last, kept.hash)
        heads[head.batch] = head.hash
    for number in sorted(by_number):
        yield f"row {number} is under no seal"
    if anchor is not None and heads.get(anchor.batch) != anchor.hash:
        cut = anchor.batch not in heads
        yield f"seal {anchor.batch} was anchored and is {'missing' if cut else 'another one'}"


def _seal_faults(stream: str, head: Head, kept: Kept) -> Iterator[str]:
    this = kept.seal
    if this.format != FORMAT:
        yield f"seal {this.batch} has the unknown format {this.format}"
    if this.stream != stream:
        yield f"seal {this.batch} belongs to another stream"
    if this.batch != head.batch + 1:
        yield f"seal {this.batch} follows seal {head.batch}"
    if this.first != head.last + 1 or this.last < this.first:
        yield f"seal {this.batch} covers rows {this.first} to {this.last} after row {head.last}"
    if this.previous != head.hash:
        yield f"seal {this.batch} is not chained to seal {head.batch}"
    if this.hash() != kept.hash:
        yield f"seal {this.batch} does not have the hash that its fields give"

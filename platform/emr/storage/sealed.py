"""The form in which bytes lie in the object store.

    object  = header · segment*                    (at least one segment)
    header  = "EMRSEAL" · version (1) · segment size (4) · length of key id (1) · key id, zero-padded (51) · salt (32)
    segment = AES-256-GCM(plain segment) · tag (16)

Numbers are big-endian. Every plain segment but the last has the segment size, 1 MiB. The key is derived from the
hospital's data key, the object's random salt and its place (hospital prefix and object key); the nonce is the segment's
index; the associated data is header · index · final flag. So a changed bit, a cut, an extension, another order, an
object under another's name or in another hospital do not open, and a range is read without reading the rest.
"""

import secrets
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from emr.storage.errors import SealBroken
from emr.storage.keys import KEY_ID, Keyring

HEADER_BYTES: Final = 96
SEGMENT_BYTES: Final = 1 << 20
TAG_BYTES: Final = 16
_MAGIC: Final = b"EMRSEAL"
_VERSION: Final = 1
_SALT_BYTES: Final = 32
_KEY_ID_BYTES: Final = 51
_LARGEST_SEGMENT: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Header:
    """The open part of a sealed object: which key, which salt, how it is cut."""

    key_id: str
    salt: bytes
    segment: int = SEGMENT_BYTES

    def encode(self) -> bytes:
        """The 96 bytes at the start of the object."""
        name = self.key_id.encode("ascii")
        return (
            _MAGIC
            + bytes([_VERSION])
            + self.segment.to_bytes(4, "big")
            + bytes([len(name)])
            + name.ljust(_KEY_ID_BYTES, b"\0")
            + self.salt
        )

    @classmethod
    def decode(cls, data: bytes) -> "Header":
        """Read a header; every byte has one meaning, anything else raises `SealBroken`."""
        if len(data) != HEADER_BYTES or data[:7] != _MAGIC:
            raise SealBroken("it does not begin like a sealed object")
        if data[7] != _VERSION:
            raise SealBroken("its version is unknown")
        segment = int.from_bytes(data[8:12], "big")
        name, padding = data[13 : 13 + data[12]], data[13 + data[12] : 64]
        key_id = name.decode("ascii", "replace")
        if not 0 < segment <= _LARGEST_SEGMENT or any(padding) or not KEY_ID.fullmatch(key_id):
            raise SealBroken("its header is damaged")
        return cls(key_id, data[64:], segment)


class ObjectSeal:
    """Seals and opens the segments of one object in one place."""

    def __init__(self, keyring: Keyring, header: Header, place: bytes) -> None:
        self.segment = header.segment
        self._header = header.encode()
        self._cipher = AESGCM(keyring.object_key(header.key_id, header.salt, place))

    @property
    def header(self) -> bytes:
        """The object's first 96 bytes."""
        return self._header

    def seal(self, index: int, last: int, plain: bytes) -> bytes:
        """One segment; `last` is 1 for the final segment and 0 for the others."""
        return self._cipher.encrypt(index.to_bytes(12, "big"), plain, self._bound(index, last))

    def open(self, index: int, last: int, sealed: bytes) -> bytes:
        """The plain bytes of one segment. Raises `SealBroken`."""
        try:
            return self._cipher.decrypt(index.to_bytes(12, "big"), sealed, self._bound(index, last))
        except InvalidTag as error:
            raise SealBroken(f"segment {index} does not open") from error

    def _bound(self, index: int, last: int) -> bytes:
        return self._header + index.to_bytes(8, "big") + bytes([last])


def place_of(prefix: str, key: str) -> bytes:
    """Where an object belongs; part of its key, so that it opens nowhere else."""
    return b"\0" + prefix.encode() + b"\0" + key.encode()


def new_header(keyring: Keyring, segment: int = SEGMENT_BYTES) -> Header:
    """A header for a new object, with a salt of its own."""
    return Header(keyring.current, secrets.token_bytes(_SALT_BYTES), segment)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a plain size is cut into segments."""

    size: int
    segment: int = SEGMENT_BYTES

    @property
    def segments(self) -> int:
        """How many segments there are; an empty object has one."""
        return max(1, -(-self.size // self.segment))

    @property
    def sealed_size(self) -> int:
        """Bytes of the whole sealed object."""
        return HEADER_BYTES + self.size + TAG_BYTES * self.segments

    def offset(self, index: int) -> int:
        """Where a sealed segment begins; the end of the object for the index after the last."""
        return min(HEADER_BYTES + index * (self.segment + TAG_BYTES), self.sealed_size)


async def frames(chunks: AsyncIterable[bytes], size: int) -> AsyncIterator[tuple[bytes, bool]]:
    """Cut a stream anew into pieces of `size` bytes; the flag marks the last piece, which may be shorter or empty."""
    held = bytearray()
    async for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            if len(held) == size:
                yield bytes(held), False
                held.clear()
            taken = rest[: size - len(held)]
            held += taken
            rest = rest[len(taken) :]
    yield bytes(held), True


async def seal(chunks: AsyncIterable[bytes], seal: ObjectSeal) -> AsyncIterator[bytes]:
    """The sealed stream of a plain one: the header, then segments; holds one segment in memory."""
    yield seal.header
    index = 0
    async for plain, last in frames(chunks, seal.segment):
        yield seal.seal(index, int(last), plain)
        index += 1


async def unseal(
    chunks: AsyncIterable[bytes], seal: ObjectSeal, span: tuple[int, int, int]
) -> AsyncGenerator[bytes, None]:
    """The plain segments of sealed ones.

    `span` is (first segment in the stream, segment after the last in the stream, segments of the whole object).
    A stream that holds less or more than that raises `SealBroken`.
    """
    index, stop, segments = span
    async for sealed, _ in frames(chunks, seal.segment + TAG_BYTES):
        if index >= stop:
            raise SealBroken("it is longer than what was stored")
        yield seal.open(index, int(index == segments - 1), sealed)
        index += 1
    if index != stop:
        raise SealBroken("it is shorter than what was stored")

"""The port to an object store, as one hospital sees it."""

import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

NAME: Final = re.compile(r"[0-9a-f]{2}/[0-9a-f]{38}")
PREFIX: Final = re.compile(r"[a-z0-9_]{3,63}")


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing tells: the key without the prefix, the size of the sealed bytes, when it was written (UTC)."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Fetched:
    """Bytes on their way: `total` is the size of the whole object, `chunks` the range that was asked for; close it."""

    total: int
    chunks: AsyncGenerator[bytes, None]


class ObjectStore(Protocol):
    """Sealed bytes under random keys, all of one hospital: the prefix is fixed when the store is made.

    Every method raises `StoreUnavailable` when the store does not answer. A key that `new_key` cannot have made is
    refused with `ObjectMissing` before anything is asked, so that no key reaches outside the prefix.
    """

    @property
    def prefix(self) -> str:
        """The hospital's prefix."""
        ...

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """Store a stream of unknown length under a key from `new_key`; gives the number of bytes.

        The object is visible whole or not at all; when the stream raises, nothing stays behind.
        """
        ...

    async def get(self, key: str, start: int = 0, end: int | None = None) -> Fetched:
        """Bytes `start` up to but not including `end` (None: to the last). Raises `ObjectMissing`."""
        ...

    async def head(self, key: str) -> ObjectInfo | None:
        """What is known about an object, or None."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...

    def list(self, start: str = "") -> AsyncIterator[ObjectInfo]:
        """The hospital's objects whose keys begin with `start`, by key."""
        ...


def new_key() -> str:
    """A random key of 160 bits; the first two characters spread objects over folders and partitions."""
    name = secrets.token_hex(20)
    return f"{name[:2]}/{name[2:]}"


def name_of(key: str) -> str:
    """A key as one word without a slash, as it stands in the addresses and ids of what holds the object."""
    return key.replace("/", "", 1)


def key_named(name: str) -> str | None:
    """The key that `name_of` made this word of, or None for a word that it cannot have made."""
    key = f"{name[:2]}/{name[2:]}"
    return key if NAME.fullmatch(key) else None


def checked_prefix(prefix: str) -> str:
    """The prefix, when it is one word of letters, digits and underscores; anything else is a mistake in the program."""
    if not PREFIX.fullmatch(prefix):
        raise ValueError(f"not an object prefix: {prefix!r}")
    return prefix

"""A stream's files opened one after the other by who walks a trail outside of the service."""

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self, cast

from emr.audit.archives import Archive, texts
from emr.audit.rows import Unreadable
from emr.kernel.errors import Unavailable
from emr.settings import Settings
from emr.storage.blobs import BlobStore
from emr.storage.errors import StoreUnavailable
from emr.storage.keys import Keyring
from emr.storage.locked import LockedStore, open_locked
from emr.storage.opening import Stores, open_stores
from emr.storage.ports import Fetched, ObjectStore
from emr.storage.rowless import Rowless


def demanded(keyring: Keyring | None) -> Keyring:
    """The keys of a stream that has files. Raises `Unavailable` where this process was not given what opens them."""
    if keyring is None:
        raise Unavailable("key-unknown", "Old rows lie in sealed files: EMR_KEYS__MASTER is needed to read them.")
    return keyring


class Files:
    """Reads files of one stream; connects when the first is asked for.

    faults: files that are not what was written, and whose locked copies were read instead.
    """

    def __init__(self, stream: str, keyring: Keyring | None) -> None:
        self._stream, self._keyring = stream, keyring
        self._runner = asyncio.Runner()
        self._stores: Stores | None = None
        self._locked: LockedStore | None = None
        self.faults: list[str] = []

    def read(self, archive: Archive) -> list[str]:
        """Its texts. Raises `Unreadable`, and `Unavailable` without the keys or the object store."""
        try:
            return self._runner.run(texts(self._blobs(), archive))
        except Unreadable as error:
            held = self._runner.run(self._copy(archive))
            if held is None:
                raise
            span = archive.span
            self.faults.append(f"the file of rows {span.first} to {span.last}: {error}; its locked copy is whole")
            return held

    def _blobs(self) -> BlobStore:
        if self._stores is None:
            self._stores = open_stores(Settings())
        return self._stores.blobs(self._stream, demanded(self._keyring), Rowless())

    async def _copy(self, archive: Archive) -> list[str] | None:
        """The texts of the copy under object lock; None where there is none, or none that is whole."""
        if self._locked is None:
            self._locked = open_locked(Settings())
        try:
            found = await self._locked.find(archive.locked_name) if self._locked.locks else []
            body = await self._locked.get(found[0]) if found else b""
            store = cast("ObjectStore", _OneObject(self._stream, body))
            return await texts(BlobStore(store, demanded(self._keyring), Rowless()), archive) if body else None
        except (Unreadable, StoreUnavailable):
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._runner.close()
        if self._stores is not None:
            self._stores.close()
        if self._locked is not None:
            self._locked.close()


class _OneObject:
    """Sealed bytes that are here already, as a store would give them."""

    def __init__(self, prefix: str, body: bytes) -> None:
        self.prefix, self._body = prefix, body

    async def get(self, key: str, start: int = 0, end: int | None = None) -> Fetched:
        del key
        return Fetched(len(self._body), _whole(self._body[start:end]))


async def _whole(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body

"""A stream's files opened one after the other by who walks a trail outside of the service."""

import asyncio
from types import TracebackType
from typing import Self

from emr.audit.archives import Archive, texts
from emr.kernel.errors import Unavailable
from emr.settings import Settings
from emr.storage.blobs import BlobStore
from emr.storage.keys import Keyring
from emr.storage.opening import Stores, open_stores


class Files:
    """Reads files of one hospital; connects when the first is asked for."""

    def __init__(self, stream: str, keyring: Keyring | None) -> None:
        self._stream, self._keyring = stream, keyring
        self._runner = asyncio.Runner()
        self._stores: Stores | None = None

    def read(self, archive: Archive) -> list[str]:
        """Its texts. Raises `Unreadable`, and `Unavailable` without the keys or the object store."""
        return self._runner.run(texts(self._blobs(), archive))

    def _blobs(self) -> BlobStore:
        if self._keyring is None:
            raise Unavailable("key-unknown", "Old rows lie in sealed files: EMR_KEYS__MASTER is needed to read them.")
        if self._stores is None:
            self._stores = open_stores(Settings())
        return self._stores.blobs(self._stream, self._keyring, _NoRows())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._runner.close()
        if self._stores is not None:
            self._stores.close()


class _NoRows:
    """A file is found by its row in `audit_archives`, not by that of its blob."""

    async def execute(self, sql: str, /, *args: object) -> object:
        raise NotImplementedError

    async def fetch(self, sql: str, /, *args: object) -> list[object]:
        raise NotImplementedError

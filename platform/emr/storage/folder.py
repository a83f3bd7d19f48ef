"""Objects in a folder, for the demo and for tests; production refuses it.

An object is written to a file of its own outside the listing, flushed to disk, then given its name, then the folder's
entry is flushed: after a crash at any moment an object is there whole or not at all.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from emr.storage.errors import ObjectMissing, StoreUnavailable
from emr.storage.ports import NAME, Fetched, ObjectInfo, checked_prefix

READ_BYTES: Final = 1 << 20
_UNFINISHED: Final = ".unfinished"
R = TypeVar("R")


class FolderStore:
    """An `ObjectStore` for one hospital under `root/prefix`."""

    def __init__(self, root: Path, prefix: str) -> None:
        self.prefix = checked_prefix(prefix)
        self._home = root / prefix

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """See `ObjectStore.put`."""
        target = self._path(key)
        part = self._home / _UNFINISHED / secrets.token_hex(16)
        file = await _disk(lambda: _create(part))
        try:
            size = 0
            async for chunk in chunks:
                size += await _disk(partial(file.write, chunk))
            await _disk(lambda: _finish(file, part, target))
        finally:
            with suppress(OSError):
                file.close()
                part.unlink(missing_ok=True)
        return size

    async def get(self, key: str, start: int = 0, end: int | None = None) -> Fetched:
        """See `ObjectStore.get`."""
        path = self._path(key)
        file = await _disk(lambda: path.open("rb"))
        total = os.fstat(file.fileno()).st_size
        return Fetched(total, _chunks(file, start, total if end is None else min(end, total)))

    async def head(self, key: str) -> ObjectInfo | None:
        """See `ObjectStore.head`."""
        path = self._path(key)
        try:
            return await _disk(lambda: _info(key, path))
        except ObjectMissing:
            return None

    async def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        path = self._path(key)
        await _disk(lambda: path.unlink(missing_ok=True))

    async def list(self, start: str = "") -> AsyncIterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        for shelf in await _disk(lambda: _names(self._home)):
            for name in await _disk(partial(_names, self._home / shelf)):
                key = f"{shelf}/{name}"
                found = await self.head(key) if NAME.fullmatch(key) and key.startswith(start) else None
                if found is not None:
                    yield found

    def _path(self, key: str) -> Path:
        if not NAME.fullmatch(key):
            raise ObjectMissing
        return self._home / key


def _create(part: Path) -> BinaryIO:
    part.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return part.open("xb")


def _finish(file: BinaryIO, part: Path, target: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    target.parent.mkdir(exist_ok=True, mode=0o700)
    part.rename(target)
    for folder in (target.parent, target.parent.parent):
        entry = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(entry)
        finally:
            os.close(entry)


def _info(key: str, path: Path) -> ObjectInfo:
    state = path.stat()
    return ObjectInfo(key, state.st_size, datetime.fromtimestamp(state.st_mtime, UTC))


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


async def _chunks(file: BinaryIO, start: int, end: int) -> AsyncGenerator[bytes, None]:
    try:
        await _disk(lambda: file.seek(start))
        left = end - start
        while left > 0 and (chunk := await _disk(partial(file.read, min(READ_BYTES, left)))):
            left -= len(chunk)
            yield chunk
    finally:
        file.close()


async def _disk(job: Callable[[], R]) -> R:
    """Run one call that may wait for the disk in a thread."""
    try:
        return await asyncio.to_thread(job)
    except FileNotFoundError as error:
        raise ObjectMissing from error
    except OSError as error:
        raise StoreUnavailable from error

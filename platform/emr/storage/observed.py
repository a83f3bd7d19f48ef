"""Every call of an object store, traced and timed.

A span and a measurement say which verb, how many bytes and how it ended; never which object.
"""

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from emr.kernel.errors import NotFound
from emr.storage.ports import Fetched, ObjectInfo, ObjectStore
from emr.telemetry.metrics import storage_call
from emr.telemetry.spans import describe, span

Measure = Callable[[str, float, str], None]
"""Called with the verb (put, get, head, delete, list), seconds, and how it ended: ok, missing or failed."""


class ObservedStore:
    """An `ObjectStore` that asks another and tells telemetry about it."""

    def __init__(self, store: ObjectStore, measure: Measure = storage_call) -> None:
        self.prefix = store.prefix
        self._store = store
        self._measure = measure

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """See `ObjectStore.put`; the time includes waiting for the sender."""
        with self._call("put"):
            size = await self._store.put(key, chunks)
            describe(bytes=size)
        return size

    async def get(self, key: str, start: int = 0, end: int | None = None) -> Fetched:
        """See `ObjectStore.get`; the time is that to the first byte."""
        with self._call("get"):
            fetched = await self._store.get(key, start, end)
            describe(bytes=fetched.total)
        return fetched

    async def head(self, key: str) -> ObjectInfo | None:
        """See `ObjectStore.head`."""
        with self._call("head"):
            return await self._store.head(key)

    async def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        with self._call("delete"):
            await self._store.delete(key)

    async def list(self, start: str = "") -> AsyncIterator[ObjectInfo]:
        """See `ObjectStore.list`; not a span, for a listing lasts as long as its reader likes."""
        async for info in self._store.list(start):
            yield info

    @contextmanager
    def _call(self, verb: str) -> Iterator[None]:
        began, outcome = time.perf_counter(), "failed"
        with span("object store", verb=verb):
            try:
                yield
                outcome = "ok"
            except NotFound:
                outcome = "missing"
                raise
            finally:
                self._measure(verb, time.perf_counter() - began, outcome)

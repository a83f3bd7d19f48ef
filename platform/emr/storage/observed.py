"""Every call of an object store, traced and timed.

A span and a measurement say which hospital's prefix, which verb, how many bytes and how it ended; never which object.
"""

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Tracer

from emr.kernel.errors import NotFound
from emr.storage.ports import Fetched, ObjectInfo, ObjectStore

Measure = Callable[[str, float, str], None]
"""Called with the verb (put, get, head, delete, list), seconds, and how it ended: ok, missing or failed."""


def unmeasured(verb: str, seconds: float, outcome: str) -> None:
    """A `Measure` that keeps nothing."""
    del verb, seconds, outcome


class ObservedStore:
    """An `ObjectStore` that asks another and tells telemetry about it."""

    def __init__(self, store: ObjectStore, measure: Measure = unmeasured) -> None:
        self.prefix = store.prefix
        self._store = store
        self._measure = measure
        self._tracer: Tracer = trace.get_tracer("emr.storage")

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """See `ObjectStore.put`; the time includes waiting for the sender."""
        with self._call("put") as span:
            size = await self._store.put(key, chunks)
            span.set_attribute("emr.storage.bytes", size)
        return size

    async def get(self, key: str, start: int = 0, end: int | None = None) -> Fetched:
        """See `ObjectStore.get`; the time is that to the first byte."""
        with self._call("get") as span:
            fetched = await self._store.get(key, start, end)
            span.set_attribute("emr.storage.bytes", fetched.total)
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
    def _call(self, verb: str) -> Iterator[trace.Span]:
        began, outcome = time.perf_counter(), "failed"
        attributes = {"emr.tenant": self.prefix, "emr.storage.verb": verb}
        with self._tracer.start_as_current_span(
            f"object_store.{verb}", kind=SpanKind.CLIENT, attributes=attributes, record_exception=False
        ) as span:
            try:
                yield span
                outcome = "ok"
            except NotFound:
                outcome = "missing"
                raise
            finally:
                self._measure(verb, time.perf_counter() - began, outcome)

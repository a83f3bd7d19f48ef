"""Big streams in little memory, and what telemetry sees of a call."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from emr.storage.blobs import BlobStore
from emr.storage.errors import ObjectMissing
from emr.storage.folder import FolderStore
from emr.storage.keys import Keyring
from emr.storage.observed import ObservedStore
from emr.storage.ports import ObjectStore, new_key
from emr.telemetry import spans
from tests.storage.conftest import PREFIX
from tests.storage.memory import RowsInMemory, stream

MIB = 1 << 20


class Peak:
    """The most memory that this process held while it was watched, above what it held before."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self.growth = 0

    def look(self) -> None:
        self.growth = max(self.growth, self._process.memory_info().rss - self._before)


@pytest.mark.anyio
@pytest.mark.server
class TestMemory:
    async def test_300_mib_through_and_back_stay_under_100_mib(self, store: ObjectStore, keyring: Keyring) -> None:
        peak, block = Peak(), secrets.token_bytes(MIB)

        async def scan() -> AsyncIterator[bytes]:
            for _ in range(300):
                peak.look()
                yield block

        blobs = BlobStore(store, keyring, RowsInMemory())
        blob = await blobs.put(scan(), media_type="application/octet-stream", limit=400 * MIB)
        size = 0
        async for chunk in blobs.open(blob):
            peak.look()
            size += len(chunk)
        assert size == 300 * MIB
        print(f"peak growth {peak.growth / MIB:.0f} MiB")
        assert peak.growth < 100 * MIB


class TestObserved:
    def test_a_span_names_the_verb_and_never_the_object(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        exported, measured = InMemorySpanExporter(), []
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exported))
        monkeypatch.setattr(spans._Process, "tracer", provider.get_tracer("emr"))
        monkeypatch.setattr(spans._Process, "ratio", 1.0)
        store = ObservedStore(FolderStore(tmp_path, PREFIX), lambda *call: measured.append(call))
        key = new_key()
        with spans.root_span("request"):
            asyncio.run(store.put(key, stream(b"scan")))
            with pytest.raises(ObjectMissing):
                asyncio.run(store.get(new_key()))
        told = [(span.name, dict(span.attributes or {})) for span in exported.get_finished_spans()]
        assert told[0] == ("object store", {"emr.verb": "put", "emr.bytes": 4})
        assert told[1] == (
            "object store",
            {"emr.verb": "get", "error.type": "ObjectMissing", "emr.refusal": "object-missing"},
        )
        assert [(verb, outcome) for verb, _, outcome in measured] == [("put", "ok"), ("get", "missing")]
        assert key[3:] not in "".join(span.to_json() for span in exported.get_finished_spans())
        provider.shutdown()

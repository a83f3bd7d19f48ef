"""Objects that no row names: what crashes and failed transactions leave behind."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from emr.storage.blobs import Statements
from emr.storage.ports import ObjectInfo, ObjectStore

GRACE: Final = timedelta(hours=24)
_BATCH: Final = 500
_KNOWN: Final = "SELECT key FROM blobs WHERE key = ANY($1::text[])"


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep saw: objects looked at, orphans removed, sealed bytes given back."""

    seen: int
    removed: int
    size: int


async def sweep(store: ObjectStore, rows: Statements, now: datetime, grace: timedelta = GRACE) -> Swept:
    """Remove a hospital's objects that have no row and are older than `grace`.

    The grace is longer than any transaction: a younger object may belong to one that has not committed yet.
    """
    seen = removed = size = 0
    async for batch in _batches(store):
        seen += len(batch)
        old = {info.key: info for info in batch if now - info.modified > grace}
        known = {row["key"] for row in await rows.fetch(_KNOWN, list(old))}
        for key in old.keys() - known:
            await store.delete(key)
            removed, size = removed + 1, size + old[key].size
    return Swept(seen, removed, size)


async def _batches(store: ObjectStore) -> AsyncIterator[list[ObjectInfo]]:
    batch: list[ObjectInfo] = []
    async for info in store.list():
        batch.append(info)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch

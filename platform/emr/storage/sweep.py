"""Objects that no row names: what crashes and failed transactions leave behind, and what lost its row by damage.

The two cannot be told apart, and of the second kind a backup still has the row. So an orphan is remembered when it is
first seen, and removed when no sweep has found a row for it for as long as backups are kept: until then a document of
any moment that a backup reaches can be brought back. What is remembered stands in the hospital's table `indexing`.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from emr.storage.blobs import Statements
from emr.storage.ports import ObjectInfo, ObjectStore

GRACE: Final = timedelta(hours=24)
_BATCH: Final = 500
_KNOWN: Final = "SELECT key FROM blobs WHERE key = ANY($1::text[])"
_MOST: Final = 20_000
"""Orphans that are remembered; what is more waits for its turn."""
_SEEN: Final = "SELECT state::text AS state FROM indexing WHERE name = 'orphans'"
_REMEMBER: Final = """
INSERT INTO indexing (name, state) VALUES ('orphans', $1::text::jsonb)
ON CONFLICT (name) DO UPDATE SET state = excluded.state, updated = now()
"""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep saw: objects looked at, orphans that are kept for now, orphans removed, sealed bytes given back."""

    seen: int
    kept: int
    removed: int
    size: int


async def sweep(store: ObjectStore, rows: Statements, now: datetime, keep: timedelta) -> Swept:
    """Remove a hospital's objects that have had no row for as long as `keep`, as far as sweeps have seen.

    What is younger than a day is not looked at: it may belong to a transaction that has not committed yet.
    """
    remembered = await _remembered(rows)
    waiting: dict[str, str] = {}
    seen = removed = size = 0
    async for batch in _batches(store):
        seen += len(batch)
        old = {info.key: info for info in batch if now - info.modified > GRACE}
        known = {row["key"] for row in await rows.fetch(_KNOWN, list(old))}
        for key in sorted(old.keys() - known):
            since = remembered.get(key, now.isoformat())
            if now - datetime.fromisoformat(since) >= keep:
                await store.delete(key)
                removed, size = removed + 1, size + old[key].size
            elif len(waiting) < _MOST:
                waiting[key] = since
    if waiting != remembered:
        await rows.execute(_REMEMBER, json.dumps(waiting))
    return Swept(seen, len(waiting), removed, size)


async def _remembered(rows: Statements) -> dict[str, Any]:
    """When each orphan was first seen, by key."""
    found = await rows.fetch(_SEEN)
    return dict(json.loads(found[0]["state"])) if found else {}


async def _batches(store: ObjectStore) -> AsyncIterator[list[ObjectInfo]]:
    batch: list[ObjectInfo] = []
    async for info in store.list():
        batch.append(info)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch

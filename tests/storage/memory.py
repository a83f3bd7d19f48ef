"""Plain means for storage tests: streams, and a `blobs` table of a few dozen rows without a database."""

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import Any


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def joined(chunks: AsyncIterable[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


class RowsInMemory:
    """Stands in for the transaction; tests/storage/test_rows.py runs the same statements on PostgreSQL."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Any, ...]] = {}
        self.orphans: str | None = None

    async def execute(self, sql: str, /, *args: Any) -> object:
        if "indexing" in sql:
            self.orphans = args[0]
        elif sql.startswith("INSERT"):
            key, digest, size, media_type, key_id, *_ = args
            self.rows[key] = (key, digest.hex(), size, media_type, key_id)
        else:
            self.rows.pop(args[0], None)
        return None

    async def fetch(self, sql: str, /, *args: Any) -> Sequence[Any]:
        if "indexing" in sql:
            return [] if self.orphans is None else [{"state": self.orphans}]
        if "ANY" in sql:
            return [{"key": key} for key in args[0] if key in self.rows]
        return [self.rows[args[0]]] if args[0] in self.rows else []

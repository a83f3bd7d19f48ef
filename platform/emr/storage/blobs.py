"""What features see: sealed content of one hospital inside one unit of work.

The bytes go to the object store first and the row joins the caller's transaction. A crash between the two, or a
transaction that fails, leaves an object without a row, which nothing can name and `sweep` removes. The reverse, a row
without its object, cannot come about: an object goes only after the commit that removed its row.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from emr.kernel.errors import NotFound
from emr.kernel.tenant import Level, level_of
from emr.storage.errors import BlobTooLarge, ObjectMissing, SealBroken, StorageFull, StoreUnavailable
from emr.storage.keys import Keyring
from emr.storage.ports import ObjectStore, new_key
from emr.storage.room import LASTING, Room
from emr.storage.sealed import HEADER_BYTES, Header, Layout, ObjectSeal, new_header, place_of, seal, unseal

_INSERT: Final = (
    "INSERT INTO blobs (key, digest, size, media_type, key_id, scan_state, retention_class)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)"
)
_FIND: Final = "SELECT key, encode(digest, 'hex'), size, media_type, key_id FROM blobs WHERE key = $1"
_FIND_MANY: Final = "SELECT key, encode(digest, 'hex'), size, media_type, key_id FROM blobs WHERE key = ANY ($1)"
_DELETE: Final = "DELETE FROM blobs WHERE key = $1"


class Statements(Protocol):
    """The connection of a unit of work, already this hospital's."""

    def execute(self, sql: str, /, *args: Any) -> Awaitable[object]:
        """Run one statement."""
        ...

    def fetch(self, sql: str, /, *args: Any) -> Awaitable[Sequence[Any]]:
        """The rows of one statement."""
        ...


@dataclass(frozen=True, slots=True)
class Blob:
    """Stored content: `digest` is the SHA-256 of the plain bytes in hex, `size` their number."""

    key: str
    digest: str
    size: int
    media_type: str
    key_id: str


@dataclass(slots=True)
class _Meter:
    """Counts and hashes what flows through, and stops it at the limit."""

    limit: int
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    async def watch(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self.size += len(chunk)
            if self.size > self.limit:
                raise BlobTooLarge(self.limit)
            self.digest.update(chunk)
            yield chunk


@dataclass(frozen=True, slots=True)
class Limits:
    """The most bytes of lasting content that a hospital may have (0: no limit), and what it has."""

    most: int = 0
    room: Room = field(default_factory=Room)


class BlobStore:
    """The blobs of one hospital, in one transaction."""

    def __init__(self, store: ObjectStore, keyring: Keyring, rows: Statements, limits: Limits | None = None) -> None:
        self._store = store
        self._limits = limits or Limits()
        self._added = 0
        self._keyring = keyring
        self._rows = rows
        self._written: list[str] = []
        self._removed: list[str] = []

    async def put(
        self,
        stream: AsyncIterable[bytes],
        *,
        media_type: str,
        limit: int,
        retention_class: str = LASTING,
        key: str = "",
    ) -> Blob:
        """Seal and store a stream. Raises `BlobTooLarge` as soon as it passes `limit` bytes, `StorageFull` as soon as
        it passes what the hospital has left, `StoreUnavailable`.

        Under a new key, unless an import brings a key of old that `find` does not know here.
        """
        brought, key = bool(key), key or new_key()
        most = self._limits.most if retention_class == LASTING else 0
        left = await self._limits.room.left(self._rows, most) if most else limit
        header, meter = new_header(self._keyring), _Meter(min(limit, left))
        sealing = ObjectSeal(self._keyring, header, place_of(self._store.prefix, key))
        if brought:
            # A crash may have left an object there, whose row was never committed.
            await self._store.delete(key)
        try:
            await self._store.put(key, seal(meter.watch(stream), sealing))
        except BlobTooLarge as error:
            if left < limit:
                raise StorageFull(most) from error
            raise
        self._written.append(key)
        if most:
            self._limits.room.used += meter.size
            self._added += meter.size
        blob = Blob(key, meter.digest.hexdigest(), meter.size, media_type, header.key_id)
        digest = meter.digest.digest()
        await self._rows.execute(_INSERT, key, digest, blob.size, media_type, blob.key_id, "unscanned", retention_class)
        return blob

    async def name_again(self, blob: Blob) -> None:
        """A row for an object that has lost its own. Raises `ObjectMissing`, `SealBroken` where it is not that one."""
        await self.prove(blob)
        kept = blob.key, bytes.fromhex(blob.digest), blob.size, blob.media_type, blob.key_id
        await self._rows.execute(_INSERT, *kept, "unscanned", LASTING)

    async def prove(self, blob: Blob) -> None:
        """Read an object to its end and compare it with its digest. Raises `ObjectMissing`, `SealBroken`."""
        digest = hashlib.sha256()
        async with aclosing(self.open(blob)) as content:
            async for chunk in content:
                digest.update(chunk)
        if digest.hexdigest() != blob.digest:
            raise SealBroken("its content is not what was stored")

    async def find(self, key: str) -> Blob:
        """The blob with this key. Raises `NotFound`."""
        rows = await self._rows.fetch(_FIND, key)
        if not rows:
            raise NotFound("content-not-found", "There is no such content.")
        return Blob(*rows[0])

    async def find_many(self, keys: Sequence[str]) -> dict[str, Blob]:
        """By key, those of `keys` that are here, in one exchange."""
        return {row[0]: Blob(*row) for row in await self._rows.fetch(_FIND_MANY, list(keys))}

    async def used(self) -> int:
        """Bytes of this hospital's content, a minute old at most; without what goes away by itself."""
        return await self._limits.room.look(self._rows)

    async def level(self) -> Level:
        """Whether the hospital's room is nearly or quite used up."""
        most = self._limits.most
        return level_of(await self.used(), most) if most else ""

    async def open(self, blob: Blob, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The plain bytes from `start` up to but not including `end`; needs no transaction once it has begun.

        Raises `SealBroken` before any byte of a damaged segment is given, `ObjectMissing`, `StoreUnavailable`.
        """
        stop = blob.size if end is None else min(end, blob.size)
        if start >= stop and blob.size:
            return
        header, body = await self._begin(blob, whole=start == 0 and stop == blob.size)
        layout = Layout(blob.size, header.segment)
        first, after = start // header.segment, max(1, -(-stop // header.segment))
        if body is None:
            body = (await self._store.get(blob.key, layout.offset(first), layout.offset(after))).chunks
        sealing = ObjectSeal(self._keyring, header, place_of(self._store.prefix, blob.key))
        position = first * header.segment
        async with aclosing(body):
            async for segment in unseal(body, sealing, (first, after, layout.segments)):
                yield segment[max(0, start - position) : stop - position]
                position += len(segment)

    async def _begin(self, blob: Blob, *, whole: bool) -> tuple[Header, AsyncGenerator[bytes, None] | None]:
        """The header; when all of the object is wanted, its body too from the same request."""
        fetched = await self._store.get(blob.key, 0, None if whole else HEADER_BYTES)
        async with AsyncExitStack() as undo:
            await undo.enter_async_context(aclosing(fetched.chunks))
            held = bytearray()
            while len(held) < HEADER_BYTES and (chunk := await anext(fetched.chunks, b"")):
                held += chunk
            header = Header.decode(bytes(held[:HEADER_BYTES]))
            if fetched.total != Layout(blob.size, header.segment).sealed_size:
                raise SealBroken("its size is not what was stored")
            if not whole:
                return header, None
            undo.pop_all()
        return header, _joined(bytes(held[HEADER_BYTES:]), fetched.chunks)

    async def delete(self, blob: Blob) -> None:
        """Forget a blob: the row goes in this transaction, the object after its commit."""
        await self._rows.execute(_DELETE, blob.key)
        self._removed.append(blob.key)

    async def after_commit(self) -> None:
        """Remove the objects of deleted rows; what cannot be removed now is left to `sweep`."""
        await self._drop(self._removed)

    async def after_rollback(self) -> None:
        """Remove the objects that this unit of work wrote; what cannot be removed now is left to `sweep`."""
        self._limits.room.used -= self._added
        await self._drop(self._written)

    async def _drop(self, keys: list[str]) -> None:
        with suppress(StoreUnavailable, ObjectMissing):
            for key in keys:
                await self._store.delete(key)
        self._written, self._removed = [], []


async def _joined(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for chunk in rest:
            yield chunk

"""Content as features see it: sealed, measured, in ranges, in step with its rows."""

import hashlib
import os
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emr.kernel.errors import NotFound
from emr.storage.blobs import BlobStore
from emr.storage.errors import BlobTooLarge, ObjectMissing, SealBroken
from emr.storage.keys import Keyring
from emr.storage.ports import ObjectStore, new_key
from emr.storage.sealed import SEGMENT_BYTES
from emr.storage.sweep import Swept, sweep
from tests.storage.conftest import OTHER, PREFIX
from tests.storage.memory import RowsInMemory, joined, stream

pytestmark = [pytest.mark.anyio, pytest.mark.server]
LIMIT = 64 << 20
KEEP = timedelta(days=35)


@pytest.fixture
def rows() -> RowsInMemory:
    return RowsInMemory()


@pytest.fixture
def blobs(store: ObjectStore, keyring: Keyring, rows: RowsInMemory) -> BlobStore:
    return BlobStore(store, keyring, rows)


async def keys(store: ObjectStore) -> list[str]:
    return [info.key async for info in store.list()]


class TestPut:
    async def test_it_tells_digest_and_size_and_keeps_a_row(self, blobs: BlobStore, rows: RowsInMemory) -> None:
        blob = await blobs.put(stream(b"first ", b"second"), media_type="text/plain", limit=LIMIT)
        assert (blob.digest, blob.size) == (hashlib.sha256(b"first second").hexdigest(), 12)
        assert await blobs.find(blob.key) == blob

    async def test_the_store_holds_no_plain_bytes(self, blobs: BlobStore, store: ObjectStore) -> None:
        blob = await blobs.put(stream(b"Nguyen Van An" * 100), media_type="text/plain", limit=LIMIT)
        assert b"Nguyen" not in await joined((await store.get(blob.key)).chunks)

    async def test_it_stops_as_soon_as_the_limit_is_passed(self, blobs: BlobStore, store: ObjectStore) -> None:
        taken = 0

        async def endless() -> Any:
            nonlocal taken
            while True:
                taken += 1
                yield bytes(1000)

        with pytest.raises(BlobTooLarge):
            await blobs.put(endless(), media_type="text/plain", limit=9_999)
        assert taken == 10
        assert await keys(store) == []


class TestFind:
    async def test_an_unknown_key_is_not_found(self, blobs: BlobStore) -> None:
        with pytest.raises(NotFound):
            await blobs.find(new_key())


class TestOpen:
    @pytest.mark.parametrize("size", [0, 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 9 * SEGMENT_BYTES + 5])
    async def test_the_whole_comes_back(self, blobs: BlobStore, size: int) -> None:
        content = os.urandom(size)
        blob = await blobs.put(stream(content), media_type="text/plain", limit=LIMIT)
        assert await joined(blobs.open(blob)) == content

    async def test_a_range_is_the_slice(self, blobs: BlobStore) -> None:
        content = os.urandom(3 * SEGMENT_BYTES + 17)
        blob = await blobs.put(stream(content), media_type="text/plain", limit=LIMIT)
        edges = [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES, len(content) - 1]
        for start in edges:
            for end in [*edges, len(content), len(content) + 9]:
                assert await joined(blobs.open(blob, start, end)) == content[start:end]

    async def test_a_range_reads_only_the_segments_it_needs(self, keyring: Keyring, store: ObjectStore) -> None:
        asked: list[tuple[int, int | None]] = []

        class Counting:
            prefix, put, head, delete, list = store.prefix, store.put, store.head, store.delete, store.list

            async def get(self, key: str, start: int = 0, end: int | None = None) -> Any:
                asked.append((start, end))
                return await store.get(key, start, end)

        blobs = BlobStore(Counting(), keyring, RowsInMemory())
        blob = await blobs.put(stream(bytes(5 * SEGMENT_BYTES)), media_type="text/plain", limit=LIMIT)
        await joined(blobs.open(blob, 2 * SEGMENT_BYTES + 5, 2 * SEGMENT_BYTES + 6))
        step = SEGMENT_BYTES + 16
        assert asked == [(0, 96), (96 + 2 * step, 96 + 3 * step)]

    async def test_another_hospital_cannot_open_it_even_with_the_object_copied(
        self, make_store: Any, keyring: Keyring
    ) -> None:
        ours, theirs = make_store(PREFIX), make_store(OTHER)
        blob = await BlobStore(ours, keyring, RowsInMemory()).put(stream(b"x"), media_type="text/plain", limit=LIMIT)
        blobs = BlobStore(theirs, keyring, RowsInMemory())
        with pytest.raises(ObjectMissing):
            await joined(blobs.open(blob))
        await theirs.put(blob.key, (await ours.get(blob.key)).chunks)
        with pytest.raises(SealBroken):
            await joined(blobs.open(blob))

    async def test_a_cut_object_is_found_even_when_the_range_lies_before_the_cut(
        self, blobs: BlobStore, store: ObjectStore
    ) -> None:
        blob = await blobs.put(stream(bytes(2 * SEGMENT_BYTES)), media_type="text/plain", limit=LIMIT)
        cut = await joined((await store.get(blob.key, 0, 96 + SEGMENT_BYTES + 16)).chunks)
        await store.delete(blob.key)
        await store.put(blob.key, stream(cut))
        with pytest.raises(SealBroken):
            await joined(blobs.open(blob, 0, 10))

    async def test_reading_on_and_stopping_early_lets_go(self, blobs: BlobStore) -> None:
        blob = await blobs.put(stream(os.urandom(3 * SEGMENT_BYTES)), media_type="text/plain", limit=LIMIT)
        chunks = blobs.open(blob)
        await anext(chunks)
        await chunks.aclose()


class TestDelete:
    async def test_the_object_goes_after_the_commit(self, blobs: BlobStore, store: ObjectStore) -> None:
        blob = await blobs.put(stream(b"x"), media_type="text/plain", limit=LIMIT)
        await blobs.after_commit()
        await blobs.delete(blob)
        assert await keys(store) == [blob.key]
        await blobs.after_commit()
        assert await keys(store) == []

    async def test_a_failed_transaction_takes_its_objects_along(self, blobs: BlobStore, store: ObjectStore) -> None:
        await blobs.put(stream(b"x"), media_type="text/plain", limit=LIMIT)
        await blobs.after_rollback()
        assert await keys(store) == []


class TestSweep:
    async def test_only_what_has_had_no_row_for_as_long_as_backups_are_kept_goes(
        self, blobs: BlobStore, store: ObjectStore, rows: RowsInMemory
    ) -> None:
        kept = await blobs.put(stream(b"kept"), media_type="text/plain", limit=LIMIT)
        orphan = await blobs.put(stream(b"orphan"), media_type="text/plain", limit=LIMIT)
        del rows.rows[orphan.key]
        now = datetime.now(UTC)
        assert await sweep(store, rows, now, KEEP) == Swept(2, 0, 0, 0)
        found = now + timedelta(hours=25)
        assert await sweep(store, rows, found, KEEP) == Swept(2, 1, 0, 0)
        assert (await sweep(store, rows, found + KEEP - timedelta(seconds=1), KEEP)).removed == 0
        assert (await sweep(store, rows, found + KEEP, KEEP)).removed == 1
        assert await keys(store) == [kept.key]

    async def test_one_that_has_its_row_again_is_no_orphan_any_more(
        self, blobs: BlobStore, store: ObjectStore, rows: RowsInMemory
    ) -> None:
        blob = await blobs.put(stream(b"lost and found"), media_type="text/plain", limit=LIMIT)
        del rows.rows[blob.key]
        later = datetime.now(UTC) + timedelta(days=400)
        assert (await sweep(store, rows, later, KEEP)).kept == 1
        await blobs.name_again(blob)
        assert (await sweep(store, rows, later + KEEP, KEEP)).kept == 0
        del rows.rows[blob.key]
        assert (await sweep(store, rows, later + KEEP, KEEP)).removed == 0
        assert await keys(store) == [blob.key]

    async def test_more_than_one_batch(self, store: ObjectStore, rows: RowsInMemory) -> None:
        for _ in range(12):
            await store.put(secrets.token_hex(1) + "/" + secrets.token_hex(19), stream(b"x"))
        then = datetime.now(UTC) + timedelta(hours=25)
        assert await sweep(store, rows, then, KEEP) == Swept(12, 12, 0, 0)
        assert await sweep(store, rows, then + KEEP, KEEP) == Swept(12, 0, 12, 12)


class TestNameAgain:
    async def test_another_content_gets_no_row(self, blobs: BlobStore, store: ObjectStore, rows: RowsInMemory) -> None:
        blob = await blobs.put(stream(b"then"), media_type="text/plain", limit=LIMIT)
        rows.rows.clear()
        with pytest.raises(SealBroken):
            await blobs.name_again(replace(blob, digest="00" * 32))
        await store.delete(blob.key)
        with pytest.raises(ObjectMissing):
            await blobs.name_again(blob)
        assert rows.rows == {}

"""What both adapters of the object port promise, on a folder and on a real MinIO."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from emr.storage.errors import ObjectMissing
from emr.storage.ports import ObjectStore, new_key
from emr.storage.s3 import PART_BYTES
from tests.storage.conftest import OTHER, PREFIX
from tests.storage.memory import joined, stream

pytestmark = [pytest.mark.anyio, pytest.mark.server]

CLIMBING = [
    "../" + OTHER + "/" + "0" * 38,
    "",
    "aa",
    "aa/../../etc/passwd",
    "/etc/passwd",
    "AA/" + "0" * 38,
    "aa/" + "0" * 38 + "\n",
]


async def names(store: ObjectStore, start: str = "") -> list[str]:
    return [info.key async for info in store.list(start)]


async def broken(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    raise ConnectionResetError("the sender is gone")


class TestPut:
    @pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 7])
    async def test_a_stream_of_unknown_length_comes_back(self, store: ObjectStore, size: int) -> None:
        key, content = new_key(), bytes(range(256)) * (size // 256) + bytes(size % 256)
        half = len(content) // 2
        assert await store.put(key, stream(content[:half], b"", content[half:])) == size
        fetched = await store.get(key)
        assert (fetched.total, await joined(fetched.chunks)) == (size, content)

    @pytest.mark.parametrize("sent", [1, PART_BYTES + 1, 2 * PART_BYTES + 1])
    async def test_a_sender_that_breaks_off_leaves_nothing(self, store: ObjectStore, sent: int) -> None:
        with pytest.raises(ConnectionResetError):
            await store.put(new_key(), broken(bytes(sent)))
        assert await names(store) == []

    async def test_a_cancelled_upload_leaves_nothing(self, store: ObjectStore) -> None:
        begun = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield bytes(2 * PART_BYTES)
            begun.set()
            await asyncio.sleep(3600)

        upload = asyncio.create_task(store.put(new_key(), endless()))
        await begun.wait()
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        assert await names(store) == []


class TestGet:
    @pytest.mark.parametrize(("start", "end"), [(0, 10), (3, 4), (0, None), (95, None), (10, 100), (99, 100)])
    async def test_a_range_is_the_slice(self, store: ObjectStore, start: int, end: int | None) -> None:
        key, content = new_key(), bytes(range(100))
        await store.put(key, stream(content))
        fetched = await store.get(key, start, end)
        assert (fetched.total, await joined(fetched.chunks)) == (100, content[start:end])

    async def test_an_unknown_key_is_missing(self, store: ObjectStore) -> None:
        with pytest.raises(ObjectMissing):
            await store.get(new_key())


class TestHead:
    async def test_it_tells_the_size(self, store: ObjectStore) -> None:
        key = new_key()
        await store.put(key, stream(b"four"))
        found = await store.head(key)
        assert found is not None
        assert (found.key, found.size) == (key, 4)

    async def test_nothing_is_none(self, store: ObjectStore) -> None:
        assert await store.head(new_key()) is None


class TestDelete:
    async def test_it_is_gone_and_going_twice_is_no_error(self, store: ObjectStore) -> None:
        key = new_key()
        await store.put(key, stream(b"four"))
        await store.delete(key)
        await store.delete(key)
        assert await store.head(key) is None


class TestList:
    async def test_all_of_the_hospital_and_by_the_first_characters(self, store: ObjectStore) -> None:
        keys = sorted(new_key() for _ in range(5))
        for key in keys:
            await store.put(key, stream(b"x"))
        assert await names(store) == keys
        assert await names(store, keys[0][:10]) == [keys[0]]

    async def test_nothing_yet_is_an_empty_list(self, store: ObjectStore) -> None:
        assert await names(store) == []


class TestIsolation:
    async def test_the_same_key_is_nothing_in_another_hospital(self, make_store: Any) -> None:
        key, theirs, ours = new_key(), make_store(OTHER), make_store(PREFIX)
        await theirs.put(key, stream(b"theirs"))
        assert await names(ours) == []
        assert await ours.head(key) is None
        await ours.delete(key)
        assert await theirs.head(key) is not None

    @pytest.mark.parametrize("key", CLIMBING)
    async def test_a_key_that_climbs_reaches_nothing(self, store: ObjectStore, key: str) -> None:
        for attempt in (store.get(key), store.head(key), store.delete(key), store.put(key, stream(b"x"))):
            with pytest.raises(ObjectMissing):
                await attempt

    @pytest.mark.parametrize("prefix", ["", "a/b", "..", "t_AAAAAAAAAAAA", "t_aaaaaaaaaaaa/"])
    async def test_a_prefix_is_one_word(self, make_store: Any, prefix: str) -> None:
        with pytest.raises(ValueError):
            make_store(prefix)

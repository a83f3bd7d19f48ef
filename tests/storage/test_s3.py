"""What only the S3 adapter can do wrong: a server that is away, a key that is taken, parts left behind."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from emr.storage.errors import StoreUnavailable
from emr.storage.ports import new_key
from emr.storage.s3 import PART_BYTES, S3Address, S3Client, S3Store
from tests.servers.minio import minio_server
from tests.storage.conftest import PREFIX
from tests.storage.memory import joined, stream

pytestmark = [pytest.mark.anyio, pytest.mark.server]


class TestUnavailable:
    async def test_a_server_that_goes_away_and_comes_back(self, tmp_path: Path) -> None:
        with minio_server(tmp_path) as server:
            client = S3Client(server.address("emr"))
            await client.make_bucket()
            store, key = S3Store(client, PREFIX), new_key()
            await store.put(key, stream(b"scan"))
            server.stop()
            began = time.monotonic()
            for attempt in (store.put(new_key(), stream(b"x")), store.get(key), store.head(key), client.check()):
                with pytest.raises(StoreUnavailable):
                    await attempt
            assert time.monotonic() - began < 10
            server.start()
            assert await joined((await store.get(key)).chunks) == b"scan"
            client.close()

    async def test_a_server_that_never_answers_is_given_up_at_the_deadline(self) -> None:
        silent = socket.create_server(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        client = S3Client(S3Address(f"127.0.0.1:{port}", "emr", "user", "password", secure=False, deadline=0.5))
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await S3Store(client, PREFIX).head(new_key())
        assert time.monotonic() - began < 2
        client.close()
        silent.close()

    async def test_a_server_that_asks_for_patience_gets_none(self) -> None:
        async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(busy, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = S3Client(S3Address(f"127.0.0.1:{port}", "emr", "user", "password", secure=False))
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await S3Store(client, PREFIX).head(new_key())
        assert time.monotonic() - began < 3
        client.close()
        server.close()

    async def test_a_server_that_hangs_makes_only_the_first_few_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        silent = socket.create_server(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        client = S3Client(S3Address(f"127.0.0.1:{port}", "emr", "user", "password", secure=False, deadline=0.3))
        store = S3Store(client, PREFIX)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.head(new_key())
        begun: list[object] = []
        monkeypatch.setattr(client._threads, "submit", begun.append)
        for _ in range(20):
            with pytest.raises(StoreUnavailable):
                await store.put(new_key(), stream(b"x"))
        assert begun == []
        client.close()
        silent.close()

    async def test_a_wrong_secret_tells_nothing_of_it(self, client: S3Client, minio: object) -> None:
        wrong = S3Client(
            S3Address(client.minio._base_url.host, client.bucket, "emr-test", "wrong-secret", secure=False)
        )
        with pytest.raises(StoreUnavailable) as refusal:
            await S3Store(wrong, PREFIX).get(new_key())
        assert "wrong-secret" not in str(refusal.value)
        wrong.close()

    async def test_a_bucket_that_is_not_there(self, client: S3Client) -> None:
        client.bucket = "another-bucket"
        with pytest.raises(StoreUnavailable):
            await client.check()
        with pytest.raises(StoreUnavailable):
            await S3Store(client, PREFIX).put(new_key(), stream(b"x"))


class TestPut:
    async def test_a_key_that_is_taken_is_not_overwritten(self, client: S3Client) -> None:
        store, key = S3Store(client, PREFIX), new_key()
        await store.put(key, stream(b"first"))
        with pytest.raises(StoreUnavailable):
            await store.put(key, stream(b"second"))
        assert await joined((await store.get(key)).chunks) == b"first"

    async def test_an_upload_that_fails_leaves_no_parts(self, client: S3Client) -> None:
        async def broken():  # type: ignore[no-untyped-def]
            yield bytes(3 * PART_BYTES)
            raise RuntimeError("the sender is gone")

        with pytest.raises(RuntimeError):
            await S3Store(client, PREFIX).put(new_key(), broken())
        assert client.minio._list_multipart_uploads(client.bucket).uploads == []

"""Locked objects in a real MinIO: nobody changes or removes them, not even the server's root user."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from minio.commonconfig import COMPLIANCE, GOVERNANCE
from minio.error import S3Error
from minio.retention import Retention
from pydantic import SecretStr

from emr.kernel.errors import Invalid
from emr.settings import Anchors, Settings, Storage
from emr.storage.errors import ObjectMissing, StoreUnavailable
from emr.storage.locked import AppendFolder, Locked, LockedBucket, LockedStore, open_locked
from emr.storage.s3 import S3Client
from tests.servers.minio import MinioServer

UNTIL = datetime.now(UTC) + timedelta(days=3660)
NAMES = ("default/2026/11/21/235959.000000Z", "default/2026/11/22/000000.000000Z", "north/2026/12/01/000000.000000Z")


@pytest.fixture
async def bucket(minio: MinioServer) -> AsyncIterator[LockedBucket]:
    store = LockedBucket(minio.address(f"anchors-{secrets.token_hex(6)}"))
    await store.open()
    yield store
    store.close()


@pytest.fixture(params=["folder", "bucket"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, minio: MinioServer) -> AsyncIterator[LockedStore]:
    made: LockedStore = (
        AppendFolder(tmp_path / "anchors")
        if request.param == "folder"
        else LockedBucket(minio.address(f"anchors-{secrets.token_hex(6)}"))
    )
    await made.open()
    yield made
    made.close()


def root_of(minio: MinioServer) -> Minio:
    return Minio(minio.host, minio.user, minio.password, secure=False)


@pytest.mark.anyio
class TestBoth:
    async def test_what_was_put_is_found_by_name_and_read(self, store: LockedStore) -> None:
        for place in (1, 0, 2):
            await store.put(NAMES[place], b"line %d" % place, UNTIL)
        found = await store.find("default/")
        assert [each.name for each in found] == list(NAMES[:2])
        assert [await store.get(each) for each in found] == [b"line 0", b"line 1"]
        assert not any(each.disturbed for each in found)

    async def test_the_newest_is_the_last_name(self, store: LockedStore) -> None:
        assert await store.newest("default/") is None
        for name in NAMES:
            await store.put(name, b"x", UNTIL)
        assert [await store.newest(cell) for cell in ("default/", "north/", "nobody/")] == [NAMES[1], NAMES[2], None]

    async def test_what_is_not_there_is_missing(self, store: LockedStore) -> None:
        with pytest.raises(ObjectMissing):
            await store.get(Locked("default/2026/11/22/111111.000000Z"))


@pytest.mark.anyio
class TestLock:
    async def put(self, bucket: LockedBucket) -> Locked:
        await bucket.put(NAMES[0], b"first", UNTIL)
        [found] = await bucket.find("default/")
        return found

    async def test_an_object_is_kept_in_compliance_mode_until_its_time(self, bucket: LockedBucket) -> None:
        retention = await bucket.retention(await self.put(bucket))
        assert retention is not None
        assert retention.mode == COMPLIANCE
        assert abs(retention.retain_until_date - UNTIL) < timedelta(seconds=2)

    async def test_it_cannot_be_deleted_by_anybody(self, bucket: LockedBucket, minio: MinioServer) -> None:
        found = await self.put(bucket)
        name = bucket._client.bucket
        with pytest.raises(S3Error, match=r"WORM|lock|retention"):
            root_of(minio).remove_object(name, found.name, version_id=found.version)
        assert await bucket.get(found) == b"first"

    async def test_its_time_cannot_be_shortened(self, bucket: LockedBucket, minio: MinioServer) -> None:
        found = await self.put(bucket)
        soon = datetime.now(UTC) + timedelta(hours=1)
        for mode in (COMPLIANCE, GOVERNANCE):
            with pytest.raises(S3Error, match=r"WORM|lock|retention"):
                root_of(minio).set_object_retention(
                    bucket._client.bucket, found.name, Retention(mode, soon), version_id=found.version
                )

    async def test_we_do_not_write_over_it(self, bucket: LockedBucket) -> None:
        await self.put(bucket)
        with pytest.raises(StoreUnavailable):
            await bucket.put(NAMES[0], b"second", UNTIL)

    @pytest.mark.parametrize("how", ["written over", "hidden"])
    async def test_what_somebody_does_to_it_is_told_and_its_first_bytes_stay(
        self, bucket: LockedBucket, minio: MinioServer, how: str, tmp_path: Path
    ) -> None:
        await self.put(bucket)
        name = bucket._client.bucket
        if how == "hidden":
            root_of(minio).remove_object(name, NAMES[0])
        else:
            (tmp_path / "second").write_bytes(b"second")
            root_of(minio).fput_object(name, NAMES[0], str(tmp_path / "second"))
        [found] = await bucket.find("default/")
        assert found.disturbed
        assert await bucket.get(found) == b"first"

    async def test_a_bucket_without_object_lock_takes_nothing(self, minio: MinioServer) -> None:
        plain = S3Client(minio.address(f"plain-{secrets.token_hex(6)}"))
        await plain.make_bucket()
        store = LockedBucket(minio.address(plain.bucket))
        await store.open()
        with pytest.raises(StoreUnavailable):
            await store.put(NAMES[0], b"x", UNTIL)
        for each in (store, plain):
            each.close()


class TestOpening:
    def settings(self, **more: Any) -> Settings:
        return Settings(**({"profile": "test"} | more))

    def test_production_refuses_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(Invalid, match="object lock"):
            open_locked(self.settings(profile="production", anchors=Anchors(folder=tmp_path)))

    def test_the_demo_keeps_them_beside_its_objects(self, tmp_path: Path) -> None:
        made = open_locked(self.settings(profile="demo", storage=Storage(folder=tmp_path / "objects")))
        assert isinstance(made, AppendFolder)
        assert made._root == tmp_path / "objects-anchors"

    def test_an_account_of_their_own_is_used(self) -> None:
        storage = Storage(endpoint="127.0.0.1:9", access_key="objects")
        made = open_locked(
            self.settings(
                storage=storage, anchors=Anchors(access_key="anchors", secret_key=SecretStr("s"), bucket="a-bucket")
            )
        )
        assert isinstance(made, LockedBucket)
        assert made._client.bucket == "a-bucket"
        made.close()

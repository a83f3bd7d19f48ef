"""The rights of the service's own account at the object store: enough for all it does, and no more than that."""

import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from minio import Minio
from minio.commonconfig import ENABLED
from minio.credentials import StaticProvider
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.minioadmin import MinioAdmin
from minio.versioningconfig import SUSPENDED, VersioningConfig

from emr.storage.errors import ObjectMissing
from emr.storage.keys import Keyring
from emr.storage.ports import new_key
from emr.storage.s3 import PART_BYTES, S3Address, S3Client, S3Store
from emr.storage.trial import try_store
from tests.servers.minio import MinioServer
from tests.storage.conftest import OTHER, PREFIX
from tests.storage.memory import joined, stream

pytestmark = [pytest.mark.anyio, pytest.mark.server]
POLICY = Path(__file__).parents[2] / "ops" / "objects" / "policy.json"


@dataclass(frozen=True)
class Kept:
    """A bucket that keeps versions, its owner, and the service's account there."""

    owner: Minio
    service: S3Client

    @property
    def bucket(self) -> str:
        return self.service.bucket


@pytest.fixture
async def kept(minio: MinioServer) -> AsyncIterator[Kept]:
    bucket, user, password = f"emr-{secrets.token_hex(6)}", f"emr{secrets.token_hex(6)}", secrets.token_hex(16)
    owner = Minio(endpoint=minio.host, access_key=minio.user, secret_key=minio.password, secure=False)
    owner.make_bucket(bucket)
    owner.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    admin = MinioAdmin(endpoint=minio.host, credentials=StaticProvider(minio.user, minio.password), secure=False)
    text = POLICY.read_text("utf-8").replace("arn:aws:s3:::emr", f"arn:aws:s3:::{bucket}")
    admin.policy_add(user, policy=json.loads(text))
    admin.user_add(user, password)
    admin.attach_policy([user], user=user)
    service = S3Client(S3Address(minio.host, bucket, user, password, secure=False, deadline=20))
    yield Kept(owner, service)
    service.close()


class TestEnough:
    async def test_for_onboarding_and_for_being_ready(self, kept: Kept, keyring: Keyring) -> None:
        await kept.service.check()
        await kept.service.make_bucket()
        await kept.service.demand_closed()
        await try_store(S3Store(kept.service, PREFIX), keyring)

    async def test_to_store_small_and_large_list_read_and_remove(self, kept: Kept) -> None:
        store, small, large = S3Store(kept.service, PREFIX), new_key(), new_key()
        await store.put(small, stream(b"scan"))
        await store.put(large, stream(bytes(PART_BYTES + 1)))
        assert {each.key async for each in store.list()} == {small, large}
        assert len(await joined((await store.get(large)).chunks)) == PART_BYTES + 1
        await store.delete(small)
        with pytest.raises(ObjectMissing):
            await store.get(small)


class TestNoMore:
    @pytest.mark.parametrize(
        "act",
        [
            lambda minio, bucket: minio.set_bucket_versioning(bucket, VersioningConfig(SUSPENDED)),
            lambda minio, bucket: minio.set_bucket_policy(bucket, '{"Version": "2012-10-17", "Statement": []}'),
            lambda minio, bucket: minio.delete_bucket_lifecycle(bucket),
            lambda minio, bucket: minio.make_bucket(f"{bucket}-more"),
            lambda minio, bucket: minio.remove_bucket(bucket),
            lambda minio, _: list(minio.list_objects("anchors-of-somebody")),
        ],
        ids=["versions-off", "open-it", "rules-off", "another-bucket", "bucket-away", "look-elsewhere"],
    )
    async def test_than_the_work_takes(self, kept: Kept, act: Callable[[Minio, str], object]) -> None:
        with pytest.raises(S3Error) as refused:
            act(kept.service.minio, kept.bucket)
        assert refused.value.code == "AccessDenied"

    async def test_a_thief_of_it_takes_no_content_away_for_good(self, kept: Kept) -> None:
        """With it one may remove and overwrite under every prefix; what was there before stays a version."""
        store, key = S3Store(kept.service, OTHER), new_key()
        await store.put(key, stream(b"sealed"))
        name = f"{OTHER}/{key}"
        [version] = [each.version_id for each in kept.owner.list_objects(kept.bucket, name, include_version=True)]
        kept.service.minio.remove_object(kept.bucket, name)
        with pytest.raises(ObjectMissing):
            await store.get(key)
        with pytest.raises(S3Error) as refused:
            kept.service.minio.remove_object(kept.bucket, name, version_id=version)
        assert refused.value.code == "AccessDenied"
        assert list(kept.service.minio.remove_objects(kept.bucket, [DeleteObject(name, version)]))
        assert kept.owner.get_object(kept.bucket, name, version_id=version).read() == b"sealed"

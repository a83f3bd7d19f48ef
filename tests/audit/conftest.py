"""A database with two hospitals for this folder's tests that need one, and a MinIO for those that need object lock."""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest

from emr.settings import Anchors, Storage
from emr.storage.opening import open_stores
from emr_demo.postgres import Cluster
from tests.servers.minio import MinioServer, minio_server
from tests.warehouse.world import World, make_world


@pytest.fixture(scope="session")
def audited(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(cluster, tmp_path_factory.mktemp("audited"), "emr_audit_tests")


@pytest.fixture
def world(audited: World) -> World:
    audited.empty()
    return audited


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with minio_server(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture
def anchored(world: World, minio: MinioServer) -> World:
    """The world with a bucket for its anchors in MinIO; objects go there too."""
    storage = Storage(endpoint=minio.host, secure=False, access_key=minio.user, secret_key=minio.password)  # type: ignore[arg-type]
    anchors = Anchors(bucket=f"anchors-{secrets.token_hex(6)}")
    return replace(world, settings=world.settings.model_copy(update={"storage": storage, "anchors": anchors}))


@pytest.fixture
def stored(anchored: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The objects' bucket is there, and who verifies reads the same settings."""
    settings = anchored.settings
    for name, value in {
        "EMR_PROFILE": "test", "EMR_STORAGE__ENDPOINT": settings.storage.endpoint, "EMR_STORAGE__SECURE": "false",
        "EMR_STORAGE__ACCESS_KEY": settings.storage.access_key,
        "EMR_STORAGE__SECRET_KEY": settings.storage.secret_key.get_secret_value(),
        "EMR_ANCHORS__BUCKET": settings.anchors.bucket, "EMR_KEYS__MASTER": settings.keys.master.get_secret_value(),
        "EMR_KEYS__SIGNING": settings.keys.signing.get_secret_value(),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    stores = open_stores(settings)
    assert stores.client is not None
    asyncio.run(stores.client.make_bucket())
    stores.close()
    for slug in ("cau-vong", "hoa-sen"):
        anchored.sql(f"TRUNCATE {anchored.schema(slug)}.audit_archives")
        anchored.sql(f"DELETE FROM {anchored.schema(slug)}.blobs WHERE retention_class = 'audit'")
    return anchored

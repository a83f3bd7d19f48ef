"""A database with two hospitals for this folder's tests that need one, and a MinIO for those that need object lock."""

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest

from emr.settings import Anchors, Storage
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

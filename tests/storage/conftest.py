import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from emr.storage.folder import FolderStore
from emr.storage.keys import Keyring
from emr.storage.ports import ObjectStore
from emr.storage.s3 import S3Client, S3Store
from tests.servers.minio import MinioServer, minio_server

PREFIX = "t_aaaaaaaaaaaa"
OTHER = "t_bbbbbbbbbbbb"


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with minio_server(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture
async def client(minio: MinioServer) -> AsyncIterator[S3Client]:
    client = S3Client(minio.address(f"emr-{secrets.token_hex(6)}"))
    await client.make_bucket()
    yield client
    client.close()


@pytest.fixture(params=["folder", "s3"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Gives a hospital's store by its prefix, of either adapter."""
    if request.param == "folder":
        return lambda prefix: FolderStore(tmp_path / "objects", prefix)
    client = request.getfixturevalue("client")
    return lambda prefix: S3Store(client, prefix)


@pytest.fixture
def store(make_store: Any) -> ObjectStore:
    made: ObjectStore = make_store(PREFIX)
    return made


@pytest.fixture
def keyring() -> Keyring:
    return Keyring("k1", {"k1": secrets.token_bytes(32)})

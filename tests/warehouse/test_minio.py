"""The same way out, to a real S3 service that comes and goes."""

import asyncio
import io
import json
from collections import Counter
from collections.abc import Iterator

import pyarrow.parquet as parquet
import pytest
from minio import Minio
from pydantic import SecretStr

from emr.kernel.clock import utc_now
from emr.kernel.errors import Unavailable
from emr.settings import Warehouse
from emr.warehouse.table import Source, Table, TableBusy, Version
from tests.servers.minio import MinioServer, minio_server
from tests.warehouse.test_kill import POINTS, drained, killed
from tests.warehouse.test_relay import Bench, benched
from tests.warehouse.world import SLUGS, Key, World, opened, started, write_history

pytestmark = pytest.mark.server
BUCKET = "city"


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with minio_server(tmp_path_factory.mktemp("warehouse-minio")) as server:
        client(server).make_bucket(BUCKET)
        yield server


@pytest.fixture
def on_s3(relayed: World, minio: MinioServer, request: pytest.FixtureRequest) -> Iterator[World]:
    relayed.empty()
    yield relayed.at(
        Warehouse(
            url=f"s3://{BUCKET}/{request.node.name}",
            endpoint=f"http://{minio.host}",
            access_key=minio.user,
            secret_key=SecretStr(minio.password),
            poll_ms=20,
            linger_ms=0,
        )
    )
    while started:
        started.pop().kill()


def client(server: MinioServer) -> Minio:
    return Minio(server.host, server.user, server.password, secure=False)


def read_objects(server: MinioServer, world: World, slug: str) -> Counter[Key]:
    """The table through another S3 client and without any Delta library."""
    s3, prefix = client(server), world.settings.warehouse.url.removeprefix(f"s3://{BUCKET}/")
    tenant, files, found = world.tenant_id(slug), dict[str, None](), Counter[Key]()
    names = sorted(one.object_name or "" for one in s3.list_objects(BUCKET, f"{prefix}/_delta_log/"))
    for name in names:
        if name.endswith(".json"):
            for action in map(json.loads, s3.get_object(BUCKET, name).read().splitlines()):
                if "add" in action:
                    files[action["add"]["path"]] = None
    for path in files:
        body = s3.get_object(BUCKET, f"{prefix}/{path}").read()
        for row in parquet.read_table(io.BytesIO(body)).to_pylist():
            if row["tenant_id"] == tenant:
                found[row["type"], row["id"], row["version"]] += 1
    return found


class TestOnS3:
    def test_killed_workers_leave_each_version_there_once(self, on_s3: World, minio: MinioServer) -> None:
        async def scenario() -> None:
            async with opened(on_s3) as parts:
                for number, point in enumerate(POINTS[:5] * 2):
                    await write_history(parts, SLUGS[number % 2], number)
                    await killed(on_s3, point)
                await drained(on_s3)

        asyncio.run(scenario())
        for slug in SLUGS:
            assert len(on_s3.record(slug)) == 20
            assert read_objects(minio, on_s3, slug) == on_s3.record(slug) == on_s3.receipts(slug)

    def test_a_commit_is_a_conditional_put_so_that_one_of_two_writers_fails(self, on_s3: World) -> None:
        first, second = (Table(on_s3.settings.warehouse, "default") for _ in range(2))
        rows = [Version(Source("hoa-sen", "79999", "tenant"), "Patient", "p1", 1, utc_now(), deleted=False, body=b"{}")]
        assert (first.delivered(), second.delivered()) == (0, 0)
        first.append(1, rows)
        with pytest.raises(TableBusy):
            second.append(1, rows)
        assert list(second.keys("tenant")) == [("Patient", "p1", 1)]

    @pytest.mark.timeout(180)
    def test_a_service_that_goes_away_and_comes_back_gets_everything(self, on_s3: World, minio: MinioServer) -> None:
        async def scenario(bench: Bench) -> None:
            await write_history(bench.parts, "hoa-sen", 1)
            await bench.drain()
            minio.stop()
            await write_history(bench.parts, "hoa-sen", 2)
            with pytest.raises(Unavailable):
                await bench.relay().turn(await bench.lease())
            assert on_s3.waiting() == 4
            minio.start()
            await bench.drain()

        benched(on_s3, scenario)
        assert read_objects(minio, on_s3, "hoa-sen") == on_s3.record("hoa-sen") == on_s3.receipts("hoa-sen")

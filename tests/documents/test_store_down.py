"""On a real MinIO: papers come and go, and when the store is away the record is still read."""

import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emr.settings import Storage
from emr.storage.s3 import S3Client
from tests.documents.conftest import paper, picture_bytes
from tests.documents.desk import PAGE, Desk, patient_of
from tests.house import House, served
from tests.servers.chromium import chromium, tab
from tests.servers.minio import MinioServer, minio_server
from tests.servers.ports import free_port

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with minio_server(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture(scope="module")
def bucket(minio: MinioServer) -> Iterator[S3Client]:
    client = S3Client(minio.address(f"emr-{secrets.token_hex(4)}"))
    client.minio.make_bucket(client.bucket)
    yield client
    client.close()


@pytest.fixture(scope="module")
def on_s3(standing: House, minio: MinioServer, bucket: S3Client) -> Iterator[House]:
    """The same hospitals with their objects in MinIO."""
    storage = Storage(
        endpoint=minio.host, secure=False, bucket=bucket.bucket, access_key=minio.user, secret_key=minio.password
    )  # type: ignore[arg-type]
    http = standing.settings.http.model_copy(update={"base_url": f"http://127.0.0.1:{free_port()}"})
    settings = standing.settings.model_copy(update={"storage": storage, "http": http})
    with served(replace(standing, settings=settings)) as house:
        yield house


@pytest.fixture
def s3_desk(on_s3: House) -> Iterator[Desk]:
    with on_s3.client() as client:
        yield Desk(on_s3, client, patient_of(client))


def objects(bucket: S3Client) -> list[str]:
    return sorted(str(each.object_name) for each in bucket.minio.list_objects(bucket.bucket, recursive=True))


class TestOnS3:
    def test_a_paper_lies_sealed_under_its_hospitals_prefix(self, s3_desk: Desk, bucket: S3Client) -> None:
        before, content = objects(bucket), picture_bytes("PDF", paper("on S3"))
        document = s3_desk.upload(content).json()["id"]
        new = set(objects(bucket)) - set(before)
        name = new.pop()
        assert not new
        assert name.startswith(s3_desk.house.tenants["hoa-sen"].schema + "/")
        lying = bucket.minio.get_object(bucket.bucket, name)
        assert b"%PDF" not in lying.read()
        lying.close()
        assert s3_desk.get(f"/documents/{document}/original").content == content

    def test_a_bad_file_leaves_nothing_there(self, s3_desk: Desk, bucket: S3Client) -> None:
        before = objects(bucket)
        assert s3_desk.upload(picture_bytes("PNG")[:80], "x.png", "image/png").status_code == 422
        assert objects(bucket) == before


class TestStoreDown:
    def test_the_record_is_read_uploads_wait_and_nothing_is_half_done(
        self, s3_desk: Desk, minio: MinioServer, bucket: S3Client, tmp_path: Path
    ) -> None:
        document = s3_desk.upload(picture_bytes("PDF", paper("before"))).json()["id"]
        rows, before, refusals = s3_desk.stored(), objects(bucket), s3_desk.house.refusals()
        minio.stop()
        began = time.monotonic()
        refused = s3_desk.upload(picture_bytes("PDF", paper("during")))
        page = s3_desk.upload(picture_bytes("PDF", paper("during")), headers=PAGE)
        took = time.monotonic() - began
        assert (refused.status_code, refused.json()["code"]) == (503, "object-store-unavailable")
        assert page.status_code == 503
        assert "Tệp CHƯA được lưu" in page.text
        assert "Giấy ra viện tháng 10" in page.text
        assert took < 10
        assert s3_desk.house.refusals() == refusals + 2
        assert s3_desk.client.get(f"/DocumentReference/{document}").status_code == 200
        assert s3_desk.get(f"/patients/{s3_desk.patient}/documents", headers=PAGE).status_code == 200
        assert s3_desk.get(f"/documents/{document}", headers=PAGE).status_code == 200
        assert s3_desk.get(f"/documents/{document}/original").status_code == 503
        minio.start()
        assert (s3_desk.stored(), objects(bucket)) == (rows, before)
        assert s3_desk.get(f"/documents/{document}/original").status_code == 200
        assert s3_desk.upload(picture_bytes("PDF", paper("after"))).status_code == 201

    def test_a_browser_keeps_the_file_and_sends_it_when_the_store_is_back(
        self, s3_desk: Desk, minio: MinioServer, tmp_path: Path
    ) -> None:
        scan = tmp_path / "scan.pdf"
        scan.write_bytes(picture_bytes("PDF", paper("kept in the form")))
        as_doctor = {"Authorization": str(s3_desk.client.headers["Authorization"])}
        with chromium() as browser, tab(browser, extra_http_headers=as_doctor) as made:
            page = made.page
            page.goto(f"{s3_desk.home}/patients/{s3_desk.patient}/documents/new")
            page.set_input_files("#f-file", scan)
            minio.stop()
            page.click("button.first")
            page.get_by_text("tự gửi lại").wait_for()
            assert page.evaluate("document.querySelector('#f-file').files.length") == 1
            minio.start()
            page.wait_for_url(re.compile(r"/documents/[0-9a-f-]{36}$"), timeout=60_000)

"""A repository in S3: a real MinIO behind TLS, sealed by pgBackRest's own passphrase, and a past opened from there."""

import ipaddress
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from minio import Minio
from urllib3 import PoolManager

from emr.fleet.backups.repository import Repository
from emr.fleet.backups.rows import make_backup
from emr.fleet.rewind.opening import Wish, close_past, open_past
from emr.settings import Settings
from emr_demo.postgres_server import Account
from tests.fleet.rewind.world import World, call_pgbackrest
from tests.house import CAU_VONG
from tests.servers.minio import minio_server

pytestmark = pytest.mark.server
BUCKET = "emr-backups"


def certificate(folder: Path) -> None:
    """For 127.0.0.1, signed by itself, for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    places = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1)).add_extension(places, critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    folder.mkdir()
    (folder / "public.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "private.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )


@pytest.fixture(scope="module")
def in_s3(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings whose repository is the bucket; the cell archives into both meanwhile."""
    folder = tmp_path_factory.mktemp("minio")
    certificate(folder / "certs")
    archive, config = world.folder / "pgbackrest.conf", world.folder / "s3.conf"
    before = archive.read_text("utf-8")
    with minio_server(folder, certificates=folder / "certs") as server:
        client = Minio(
            endpoint=server.host, access_key=server.user, secret_key=server.password, secure=True,
            http_client=PoolManager(ca_certs=str(folder / "certs" / "public.crt")),
        )  # fmt: skip
        client.make_bucket(BUCKET)
        place = f"""\
repoN-type=s3
repoN-path=/cells
repoN-bundle=y
repoN-s3-bucket={BUCKET}
repoN-s3-endpoint=127.0.0.1
repoN-storage-host=127.0.0.1
repoN-storage-port={server.port}
repoN-s3-region=us-east-1
repoN-s3-uri-style=path
repoN-s3-key={server.user}
repoN-s3-key-secret={server.password}
repoN-storage-verify-tls=n
repoN-cipher-type=aes-256-cbc
repoN-cipher-pass={secrets.token_hex(16)}
repoN-retention-full=1
"""
        archive.write_text(before.replace("[global]\n", "[global]\n" + place.replace("repoN", "repo2")), "utf-8")
        kept = "\n".join(line for line in before.splitlines() if not line.startswith("repo1-"))
        config.write_text(kept.replace("[global]\n", "[global]\n" + place.replace("repoN", "repo1")) + "\n", "utf-8")
        call_pgbackrest(config, Account.for_this_process(), "stanza-create")
        settings = world.house.settings
        try:
            yield settings.model_copy(update={"backup": settings.backup.model_copy(update={"config": config})})
        finally:
            archive.write_text(before, "utf-8")


class TestRepositoryInS3:
    def test_a_past_is_opened_from_there(self, world: World, in_s3: Settings) -> None:
        made = make_backup(in_s3, "default", "full")
        assert [each.label for each in Repository(in_s3.backup, "default").backups()] == [made.label]
        before = world.house.counts(CAU_VONG)
        rewind = open_past(in_s3, Wish(CAU_VONG, _after(world, made.ended), "lan", "thử"), lambda _: None)
        there = world.house.sql(f"SELECT count(*) FROM {rewind.schema}.resources")
        assert there == [(before["resources"],)]
        close_past(in_s3, rewind.id, "lan")


def _after(world: World, ended: datetime) -> datetime:
    """A moment that the backup reaches: pgBackRest tells whole seconds."""
    while (moment := world.now()) < ended + timedelta(seconds=1):
        pass
    return moment

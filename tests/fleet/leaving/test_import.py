"""Loading a package into an empty second platform: everything is there as it was, or nothing is there at all."""

import base64
import json
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emr.audit.anchors import signer_of
from emr.audit.checking import Asked, check
from emr.documents.service import open_binary
from emr.fleet import migration
from emr.fleet.leaving import bringing, loading
from emr.fleet.leaving.bringing import bring_in
from emr.fleet.leaving.export import export
from emr.fleet.leaving.moment import seal_all
from emr.identity.principal import system_principal
from emr.imaging.actions.show import open_instances
from emr.imaging.matching import Matching
from emr.kernel.errors import Refusal
from emr.records.read import read, vread
from emr.records.reindexing import verify as verify_index
from emr.records.search.find import search
from emr.settings import Database, Keys, Settings, Storage
from emr.work.runtime import Runtime, runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr_demo.onboarding import make_logins
from emr_demo.postgres import temporary
from tests.curtain import behind
from tests.fleet.leaving.conftest import Left
from tests.fleet.leaving.world import lines
from tests.house import in_a_loop
from tests.servers.minio import minio_server

pytestmark = [pytest.mark.anyio, pytest.mark.server]


def quiet(*_: object) -> None:
    """Nobody watches."""


@dataclass
class Second:
    """Another platform: its own PostgreSQL, object store and keys, and no hospital."""

    settings: Settings
    superuser: str
    trusted: dict[str, bytes]

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return behind(self.superuser, statement, parameters)

    def state(self) -> list[Any]:
        """What there is, in the directory and in the catalogue."""
        return [
            self.sql("SELECT slug, state FROM directory.tenants ORDER BY 1"),
            self.sql("SELECT count(*) FROM directory.memberships"),
            self.sql("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1"),
            self.sql("SELECT rolname FROM pg_roles ORDER BY 1"),
        ]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Runtime]:
        parts = runtime(self.settings)
        await parts.open()
        try:
            yield parts
        finally:
            await parts.close()

    @asynccontextmanager
    async def work(self, slug: str) -> AsyncIterator[UnitOfWork]:
        async with self.open() as parts:
            tenant = parts.registry.by_slug(slug)
            async with unit_of_work(parts, tenant, system_principal("test", tenant_id=tenant.id)) as work:
                yield work

    async def bring(self, place: Path) -> Any:
        async with self.open() as parts:
            return await bring_in(parts, place, self.trusted, quiet)

    async def refused(self, place: Path) -> str:
        """The code of the refusal; nothing may have changed."""
        before = self.state()
        with pytest.raises(Refusal) as caught:
            await self.bring(place)
        assert self.state() == before
        return caught.value.code


@pytest.fixture(scope="module")
def second(left: Left, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    with temporary() as cluster, minio_server(tmp_path_factory.mktemp("second-minio")) as store:
        logins = make_logins(cluster)
        settings = Settings(
            profile="test",
            database=Database(url=logins.service, owner_url=logins.owner, pool_size=3, pool_slices=1),
            storage=Storage(
                endpoint=store.host, bucket="second", access_key=store.user, secret_key=store.password, secure=False
            ),
            keys=Keys(master=f"second:{_key()}", signing=_key(), sealing=_key()),
        )
        assert not [step for step in migration.migrate(settings.database) if step.error]
        signer = signer_of(left.of.house.settings)
        made = Second(settings, cluster.url(role="postgres", database="emr"), {signer.id: signer.public})
        in_a_loop(_bucket, made)
        yield made


@pytest.fixture(scope="module")
def slug(second: Second, left: Left) -> str:
    """The hospital, loaded from its package."""
    if not second.state()[0]:
        in_a_loop(second.bring, left.package)
    return left.of.tenant.slug


class TestRefused:
    async def test_a_package_that_was_altered_by_one_byte(self, second: Second, left: Left, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(left.package, tmp_path / "p"))
        path = copy / "fhir/history/Observation.0001.ndjson"
        path.write_bytes(path.read_bytes().replace(b"0.5", b"9.5", 1))
        assert await second.refused(copy) == "package-altered"

    async def test_a_package_of_somebody_unknown(self, second: Second, left: Left) -> None:
        stranger = Second(second.settings, second.superuser, {})
        assert await stranger.refused(left.package) == "package-key"

    async def test_one_that_breaks_off_in_the_middle_leaves_nothing(
        self, second: Second, left: Left, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(*_: object) -> None:
            raise Refusal("test-broken", "The disk is full.")

        monkeypatch.setattr(loading.Loader, "_index", broken)
        assert await second.refused(left.package) == "test-broken"
        async with second.open() as parts:
            assert [each async for each in parts.stores.of(left.of.tenant.schema).list()] == []

    async def test_one_that_was_killed_is_taken_away_and_begun_again(
        self, second: Second, left: Left, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def dead(*_: object) -> None:
            """A process that was killed takes nothing away."""

        with monkeypatch.context() as patched:
            patched.setattr(bringing, "_take_away", dead)
            patched.setattr(loading.Loader, "_index", _fall)
            with pytest.raises(RuntimeError):
                await second.bring(left.package)
        assert second.state()[0] == [(left.of.tenant.slug, "suspended")]
        brought = await second.bring(left.package)
        assert brought.package == left.written.digest

    async def test_a_hospital_that_stands_here_already(self, second: Second, left: Left, slug: str) -> None:
        assert await second.refused(left.package) == "hospital-exists"
        before = second.sql(f"SELECT count(*), max(pk) FROM {left.of.tenant.schema}.resources")
        assert before == second.sql(f"SELECT count(*), max(pk) FROM {left.of.tenant.schema}.resources")


class TestLoaded:
    async def test_what_goes_out_again_is_what_came_in(
        self, second: Second, left: Left, slug: str, tmp_path: Path
    ) -> None:
        """Record, contents and state byte for byte, ids, versions and times among them."""
        async with second.open() as parts:
            again = await export(parts, slug, tmp_path, quiet)
        for folder in ("fhir", "state", "contents"):
            first = {_in(path, left.package): path.read_bytes() for path in _files(left.package / folder)}
            after = {_in(path, again.folder): path.read_bytes() for path in _files(again.folder / folder)}
            assert after.keys() == first.keys()
            assert [name for name in first if first[name] != after[name]] == []
        told, found = (json.loads((each / "manifest.json").read_text()) for each in (left.package, again.folder))
        for name in ("resources", "versions", "deleted", "contents", "members"):
            assert told["counts"][name] == found["counts"][name]

    async def test_versions_are_read_as_they_were(self, second: Second, left: Left, slug: str) -> None:
        changed = left.of.patients[1]
        async with second.work(slug) as work:
            first, now = await vread(work, "Patient", changed, "1"), await read(work, "Patient", changed)
        assert (first.version, now.version) == (1, 2)
        [stood] = left.of.sql("SELECT updated FROM {s}.resources WHERE id = %s", changed)
        assert now.last_updated == stood[0]

    async def test_searches_find(self, second: Second, left: Left, slug: str) -> None:
        async with second.work(slug) as work:
            page = await search(work, "Patient", [("name", "dang")])
            assert [each.id for each in page.matches] == [left.of.patients[0]]
            own = await search(work, "Patient", [("dan-toc", "urn:dt|kinh")])
            assert [each.id for each in own.matches] == [left.of.patients[0]]
            compared = await verify_index(work, 0, 1000)
        assert compared.resources > 40
        assert compared.differences == []

    async def test_documents_and_images_are_served(self, second: Second, left: Left, slug: str) -> None:
        found: set[bytes] = set()
        async with second.work(slug) as work:
            for binary in lines(left.package, "fhir/current/Binary"):
                opened = await open_binary(work, binary["id"])
                found.add(b"".join([chunk async for chunk in opened.content.chunks()]))
            for opened_image in await open_instances(work, Matching()):
                found.add(b"".join([chunk async for chunk in opened_image.chunks()]))
        assert found == set(left.of.files.values())

    async def test_the_trail_goes_on_and_can_be_verified(self, second: Second, left: Left, slug: str) -> None:
        async with second.open() as parts:
            await seal_all(parts, parts.registry.by_slug(slug))
        stream = left.of.tenant.schema
        report = check(Asked(second.settings.database.url, stream, slug, None))
        assert report.whole, report.faults
        assert report.rows > json.loads((left.package / "manifest.json").read_text())["audit"]["last"]
        actions = [row[0] for row in second.sql(f"SELECT action FROM {stream}.audit_events ORDER BY number")]
        assert "hospital.imported" in actions

    async def test_members_and_events_came_along_and_care_may_begin(
        self, second: Second, left: Left, slug: str
    ) -> None:
        own = "SELECT subject, role, active, created_at FROM directory.memberships WHERE tenant_id = %s ORDER BY 1"
        assert second.sql(own, left.of.tenant.id) == left.of.house.sql(own, left.of.tenant.id)
        events = [row[0] for row in second.sql("SELECT event FROM directory.tenant_events ORDER BY number")]
        assert events[0] == "hospital.created"
        assert events[-1] == "hospital.imported"
        assert second.sql("SELECT state FROM directory.tenants WHERE slug = %s", slug) == [("trial",)]


async def _fall(*_: object) -> None:
    raise RuntimeError


async def _bucket(second: Second) -> None:
    async with second.open() as parts:
        assert parts.stores.client is not None
        await parts.stores.client.make_bucket()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _in(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()

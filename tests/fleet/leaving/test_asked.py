"""An exit package that was asked for: written by a worker into the object store, fetched by the hospital's own
administrators alone, after signing in anew, for a while.
"""

import io
import secrets
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from emr.fleet.leaving.archive import Entry, Place, end_of
from emr.fleet.leaving.asked import ExitWorker
from emr.identity.errors import RecentSignInNeeded
from emr.identity.memberships import Memberships
from emr.identity.principal import Principal
from emr.kernel.clock import utc_now
from emr.kernel.errors import Conflict, Forbidden, Gone, NotFound
from emr.records.bulk import jobs
from emr.records.bulk.exits import Fetched, fetch_package, latest_package, remove_package, request_package
from emr.records.bulk.worker import BulkWorker
from emr.storage.errors import SealBroken
from emr.work.leases import Leases
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work
from tests.fleet.leaving.conftest import Left
from tests.fleet.leaving.world import lines, verified
from tests.house import House

pytestmark = pytest.mark.anyio


class _Cut(Exception):
    """The worker dies here, as far as the store and the database are concerned."""


class Desk:
    """An administrator of the hospital that leaves, and workers for it."""

    def __init__(self, left: Left, house: House, parts: Runtime, folder: Path) -> None:
        self.house, self.tenant, self.files = house, left.of.tenant, left.of.files
        self.parts = self._at(parts, folder)
        subject = f"admin-of-{self.tenant.slug}"
        self.admin = Principal(
            subject, "Quản trị", "admin", "person", self.tenant.id, strong=True, authenticated_at=utc_now()
        )

    def _at(self, parts: Runtime, folder: Path) -> Runtime:
        settings = parts.settings
        bulk = settings.bulk.model_copy(update={"package_folder": folder})
        return replace(parts, settings=settings.model_copy(update={"bulk": bulk}))

    def elsewhere(self, folder: Path) -> None:
        """From now on workers have another disk."""
        self.parts = self._at(self.parts, folder)

    async def ask(self, who: Principal | None = None) -> str:
        async with unit_of_work(self.parts, self.tenant, who or self.admin) as work:
            return await request_package(work, "test")

    async def fetch(self, name: str, who: Principal | None = None) -> Fetched:
        async with unit_of_work(self.parts, self.tenant, who or self.admin) as work:
            return await fetch_package(work, name)

    async def content(self, name: str) -> bytes:
        found = await self.fetch(name)
        content = b"".join([chunk async for chunk in found.open(0, found.size)])
        assert len(content) == found.size
        return content

    async def job(self, name: str) -> jobs.Job:
        async with unit_of_work(self.parts, self.tenant, self.admin) as work:
            return await jobs.read(work, name)

    async def remove(self, name: str) -> None:
        async with unit_of_work(self.parts, self.tenant, self.admin) as work:
            await remove_package(work, name)

    async def work(self, *, stretch: int = 0, dies_at: str = "", after: int = 1) -> None:
        """One turn of a worker of its own, which may die when it reaches a point for the nth time."""
        relay = self.parts.databases.cell(self.tenant.cell).relay
        worker = ExitWorker(self.parts, relay, Leases(relay, secrets.token_hex(4), 10), stretch=stretch)
        seen = 0

        def reached(point: str) -> None:
            nonlocal seen
            seen += point == dies_at
            if seen == after:
                raise _Cut

        worker._reached = reached
        await worker.turn(None)
        self.again()

    def again(self) -> None:
        """What failed is tried at once."""
        self.sql("UPDATE {s}.bulk_jobs SET not_before = now()")

    async def tidied(self) -> None:
        relay = self.parts.databases.cell(self.tenant.cell).relay
        worker = BulkWorker(self.parts, relay, Leases(relay, secrets.token_hex(4), 10))
        await worker.rest(self.tenant)
        await worker.close()

    def sql(self, statement: str, *parameters: object) -> list[tuple]:
        return self.house.sql(statement.replace("{s}", self.tenant.schema), *parameters)

    def stored(self) -> list[Path]:
        """The sealed objects of packages."""
        keys = self.sql("SELECT key FROM {s}.blobs WHERE media_type = 'application/zip' ORDER BY created_at, key")
        return [self.house.folder / "objects" / self.tenant.schema / key for (key,) in keys]


@pytest.fixture
async def desk(left: Left, standing: House, parts: Runtime, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(left, standing, parts, tmp_path / "disk")
    yield made
    made.sql("DELETE FROM {s}.bulk_jobs WHERE kind = 'exit'")
    made.sql("DELETE FROM {s}.blobs WHERE media_type = 'application/zip'")


class TestWho:
    @pytest.mark.parametrize("role", ["doctor", "archivist", "warehouse", "his", "support-chart", "ops", "auditor"])
    async def test_no_other_role_may_ask_or_fetch(self, desk: Desk, role: str) -> None:
        name = await desk.ask()
        other = replace(desk.admin, subject="other", role=role)
        for act in (desk.ask(other), desk.fetch(name, other)):
            with pytest.raises(Forbidden, match="may not do this"):
                await act
        assert desk.sql("SELECT count(*) FROM {s}.bulk_jobs WHERE kind = 'exit'") == [(1,)]

    async def test_an_administrator_of_another_hospital_finds_nothing(
        self, desk: Desk, standing: House, parts: Runtime
    ) -> None:
        name = await desk.ask()
        await desk.work()
        neighbour = standing.tenants["cau-vong"]
        there = replace(desk.admin, tenant_id=neighbour.id)
        async with unit_of_work(parts, neighbour, there) as work:
            assert await latest_package(work) is None
        with pytest.raises(NotFound):
            async with unit_of_work(parts, neighbour, there) as work:
                await fetch_package(work, name)

    @pytest.mark.parametrize("ago", [None, timedelta(minutes=6)], ids=["never", "long-ago"])
    async def test_nobody_who_has_not_just_signed_in(self, desk: Desk, ago: timedelta | None) -> None:
        name = await desk.ask()
        await desk.work()
        at = None if ago is None else utc_now() - ago
        with pytest.raises(RecentSignInNeeded):
            await desk.fetch(name, replace(desk.admin, authenticated_at=at))

    async def test_who_asked_and_left_gets_none(self, desk: Desk) -> None:
        gone = replace(desk.admin, subject=f"gone-{secrets.token_hex(4)}")
        name = await desk.ask(gone)
        await desk.work()
        job = await desk.job(name)
        assert (job.state, str(job.error).partition(":")[0]) == ("failed", "bulk-requester-left")
        assert desk.stored() == []

    async def test_who_asked_and_is_no_administrator_any_more_gets_none(self, desk: Desk, parts: Runtime) -> None:
        doctor = f"doctor-of-{desk.tenant.slug}"
        assert (await Memberships(parts.databases.directory).find(desk.tenant.id, doctor)) is not None
        name = await desk.ask(replace(desk.admin, subject=doctor))
        await desk.work()
        assert (await desk.job(name)).state == "failed"


class TestWritten:
    async def test_is_the_package_that_the_command_writes(self, desk: Desk, standing: House, tmp_path: Path) -> None:
        name = await desk.ask()
        await desk.work()
        place = tmp_path / "package.zip"
        place.write_bytes(await desk.content(name))
        assert verified(standing, place) == (await desk.job(name)).progress["package"]
        with zipfile.ZipFile(place) as archive:
            assert archive.testzip() is None
            archive.extractall(tmp_path / "open")
        rows = list(lines(tmp_path / "open", "contents/index"))
        assert {row["sha256"]: (tmp_path / "open" / row["path"]).read_bytes() for row in rows} == desk.files
        assert (tmp_path / "open" / "xem-ho-so.html").exists()

    async def test_leaves_nothing_on_the_workers_disk_and_no_plain_word_in_the_store(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        await desk.ask()
        await desk.work()
        await desk.work()
        assert [each for each in (tmp_path / "disk").rglob("*") if each.is_file()] == []
        assert not any(b"manifest.json" in each.read_bytes() for each in desk.stored())

    async def test_a_second_one_waits_until_the_first_is_removed(self, desk: Desk) -> None:
        name = await desk.ask()
        with pytest.raises(Conflict, match="remove it first"):
            await desk.ask()
        await desk.work()
        with pytest.raises(Conflict, match="remove it first"):
            await desk.ask()
        await desk.remove(name)
        assert await desk.ask() != name

    async def test_request_and_each_download_are_in_the_trail(self, desk: Desk) -> None:
        name = await desk.ask()
        await desk.work()
        await desk.fetch(name)
        await desk.fetch(name)
        told = desk.sql(
            "SELECT row FROM cell.audit_journal WHERE tenant = %s UNION ALL SELECT row FROM {s}.audit_events",
            desk.tenant.schema,
        )
        rows = [row for (row,) in told if name in row]
        assert sum("package.requested" in row for row in rows) == 1
        assert sum("package.downloaded" in row for row in rows) == 2

    async def test_any_stretch_of_it_can_be_asked_for(self, desk: Desk) -> None:
        name = await desk.ask()
        await desk.work(stretch=10_000)
        assert len(desk.stored()) > 3
        whole, found = await desk.content(name), await desk.fetch(name)
        for start, end in ((0, 1), (9_000, 31_000), (found.size - 22, found.size)):
            assert b"".join([chunk async for chunk in found.open(start, end)]) == whole[start:end]


class TestCutOff:
    @pytest.mark.parametrize("point", ["package-stretch", "package-recorded"])
    async def test_the_next_worker_goes_on_where_the_disk_is_the_same(
        self, desk: Desk, standing: House, tmp_path: Path, point: str
    ) -> None:
        name = await desk.ask()
        await desk.work(stretch=10_000, dies_at=point, after=2)
        before = await desk.job(name)
        assert (before.state, len(before.files)) == ("running", 1 if point == "package-stretch" else 2)
        await desk.work(stretch=10_000)
        after = await desk.job(name)
        assert (after.state, after.files[: len(before.files)]) == ("done", before.files)
        (tmp_path / "p.zip").write_bytes(await desk.content(name))
        assert verified(standing, tmp_path / "p.zip") == before.progress["package"]

    async def test_without_that_disk_it_is_begun_anew(self, desk: Desk, standing: House, tmp_path: Path) -> None:
        name = await desk.ask()
        await desk.work(stretch=10_000, dies_at="package-recorded", after=2)
        before, objects = await desk.job(name), desk.stored()
        desk.elsewhere(tmp_path / "other")
        await desk.work(stretch=10_000)
        after = await desk.job(name)
        assert after.state == "done"
        assert after.progress["package"] != before.progress["package"]
        assert not any(each.exists() for each in objects)
        (tmp_path / "p.zip").write_bytes(await desk.content(name))
        assert verified(standing, tmp_path / "p.zip") == after.progress["package"]

    async def test_one_that_was_removed_meanwhile_ends(self, desk: Desk) -> None:
        name = await desk.ask()
        await desk.work(stretch=10_000, dies_at="package-recorded")
        await desk.remove(name)
        await desk.work()
        await desk.tidied()
        assert (await desk.job(name)).state == "forgotten"
        assert desk.stored() == []


class TestEnd:
    async def test_an_expired_one_is_gone(self, desk: Desk) -> None:
        name = await desk.ask()
        await desk.work()
        objects = desk.stored()
        assert objects
        desk.sql("UPDATE {s}.bulk_jobs SET finished_at = now() - interval '25 hours' WHERE id = %s", name)
        with pytest.raises(Gone, match="expired"):
            await desk.fetch(name)
        await desk.tidied()
        assert not any(each.exists() for each in objects)
        with pytest.raises(NotFound):
            await desk.fetch(name)

    async def test_an_altered_one_is_not_given_out(self, desk: Desk) -> None:
        name = await desk.ask()
        await desk.work()
        place = desk.stored()[0]
        sealed = bytearray(place.read_bytes())
        sealed[len(sealed) // 2] ^= 1
        place.write_bytes(sealed)
        with pytest.raises(SealBroken):
            await desk.content(name)

    async def test_a_document_that_was_altered_holds_it_up(self, desk: Desk) -> None:
        (key,) = desk.sql("SELECT key FROM {s}.blobs WHERE media_type = 'application/pdf' LIMIT 1")[0]
        place = desk.house.folder / "objects" / desk.tenant.schema / key
        kept = place.read_bytes()
        place.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        try:
            name = await desk.ask()
            await desk.work()
            job = await desk.job(name)
        finally:
            place.write_bytes(kept)
        assert (job.state, job.attempts, str(job.error).partition(":")[0]) == ("running", 1, "object-damaged")


class TestArchive:
    @staticmethod
    def made(files: dict[str, bytes], *, size: int = 0) -> bytes:
        out, directory = bytearray(), bytearray()
        for path, content in files.items():
            entry, offset = Entry(path, size or len(content), utc_now(), packed=path.endswith(".txt")), len(out)
            out += entry.head() + entry.add(content) + entry.tail()
            directory += entry.central(offset)
        return bytes(out + directory) + b"".join(end_of(Place(len(out), len(files)), len(directory)))

    @pytest.mark.parametrize("size", [0, 1 << 32], ids=["sizes-of-32-bits", "sizes-of-64-bits"])
    async def test_any_reader_opens_it(self, size: int) -> None:
        files = {"a/b.txt": b"hello" * 9_000, "a/c.dcm": secrets.token_bytes(5_000), "empty.txt": b""}
        with zipfile.ZipFile(io.BytesIO(self.made(files, size=size))) as archive:
            assert archive.testzip() is None
            assert {name: archive.read(name) for name in archive.namelist()} == files

    async def test_so_many_files_that_16_bits_do_not_count_them(self) -> None:
        with zipfile.ZipFile(io.BytesIO(self.made({f"{n:05}": b"" for n in range(0x10010)}))) as archive:
            assert len(archive.infolist()) == 0x10010

"""Old rows move into files: nothing is lost whenever the worker dies, and what is altered is found out."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emr.audit import archiving
from emr.audit.archive_file import Span, packed, unpacked
from emr.audit.archives import following
from emr.audit.checking import Asked, Report, check
from emr.audit.files import Files
from emr.audit.reading import Wanted
from emr.audit.rows import Unreadable
from emr.audit.stored import stored_stream
from emr.identity.principal import Principal
from emr.kernel.errors import Forbidden, Refusal
from emr.privacy import trail
from emr.privacy.trail import read_entry, report_on_patient, search_trail
from emr.storage.locked import open_locked
from emr.work.archived_trails import archive_batches
from emr.work.faults import nowhere
from emr.work.runtime import Runtime
from emr.work.trail_archiving import Archiver
from emr.work.unit import UnitOfWork, unit_of_work
from tests.audit.test_sealing import played, rows_for, sealer
from tests.audit.test_verify import anchor
from tests.warehouse.world import World, start_worker, started

HOA_SEN = "hoa-sen"
OLD = timedelta(days=500)
POINTS = ("archive-stored", "archive-recorded", "archive-read-back", "archive-locked", "archive-removed")
SPAN = Span("t_abcdefghijkl", 1, 2, 1, 3)
TEXTS = ['{"row":1}', '{"row":"đã đọc\\n"}', '{"row":3}']


class TestFile:
    def test_it_gives_back_every_text(self) -> None:
        assert unpacked(SPAN, packed(SPAN, TEXTS)) == TEXTS

    def test_a_row_too_few_is_not_packed(self) -> None:
        with pytest.raises(ValueError, match="every row"):
            packed(SPAN, TEXTS[:2])

    @pytest.mark.parametrize("field", ["stream", "first_batch", "last_batch", "first", "last"])
    def test_that_of_other_rows_is_refused(self, field: str) -> None:
        other = replace(SPAN, **{field: "t_zzzzzzzzzzzz" if field == "stream" else 2 + (field == "last")})
        with pytest.raises(Unreadable):
            unpacked(replace(SPAN, last=4) if other == SPAN else other, packed(SPAN, TEXTS))

    @pytest.mark.parametrize("data", [b"", b"x" * 100, packed(SPAN, TEXTS)[:-1]])
    def test_what_is_no_file_is_refused(self, data: bytes) -> None:
        with pytest.raises(Unreadable):
            unpacked(SPAN, data)


@dataclass(frozen=True)
class Old:
    """A hospital with ten old rows in two batches and five of today, all anchored."""

    world: World
    parts: Runtime

    def archiver(self, reached: Callable[[str], None] = nowhere) -> Archiver:
        return Archiver(self.parts, "default", open_locked(self.parts.settings), reached)

    @property
    def schema(self) -> str:
        return self.world.schema(HOA_SEN)

    def numbers(self) -> list[int]:
        found = self.world.sql(f"SELECT number FROM {self.schema}.audit_events ORDER BY number")
        return [row[0] for row in found]

    def files(self) -> list[tuple[int, int]]:
        return self.world.sql(f"SELECT first, last FROM {self.schema}.audit_archives ORDER BY first")

    def object(self) -> Path:
        [(key,)] = self.world.sql(f"SELECT key FROM {self.schema}.audit_archives")
        folder = self.world.settings.storage.folder
        assert folder is not None
        [found] = [each for each in folder.rglob("*") if each.is_file() and each.name == key.rpartition("/")[2]]
        return found

    async def checked(self) -> Report:
        keyring = await self.parts.keyrings.of(self.parts.registry.by_slug(HOA_SEN))
        asked = Asked(self.world.settings.database.url, self.schema, HOA_SEN, None, keyring)
        return await asyncio.to_thread(check, asked)


def settings_of(world: World) -> dict[str, str]:
    keys = world.settings.keys
    return {
        "EMR_PROFILE": "test",
        "EMR_STORAGE__FOLDER": str(world.settings.storage.folder),
        "EMR_KEYS__MASTER": keys.master.get_secret_value(),
        "EMR_KEYS__SIGNING": keys.signing.get_secret_value(),
    }


@pytest.fixture
def emptied(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    for name, value in settings_of(world).items():
        monkeypatch.setenv(name, value)
    for slug in ("cau-vong", HOA_SEN):
        world.sql(f"TRUNCATE {world.schema(slug)}.audit_archives")
        world.sql(f"DELETE FROM {world.schema(slug)}.blobs WHERE retention_class = 'audit'")
    return world


async def written(world: World, parts: Runtime) -> Old:
    """The rows, under seals of their time; rows of the first batch say so themselves."""
    then = datetime.now(UTC) - OLD
    for start in (0, 5):
        rows = [replace(row, at=then) for row in rows_for(world, HOA_SEN, 5, start)]
        await parts.audit.record("default", rows)
        await replace(sealer(parts), clock=lambda: then).turn()
    await parts.audit.record("default", rows_for(world, HOA_SEN, 5, 10))
    await sealer(parts).turn()
    await anchor(parts)
    return Old(world, parts)


def given(world: World, scenario: Callable[[Old], Awaitable[None]]) -> None:
    async def inside(parts: Runtime) -> None:
        await scenario(await written(world, parts))

    played(world, inside)


class TestArchiver:
    def test_old_rows_move_and_the_trail_stays_whole(self, emptied: World) -> None:
        async def scenario(old: Old) -> None:
            await old.archiver().turn()
            assert (old.files(), old.numbers()) == ([(1, 10)], [11, 12, 13, 14, 15])
            report = await old.checked()
            assert (report.faults, report.rows, report.batches) == ([], 15, 3)
            [(row,)] = emptied.sql("SELECT row FROM cell.audit_journal")
            assert '"action":"audit.archived"' in row

        given(emptied, scenario)

    def test_what_is_young_stays(self, emptied: World) -> None:
        async def scenario(old: Old) -> None:
            emptied.sql(f"UPDATE {old.schema}.audit_seals SET sealed_at = now() - interval '390 days'")
            await old.archiver().turn()
            assert (old.files(), len(old.numbers())) == ([], 15)

        given(emptied, scenario)

    def test_a_file_waits_until_it_is_full_or_its_rows_are_a_month_too_old(
        self, emptied: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def scenario(old: Old) -> None:
            later = replace(
                old.archiver(), parts=replace(old.parts, clock=lambda: datetime.now(UTC) - timedelta(days=80))
            )
            await later.turn()
            assert old.files() == []
            monkeypatch.setattr(archiving, "FILE_ROWS", 5)
            await later.turn()
            assert old.files() == [(1, 5), (6, 10)]

        given(emptied, scenario)

    def test_rows_that_no_anchor_witnesses_stay_in_the_table_too(self, emptied: World) -> None:
        async def scenario(old: Old) -> None:
            archiver = old.archiver()
            await replace(archiver, cell="default", anchors=_Nowhere()).turn()
            assert (old.files(), len(old.numbers())) == ([(1, 10)], 15)
            assert (await old.checked()).faults == []
            await archiver.turn()
            assert len(old.numbers()) == 5

        given(emptied, scenario)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE {own}.audit_events SET row = replace(row, 'r2', 'r9') WHERE number = 3",
            "DELETE FROM {own}.audit_events WHERE number = 4",
            "UPDATE {own}.audit_seals SET root = hash WHERE batch = 1",
        ],
    )
    def test_what_is_not_what_was_sealed_is_not_moved(self, emptied: World, change: str) -> None:
        async def scenario(old: Old) -> None:
            emptied.sql(change.format(own=old.schema))
            before = old.numbers()
            await old.archiver().turn()
            assert (old.files(), old.numbers()) == ([], before)

        given(emptied, scenario)

    def test_rows_stay_while_the_file_cannot_be_read_back(self, emptied: World) -> None:
        async def scenario(old: Old) -> None:
            await replace(old.archiver(), anchors=_Nowhere()).turn()
            held = old.object().read_bytes()
            old.object().write_bytes(held[:-20])
            await old.archiver().turn()
            assert len(old.numbers()) == 15
            old.object().write_bytes(held)
            emptied.sql(f"UPDATE {old.schema}.audit_events SET row = replace(row, 'r2', 'r9') WHERE number = 3")
            await old.archiver().turn()
            assert len(old.numbers()) == 15

        given(emptied, scenario)

    def test_only_the_platform_itself_may(self, emptied: World) -> None:
        async def scenario(old: Old) -> None:
            async with old.parts.databases.hospital_to_read(old.parts.registry.by_slug(HOA_SEN)) as db:
                wanted = await archiving.due(db, old.schema, datetime.now(UTC) - timedelta(days=400))
            assert wanted is not None
            with pytest.raises(Forbidden):
                async with working(old, "doctor") as work:
                    await archive_batches(work, wanted, nowhere)
            assert old.files() == []

        given(emptied, scenario)


class TestVerify:
    """What is done to files is found out as if it were done to rows."""

    def faults(self, world: World, harm: Callable[[Old], None]) -> list[str]:
        found: list[str] = []

        async def scenario(old: Old) -> None:
            await old.archiver().turn()
            harm(old)
            found.extend((await old.checked()).faults)

        given(world, scenario)
        return found

    def test_a_missing_file(self, emptied: World) -> None:
        assert self.faults(emptied, lambda old: old.object().unlink()) == [
            "seal 1: 5 of its rows are missing",
            "seal 2: 5 of its rows are missing",
            "the file of rows 1 to 10: the file is missing",
        ]

    def test_an_altered_file(self, emptied: World) -> None:
        def harm(old: Old) -> None:
            held = bytearray(old.object().read_bytes())
            held[-30] ^= 1
            old.object().write_bytes(held)

        assert self.faults(emptied, harm)[-1] == "the file of rows 1 to 10: the file does not open"

    def test_a_row_of_the_table_that_says_where_a_file_lies(self, emptied: World) -> None:
        def harm(old: Old) -> None:
            emptied.sql(f"DELETE FROM {old.schema}.audit_archives")

        assert self.faults(emptied, harm) == [f"seal {batch}: 5 of its rows are missing" for batch in (1, 2)]

    def test_a_row_that_comes_back_and_says_something_else(self, emptied: World) -> None:
        def harm(old: Old) -> None:
            emptied.sql(
                f"INSERT INTO {old.schema}.audit_events SELECT 4, at, action, actor, patients, row"
                f" FROM {old.schema}.audit_events WHERE number = 11"
            )

        assert "row 4 stands twice" in self.faults(emptied, harm)

    def test_without_the_keys_it_is_not_said_to_be_whole(self, emptied: World) -> None:
        async def scenario(old: Old) -> None:
            await old.archiver().turn()
            with (
                Files(old.schema, None) as files,
                stored_stream(emptied.settings.database.url, old.schema) as stored,
                pytest.raises(Refusal, match="EMR_KEYS__MASTER"),
            ):
                list(stored.rows(files.read))

        given(emptied, scenario)


@asynccontextmanager
async def working(old: Old, role: str, *duties: str) -> AsyncIterator[UnitOfWork]:
    tenant = old.parts.registry.by_slug(HOA_SEN)
    who = Principal("x", "Người thử", role, "person", tenant.id, duties=frozenset(duties))  # type: ignore[arg-type]
    async with unit_of_work(old.parts, tenant, who) as work:
        yield work


class TestSearch:
    def test_pages_go_on_into_the_files(self, emptied: World) -> None:
        async def scenario(old: Old) -> None:
            await old.archiver().turn()
            seen: list[int] = []
            before: int | None = Wanted().before
            while before is not None:
                async with working(old, "archivist", "privacy") as work:
                    page = await search_trail(work, Wanted(before=before), count=4)
                assert page.stored is not None
                assert page.stored.files == 1
                seen += [entry.number for entry in page.entries]
                before = page.before
            assert seen == list(range(15, 0, -1))

        given(emptied, scenario)

    def test_a_patients_report_has_what_lies_in_files(self, emptied: World) -> None:
        async def scenario(old: Old) -> None:
            await old.archiver().turn()
            async with working(old, "archivist", "privacy") as work:
                found = await report_on_patient(work, "p3", Wanted())
                assert [(each.number, each.text["request"]) for each in found.entries] == [(4, "r3")]
                entry = await read_entry(work, 7)
            assert entry.text["request"] == "r6"

        given(emptied, scenario)

    def test_who_takes_the_whole_trail_along_gets_every_row(self, emptied: World) -> None:
        async def scenario(old: Old) -> None:
            await old.archiver().turn()
            taken: list[int] = []
            async with working(old, "archivist") as work:
                while more := await following(work.db, work.blobs, old.schema, (len(taken), 14)):
                    taken += [number for number, _ in more]
            assert taken == list(range(1, 15))

        given(emptied, scenario)

    def test_days_bound_it(self, emptied: World) -> None:
        async def scenario(old: Old) -> None:
            await old.archiver().turn()
            lately = datetime.now(UTC) - timedelta(days=1)
            async with working(old, "archivist", "privacy") as work:
                young = await search_trail(work, Wanted(since=lately))
                early = await search_trail(work, Wanted(until=lately, actions=("record.read",), actor="system:nurse"))
            assert ([each.number for each in young.entries], young.stored) == ([15, 14, 13, 12, 11], None)
            assert [each.number for each in early.entries] == list(range(10, 0, -1))

        given(emptied, scenario)

    def test_a_page_opens_so_many_files_and_has_a_next_one(
        self, emptied: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archiving, "FILE_ROWS", 5)
        monkeypatch.setattr(trail, "_FILES", 1)

        async def scenario(old: Old) -> None:
            await old.archiver().turn()
            assert old.files() == [(1, 5), (6, 10)]
            async with working(old, "archivist", "privacy") as work:
                first = await search_trail(work, Wanted())
                assert first.before is not None
                rest = await search_trail(work, Wanted(before=first.before))
            assert [each.number for each in (*first.entries, *rest.entries)] == list(range(15, 0, -1))
            assert (first.before, rest.before) == (6, None)

        given(emptied, scenario)


@pytest.fixture
def none_left() -> Iterator[None]:
    yield
    while started:
        started.pop().kill()


@pytest.mark.usefixtures("none_left")
class TestKilled:
    def test_a_worker_killed_at_every_point_loses_nothing_and_the_next_one_goes_on(self, emptied: World) -> None:
        async def scenario(old: Old) -> None:
            worker = emptied.settings.worker.model_copy(update={"lease_seconds": 20})
            border = emptied.settings.border.model_copy(update={"nightly": False})
            update = {"worker": worker, "border": border}
            patient = replace(emptied, settings=emptied.settings.model_copy(update=update))
            for point in POINTS:
                process = start_worker(patient, point)
                await asyncio.to_thread(process.join, 60)
                assert process.exitcode == -signal.SIGKILL, point
                emptied.sql("TRUNCATE cell.jobs")
                assert (await old.checked()).faults == [], point
            assert (old.files(), [each for each in old.numbers() if each <= 10]) == ([(1, 10)], [])

        given(emptied, scenario)


class _Nowhere:
    """A store in which there is no anchor yet."""

    locks = False

    async def newest(self, prefix: str) -> str | None:
        del prefix
        return None

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)

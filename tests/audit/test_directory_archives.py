"""Old rows of the directory's own trail move into files too, and stay verifiable there."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emr.audit.anchors import Anchor, signed
from emr.audit.checking import Asked, Report, check
from emr.audit.rows import AuditRow
from emr.audit.sealing import DirectorySealer
from emr.audit.seals import Head
from emr.audit.stored import DIRECTORY
from emr.fleet.leaving.export import ACTOR
from emr.fleet.leaving.offboarding import OFFBOARDED
from emr.fleet.trails import audit
from emr.identity.principal import Principal, system_principal
from emr.storage.locked import open_locked
from emr.work.faults import nowhere
from emr.work.runtime import Runtime
from emr.work.trail_archiving import Archiver
from tests.audit.test_archiving import OLD, POINTS, settings_of
from tests.audit.test_sealing import played
from tests.audit.test_verify import anchor, anchorer, faults, verify
from tests.warehouse.world import World

OPERATOR = Principal("operator", "Người vận hành", "ops", "person", None)
LEFT = "t_zzzzzzzzzzzz"


@dataclass(frozen=True)
class Old:
    """The directory's trail with ten old rows in two batches, the last of a hospital that left, and five of today."""

    world: World
    parts: Runtime

    async def archived(self, reached: Callable[[str], None] = nowhere) -> None:
        await Archiver(self.parts, "default", open_locked(self.parts.settings), reached).turn()

    def numbers(self) -> list[int]:
        return [row[0] for row in self.world.sql("SELECT number FROM directory.audit_events ORDER BY number")]

    def files(self) -> list[tuple[int, int]]:
        return self.world.sql("SELECT first, last FROM directory.audit_archives ORDER BY first")

    def object(self) -> Path:
        [(key,)] = self.world.sql("SELECT key FROM directory.audit_archives")
        folder = self.world.settings.storage.folder
        assert folder is not None
        [found] = [each for each in (folder / DIRECTORY).rglob("*") if each.name == key.rpartition("/")[2]]
        return found

    async def checked(self) -> Report:
        keyring = await self.parts.keyrings.of_directory()
        asked = Asked(self.world.settings.database.url, DIRECTORY, DIRECTORY, None, keyring)
        return await asyncio.to_thread(check, asked)


async def written(world: World, parts: Runtime) -> Old:
    """The rows, under seals of their time."""
    then = datetime.now(UTC) - OLD
    gone = AuditRow(None, then, OFFBOARDED, "success", system_principal(ACTOR), "r9", detail={"stream": LEFT})
    for start in (0, 5):
        rows = [AuditRow(None, then, "session.started", "success", OPERATOR, f"r{start + n}") for n in range(5)]
        await parts.audit.record_directory(rows if not start else [*rows[:4], gone])
        await DirectorySealer(parts.databases.directory_audit, lambda: then).turn()
    now = datetime.now(UTC)
    await parts.audit.record_directory([AuditRow(None, now, "session.started", "success", OPERATOR, "n")] * 5)
    await DirectorySealer(parts.databases.directory_audit, lambda: now).turn()
    await anchor(parts)
    return Old(world, parts)


def given(world: World, scenario: Callable[[Old], Awaitable[None]]) -> None:
    async def inside(parts: Runtime) -> None:
        await scenario(await written(world, parts))

    played(world, inside)


@pytest.fixture
def told(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world, and its settings in the environment."""
    for name, value in settings_of(world).items():
        monkeypatch.setenv(name, value)
    return world


class TestArchiver:
    def test_old_rows_move_and_the_trail_stays_whole(self, told: World) -> None:
        async def scenario(old: Old) -> None:
            await old.archived()
            assert (old.files(), old.numbers()) == ([(1, 10)], [11, 12, 13, 14, 15])
            report = await old.checked()
            assert (report.faults, report.rows, report.batches) == ([], 15, 3)
            [(row,)] = told.sql("SELECT row FROM directory.audit_journal")
            assert '"action":"audit.archived"' in row
            assert '"first":1,"last":10' in row

        given(told, scenario)

    def test_the_file_is_sealed_with_a_key_that_the_master_key_wraps(self, told: World) -> None:
        async def scenario(old: Old) -> None:
            await old.archived()
            assert old.object().read_bytes().startswith(b"EMRSEAL")
            [(wrapped,)] = told.sql("SELECT wrapped FROM directory.trail_keys")
            keyring = await old.parts.keyrings.of_directory()
            assert keyring is not None
            assert keyring.keys[keyring.current] not in bytes(wrapped)

        given(told, scenario)

    def test_what_is_young_stays(self, told: World) -> None:
        async def scenario(old: Old) -> None:
            told.sql("UPDATE directory.audit_seals SET sealed_at = now() - interval '390 days'")
            await old.archived()
            assert (old.files(), len(old.numbers())) == ([], 15)

        given(told, scenario)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE directory.audit_events SET row = replace(row, 'r2', 'r9') WHERE number = 3",
            "DELETE FROM directory.audit_events WHERE number = 4",
        ],
        ids=["changed", "missing"],
    )
    def test_what_is_not_what_was_sealed_is_not_moved(self, told: World, change: str) -> None:
        async def scenario(old: Old) -> None:
            told.sql(change)
            before = old.numbers()
            await old.archived()
            assert (old.files(), old.numbers()) == ([], before)

        given(told, scenario)

    def test_who_dies_at_any_point_is_followed_by_one_that_goes_on(self, told: World) -> None:
        async def scenario(old: Old) -> None:
            for point in POINTS:

                def died(at: str, own: str = point) -> None:
                    if at == own:
                        raise ConnectionError

                await old.archived(died)
                assert (await old.checked()).faults == [], point
            await old.archived()
            assert (old.files(), old.numbers()) == ([(1, 10)], [11, 12, 13, 14, 15])
            assert (await old.checked()).faults == []

        given(told, scenario)

    def test_only_the_cell_that_anchors_the_directory_does_it(self, told: World) -> None:
        async def scenario(old: Old) -> None:
            await Archiver(old.parts, "north", open_locked(old.parts.settings), nowhere).turn()
            assert old.files() == []

        given(told, scenario)


class TestVerify:
    def test_a_missing_file_is_found(self, told: World) -> None:
        async def scenario(old: Old) -> None:
            await old.archived()
            old.object().unlink()
            assert (await old.checked()).faults == [
                "seal 1: 5 of its rows are missing",
                "seal 2: 5 of its rows are missing",
                "the file of rows 1 to 10: the file is missing",
            ]

        given(told, scenario)

    def test_one_that_no_row_names_any_more_is_found(self, told: World) -> None:
        async def scenario(old: Old) -> None:
            await old.archived()
            told.sql("DELETE FROM directory.audit_archives")
            assert (await old.checked()).faults == [f"seal {batch}: 5 of its rows are missing" for batch in (1, 2)]

        given(told, scenario)

    def test_the_command_walks_it_and_knows_who_left_from_it(self, stored: World) -> None:
        async def scenario(old: Old) -> None:
            await old.archived()
            assert old.files() == [(1, 10)]
            keeper = anchorer(old.parts)
            await keeper.look()
            own = Anchor("default", datetime.now(UTC), {LEFT: Head(1, 1, bytes(32))})
            await keeper.store.put(own.name, signed(own, keeper.signer), own.at + timedelta(days=1))

        given(stored, scenario)
        code, found = verify(stored)
        assert (code, found["anchors"], faults(found, DIRECTORY)) == (0, [], [])
        stored.sql("UPDATE directory.audit_archives SET digest = decode(repeat('00', 32), 'hex')")
        code, found = verify(stored)
        assert code == 1
        assert faults(found, DIRECTORY)[-1] == "the file of rows 1 to 10: the file is another one"

    def test_without_the_keys_it_is_not_said_to_be_whole(self, stored: World, monkeypatch: pytest.MonkeyPatch) -> None:
        given(stored, Old.archived)
        assert verify(stored)[0] == 0
        monkeypatch.delenv("EMR_KEYS__MASTER")
        monkeypatch.setenv("EMR_DATABASE__URL", stored.settings.database.url)
        done = CliRunner().invoke(audit, ["verify"])
        assert (done.exit_code, "EMR_KEYS__MASTER" in done.output) == (2, True)


class TestLocked:
    def test_a_copy_is_kept_as_long_as_the_record_that_is_kept_longest(self, stored: World) -> None:
        async def scenario(old: Old) -> None:
            locked = open_locked(old.parts.settings)
            await old.archived()
            [found] = await locked.find(f".files/{DIRECTORY}/")
            kept = await locked.retention(found)  # type: ignore[attr-defined]
            years = max(tenant.retention_years for tenant in old.parts.registry.all())
            assert kept.mode == "COMPLIANCE"
            assert kept.retain_until_date > datetime.now(UTC) + timedelta(days=years * 365.25)
            assert old.numbers() == [11, 12, 13, 14, 15]

        given(stored, scenario)

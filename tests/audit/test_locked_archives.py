"""Files of old rows in a real MinIO under object lock: who owns the store cannot lose a row of them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from minio import Minio
from minio.error import S3Error

from emr.audit.checking import Asked, Report, check
from emr.storage.locked import Locked, LockedBucket, open_locked
from emr.work.archived_trails import HospitalTrail
from emr.work.faults import nowhere
from emr.work.runtime import Runtime
from emr.work.trail_archiving import Archiver
from tests.audit.test_archiving import HOA_SEN, written
from tests.audit.test_sealing import played
from tests.warehouse.world import World

FAULTS = ("seal 1: 5 of its rows are missing", "seal 2: 5 of its rows are missing")


@dataclass(frozen=True)
class Vault:
    """A hospital whose ten old rows lie in a file, and both places where it lies."""

    world: World
    parts: Runtime

    @property
    def schema(self) -> str:
        return self.world.schema(HOA_SEN)

    @property
    def locked(self) -> LockedBucket:
        store = open_locked(self.parts.settings)
        assert isinstance(store, LockedBucket)
        return store

    @property
    def key(self) -> str:
        [(key,)] = self.world.sql(f"SELECT key FROM {self.schema}.audit_archives")
        return str(key)

    async def turn(self) -> None:
        await Archiver(self.parts, "default", self.locked, nowhere).turn()

    async def copy(self) -> Locked:
        [found] = await self.locked.find(f".files/{self.schema}/")
        return found

    def remove_object(self) -> None:
        """What who owns the store can do to the hospital's objects."""
        storage = self.parts.settings.storage
        self.client().remove_object(storage.bucket, f"{self.schema}/{self.key}")

    def client(self) -> Minio:
        storage = self.parts.settings.storage
        return Minio(
            endpoint=storage.endpoint, access_key=storage.access_key,
            secret_key=storage.secret_key.get_secret_value(), secure=False,
        )  # fmt: skip

    def numbers(self) -> list[int]:
        return [row[0] for row in self.world.sql(f"SELECT number FROM {self.schema}.audit_events ORDER BY number")]

    async def checked(self) -> Report:
        keyring = await self.parts.keyrings.of(self.parts.registry.by_slug(HOA_SEN))
        asked = Asked(self.world.settings.database.url, self.schema, HOA_SEN, None, keyring)
        return await asyncio.to_thread(check, asked)


def given(world: World, scenario: Callable[[Vault], Awaitable[None]]) -> None:
    async def inside(parts: Runtime) -> None:
        await written(world, parts)
        await scenario(Vault(world, parts))

    played(world, inside)


class TestLocked:
    def test_a_copy_is_kept_as_long_as_the_record_and_nobody_removes_it(self, stored: World) -> None:
        async def scenario(vault: Vault) -> None:
            await vault.turn()
            assert vault.numbers() == [11, 12, 13, 14, 15]
            found = await vault.copy()
            kept = await vault.locked.retention(found)
            assert kept is not None
            years = vault.parts.registry.by_slug(HOA_SEN).retention_years
            assert (kept.mode, kept.retain_until_date > datetime.now(UTC) + timedelta(days=years * 365.25)) == (
                "COMPLIANCE", True,
            )  # fmt: skip
            with pytest.raises(S3Error, match="WORM"):
                vault.client().remove_object(vault.parts.settings.anchors.bucket, found.name, version_id=found.version)

        given(stored, scenario)

    def test_rows_stay_in_the_table_until_their_copy_is_locked(self, stored: World) -> None:
        async def scenario(vault: Vault) -> None:
            def died(point: str) -> None:
                if point == "archive-read-back":
                    raise ConnectionError

            await Archiver(vault.parts, "default", vault.locked, died).turn()
            assert len(vault.numbers()) == 15
            assert await vault.locked.find(f".files/{vault.schema}/") == []
            await vault.turn()
            assert (len(vault.numbers()), (await vault.copy()).disturbed) == (5, False)

        given(stored, scenario)

    def test_what_lies_in_its_place_already_is_not_believed(self, stored: World) -> None:
        async def scenario(vault: Vault) -> None:
            keeper = Archiver(vault.parts, "default", vault.locked, nowhere)
            assert await keeper.step(HospitalTrail(vault.parts, vault.parts.registry.by_slug(HOA_SEN)))
            name = f".files/{vault.schema}/{vault.key}"
            await vault.locked.put(name, b"something else", datetime.now(UTC) + timedelta(days=1))
            await vault.turn()
            assert len(vault.numbers()) == 15

        given(stored, scenario)

    def test_a_file_of_a_time_without_object_lock_gets_its_copy(self, stored: World) -> None:
        async def scenario(vault: Vault) -> None:
            await vault.turn()
            anchors = vault.parts.settings.anchors.model_copy(update={"bucket": "emr-later"})
            settings = vault.parts.settings.model_copy(update={"anchors": anchors})
            later = open_locked(settings)
            await later.open()
            await Archiver(vault.parts, "default", later, nowhere).turn()
            assert [each.name for each in await later.find(".files/")] == [f".files/{vault.schema}/{vault.key}"]

        given(stored, scenario)


class TestVerify:
    def test_a_removed_file_is_told_and_its_rows_are_verified_from_the_copy(self, stored: World) -> None:
        async def scenario(vault: Vault) -> None:
            await vault.turn()
            assert (await vault.checked()).faults == []
            vault.remove_object()
            report = await vault.checked()
            assert (report.rows, report.faults) == (
                15, ["the file of rows 1 to 10: the file is missing; its locked copy is whole"],
            )  # fmt: skip

        given(stored, scenario)

    def test_without_a_copy_its_rows_are_missing(self, stored: World, monkeypatch: pytest.MonkeyPatch) -> None:
        async def scenario(vault: Vault) -> None:
            await vault.turn()
            vault.remove_object()
            monkeypatch.setenv("EMR_ANCHORS__BUCKET", "emr-nothing")
            assert (await vault.checked()).faults == [*FAULTS, "the file of rows 1 to 10: the file is missing"]

        given(stored, scenario)

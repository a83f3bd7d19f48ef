"""What a worker clears away, and what it leaves."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emr.storage.ports import new_key
from emr.work.leases import Leases
from emr.work.loop import Job
from emr.work.runtime import Runtime
from emr.work.upkeep import upkeep_jobs
from emr_demo.postgres import Cluster
from tests.warehouse.world import SLUGS, World, make_world, opened

_ANSWER = (
    "INSERT INTO {schema}.idempotency_keys (principal, route, key, request_digest, status, headers, body, created_at)"
    " VALUES ('doctor', 'POST /', %s, '', 201, '{{}}', '', %s)"
)
_SESSION = (
    "INSERT INTO directory.sessions (token_hash, id, subject, name, organization_ids, token_expires_at, expires_at)"
    " VALUES (%s, %s, 'somebody', 'Somebody', '{}', now(), %s)"
)


@pytest.fixture(scope="module")
def kept(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(cluster, tmp_path_factory.mktemp("kept"), "emr_upkeep")


@pytest.fixture
def world(kept: World) -> World:
    kept.empty()
    return kept


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


async def turn(job: Job) -> None:
    assert job.leases is not None
    lease = await job.leases.acquire(job.name)
    assert lease is not None
    await job.turn(lease)


def upkept(world: World, scenario: Callable[[Runtime, dict[str, Job]], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with opened(world) as parts:
            leases = {"default": Leases(parts.databases.cell("default").relay, "test", 10)}
            await scenario(parts, {job.name: job for job in upkeep_jobs(parts, leases)})

    asyncio.run(inside())


class TestAnswers:
    def test_those_of_a_day_ago_are_forgotten_in_every_hospital(self, world: World) -> None:
        for slug in SLUGS:
            put = _ANSWER.format(schema=world.schema(slug))
            world.sql(put, "old", ago(hours=25))
            world.sql(put, "new", ago(hours=23))

        async def scenario(_: Runtime, jobs: dict[str, Job]) -> None:
            await turn(jobs["upkeep-answers:default"])

        upkept(world, scenario)
        for slug in SLUGS:
            assert world.sql(f"SELECT key FROM {world.schema(slug)}.idempotency_keys") == [("new",)]
            world.sql(f"TRUNCATE {world.schema(slug)}.idempotency_keys")


class TestSessions:
    def test_those_that_are_long_over_are_removed(self, world: World) -> None:
        world.sql(_SESSION, b"1", "old", ago(days=8))
        world.sql(_SESSION, b"2", "new", ago(hours=1))

        async def scenario(_: Runtime, jobs: dict[str, Job]) -> None:
            await turn(jobs["upkeep-sessions"])

        upkept(world, scenario)
        assert world.sql("SELECT id FROM directory.sessions") == [("new",)]
        world.sql("TRUNCATE directory.sessions")


class TestOrphans:
    def test_an_object_goes_that_had_no_row_for_as_long_as_backups_are_kept(self, world: World) -> None:
        """Until then a backup still has the row that it may have lost by damage."""
        old, young = new_key(), new_key()
        schema = world.schema("hoa-sen")

        async def scenario(parts: Runtime, jobs: dict[str, Job]) -> None:
            store = parts.stores.of(world.schema("hoa-sen"))
            for key in (old, young):
                await store.put(key, content())
            os.utime(file_of(world, old), (0, 0))
            await turn(jobs["upkeep-orphans:default"])
            assert [file_of(world, key).exists() for key in (old, young)] == [True, True]
            seen = f"UPDATE {schema}.indexing SET state = jsonb_build_object(%s::text, %s::text) WHERE name = 'orphans'"
            world.sql(seen, old, ago(hours=36 * 24).isoformat())
            world.sql("UPDATE cell.jobs SET state = jsonb_build_object('began_at', now() - interval '25 hours')")
            await turn(jobs["upkeep-orphans:default"])

        upkept(world, scenario)
        assert [file_of(world, key).exists() for key in (old, young)] == [False, True]


class TestFigures:
    def test_what_each_hospital_uses_is_told_once_a_day_and_old_traffic_goes(self, world: World) -> None:
        for hours in (49, 47):
            world.sql(
                "INSERT INTO directory.traffic SELECT id, %s, 1, 0, '{1}' FROM directory.tenants", ago(hours=hours)
            )

        async def scenario(_: Runtime, jobs: dict[str, Job]) -> None:
            await turn(jobs["upkeep-quotas:default"])
            world.sql("UPDATE cell.jobs SET state = '{}'")
            await turn(jobs["upkeep-quotas:default"])
            await turn(jobs["upkeep-figures"])

        upkept(world, scenario)
        told = world.sql(
            "SELECT t.slug, u.storage_bytes FROM directory.usage u JOIN directory.tenants t ON t.id = u.tenant_id"
        )
        assert sorted(told) == [(slug, 0) for slug in sorted(SLUGS)]
        assert len(world.sql("SELECT 1 FROM directory.traffic")) == len(SLUGS)
        world.sql("TRUNCATE directory.traffic, directory.usage")


async def content() -> AsyncIterator[bytes]:
    yield b"bytes"


def file_of(world: World, key: str) -> Path:
    assert world.settings.storage.folder is not None
    return world.settings.storage.folder / world.schema("hoa-sen") / key


class TestPace:
    def test_a_day_has_one_turn_whoever_asks_and_however_often(self, world: World) -> None:
        async def scenario(parts: Runtime, jobs: dict[str, Job]) -> None:
            put = _ANSWER.format(schema=world.schema("hoa-sen"))
            await turn(jobs["upkeep-answers:default"])
            world.sql(put, "old", ago(hours=25))
            await turn(jobs["upkeep-answers:default"])
            assert len(world.sql(f"SELECT 1 FROM {world.schema('hoa-sen')}.idempotency_keys")) == 1
            world.sql("UPDATE cell.jobs SET state = jsonb_build_object('began_at', now() - interval '61 minutes')")
            await turn(jobs["upkeep-answers:default"])
            assert world.sql(f"SELECT 1 FROM {world.schema('hoa-sen')}.idempotency_keys") == []

        upkept(world, scenario)

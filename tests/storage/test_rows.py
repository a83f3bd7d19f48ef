"""Content and its row on a real PostgreSQL: one transaction, one hospital, and a sweep for what crashes leave."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from emr.kernel.clock import utc_now
from emr.kernel.errors import NotFound
from emr.kernel.tenant import Quotas, Tenant
from emr.storage.errors import BlobTooLarge, ObjectMissing, StorageFull
from emr.storage.room import Room
from emr.storage.sweep import sweep
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work
from tests.house import CAU_VONG, HOA_SEN, House
from tests.storage.memory import joined, stream

pytestmark = pytest.mark.anyio
LIMIT = 1 << 20


class TestRow:
    async def test_it_holds_what_was_measured(self, standing: House, parts: Runtime) -> None:
        tenant = standing.tenants[HOA_SEN]
        async with unit_of_work(parts, tenant, standing.principal()) as work:
            blob = await work.blobs.put(stream(b"scan"), media_type="image/png", limit=LIMIT)
        row = standing.sql(
            f"SELECT encode(digest, 'hex'), size, media_type, scan_state, retention_class FROM {tenant.schema}.blobs"
            " WHERE key = %s",
            blob.key,
        )
        assert row == [(hashlib.sha256(b"scan").hexdigest(), 4, "image/png", "unscanned", "record")]
        async with unit_of_work(parts, tenant, standing.principal()) as work:
            assert await joined(work.blobs.open(await work.blobs.find(blob.key))) == b"scan"

    async def test_a_transaction_that_fails_leaves_neither_row_nor_object(
        self, standing: House, parts: Runtime
    ) -> None:
        before = standing.counts(), standing.objects()

        async def fail() -> None:
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
                await work.blobs.put(stream(b"scan"), media_type="image/png", limit=LIMIT)
                raise NotFound("nothing", "After the object was stored.")

        with pytest.raises(NotFound):
            await fail()
        assert (standing.counts(), standing.objects()) == before

    async def test_a_deleted_one_loses_its_object_with_the_commit(self, standing: House, parts: Runtime) -> None:
        before = standing.objects()
        tenant = standing.tenants[HOA_SEN]
        async with unit_of_work(parts, tenant, standing.principal()) as work:
            blob = await work.blobs.put(stream(b"scan"), media_type="image/png", limit=LIMIT)
        async with unit_of_work(parts, tenant, standing.principal()) as work:
            await work.blobs.delete(blob)
            assert len(standing.objects()) == len(before) + 1
        assert standing.objects() == before

    async def test_another_hospital_finds_neither_row_nor_object(self, standing: House, parts: Runtime) -> None:
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            blob = await work.blobs.put(stream(b"scan"), media_type="image/png", limit=LIMIT)
        other = standing.principal(slug=CAU_VONG)
        async with unit_of_work(parts, standing.tenants[CAU_VONG], other) as work:
            with pytest.raises(ObjectMissing):
                await joined(work.blobs.open(blob))
            assert await work.db.fetchval("SELECT count(*) FROM blobs WHERE key = $1", blob.key) == 0


class TestSweep:
    async def test_it_removes_what_has_no_row(self, standing: House, parts: Runtime) -> None:
        tenant, day = standing.tenants[HOA_SEN], timedelta(days=1)
        async with unit_of_work(parts, tenant, standing.principal()) as work:
            kept = await work.blobs.put(stream(b"kept"), media_type="image/png", limit=LIMIT)
            orphan = await work.blobs.put(stream(b"orphan"), media_type="image/png", limit=LIMIT)
        standing.sql(f"DELETE FROM {tenant.schema}.blobs WHERE key = %s", orphan.key)
        async with unit_of_work(parts, tenant, standing.principal()) as work:
            store = parts.stores.of(tenant.schema)
            assert (await sweep(store, work.db, utc_now(), 35 * day)).removed == 0
            assert (await sweep(store, work.db, utc_now() + 2 * day, 35 * day)).kept == 1
            assert (await sweep(store, work.db, utc_now() + 38 * day, 35 * day)).removed == 1
        assert kept.key in standing.objects()
        assert orphan.key not in standing.objects()


class TestRoom:
    """A hospital of one GiB, nearly full."""

    @pytest.fixture
    def nearly_full(self, standing: House) -> Iterator[Tenant]:
        tenant = replace(standing.tenants[HOA_SEN], quotas=Quotas(storage_gib=1))
        used = standing.sql(
            f"SELECT coalesce(sum(size), 0) FROM {tenant.schema}.blobs WHERE retention_class = 'record'"
        )
        size = (1 << 30) - 100 - int(used[0][0])
        columns = "(key, digest, size, media_type, key_id, retention_class)"
        standing.sql(
            f"INSERT INTO {tenant.schema}.blobs {columns} VALUES ('big', '\\x00', %s, 'x', 'k', 'record')", size
        )
        yield tenant
        standing.sql(f"DELETE FROM {tenant.schema}.blobs WHERE key = 'big'")

    async def test_what_fits_is_kept_and_what_does_not_is_refused_before_anything_stays(
        self, standing: House, parts: Runtime, nearly_full: Tenant
    ) -> None:
        async with unit_of_work(parts, nearly_full, standing.principal()) as work:
            assert await work.blobs.level() == "near"
            kept = await work.blobs.put(stream(b"x" * 60), media_type="image/png", limit=LIMIT)
        before = standing.counts(), standing.objects()
        with pytest.raises(StorageFull):
            async with unit_of_work(parts, nearly_full, standing.principal()) as work:
                await work.blobs.put(stream(b"x" * 41), media_type="image/png", limit=LIMIT)
        with pytest.raises(BlobTooLarge):
            async with unit_of_work(parts, nearly_full, standing.principal()) as work:
                await work.blobs.put(stream(b"x" * 21), media_type="image/png", limit=20)
        assert (standing.counts(), standing.objects()) == before
        async with unit_of_work(parts, nearly_full, standing.principal()) as work:
            last = await work.blobs.put(stream(b"x" * 40), media_type="image/png", limit=LIMIT)
            assert await work.blobs.level() == "full"
        with pytest.raises(StorageFull):
            async with unit_of_work(parts, nearly_full, standing.principal()) as work:
                await work.blobs.put(stream(b"x"), media_type="image/png", limit=LIMIT)
        async with unit_of_work(parts, nearly_full, standing.principal()) as work:
            # An export goes on: its files go away by themselves.
            export = await work.blobs.put(stream(b"x"), media_type="x", limit=LIMIT, retention_class="bulk")
            for blob in (export, kept, last):
                await work.blobs.delete(blob)

    async def test_an_old_sum_refuses_nothing(self, standing: House, parts: Runtime, nearly_full: Tenant) -> None:
        room = parts.stores._rooms.setdefault(nearly_full.schema, Room())
        room.used, room.until = 2 << 30, float("inf")
        async with unit_of_work(parts, nearly_full, standing.principal()) as work:
            await work.blobs.delete(await work.blobs.put(stream(b"x"), media_type="x", limit=LIMIT))

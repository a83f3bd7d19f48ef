"""`emr worker` as a process: how it says that it is ready, how it stops, how two of them share the work."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from emr.kernel.errors import Unavailable
from emr.settings import Telemetry
from emr.work.leases import Lease
from emr.work.loop import Job, Loop
from tests.patience import comes_true_meanwhile
from tests.servers.otelcol import otelcol_server
from tests.servers.ports import free_port
from tests.warehouse.world import SLUGS, World, opened, read_by_hand, start_worker, stop, write_history


def get(port: int, path: str) -> httpx.Response:
    deadline = time.monotonic() + 30
    while True:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5, trust_env=False)
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def write(world: World, count: int) -> None:
    async def scenario() -> None:
        async with opened(world) as parts:
            for number in range(count):
                for slug in SLUGS:
                    await write_history(parts, slug, number)

    asyncio.run(scenario())


class TestTheProcess:
    def test_it_tells_that_it_is_ready_and_what_it_did(self, world: World) -> None:
        write(world, 2)
        port = free_port()
        process = start_worker(world, port=port)
        assert get(port, "/readyz").json()["checks"] == {"database": None}
        wait_until(lambda: not world.waiting() and not world.unsealed())
        wait_until(lambda: 'emr_outbox_pending_rows{cell="default"} 0.0' in get(port, "/metrics").text)
        text = get(port, "/metrics").text
        stop(process)
        assert 'emr_warehouse_delivered_rows_total{hospital="hoa-sen"} 8.0' in text
        assert 'emr_audit_sealed_rows_total{hospital="cau-vong"}' in text
        assert 'emr_outbox_lag_seconds{cell="default"} 0.0' in text

    def test_a_warehouse_that_is_down_is_told_and_does_not_make_it_unready(self, world: World) -> None:
        Path(world.settings.warehouse.url).write_text("in the way")
        write(world, 1)
        port = free_port()
        process = start_worker(world, port=port)
        wait_until(lambda: get(port, "/readyz").json()["tolerated"]["jobs"] is not None)
        told = get(port, "/readyz")
        assert told.status_code == 200
        assert told.json()["tolerated"]["jobs"] == "relay:warehouse fails (Unavailable)"
        Path(world.settings.warehouse.url).unlink()
        wait_until(lambda: get(port, "/readyz").json()["tolerated"]["jobs"] is None)
        wait_until(lambda: not world.waiting())
        stop(process)
        assert world.waiting() == 0

    def test_sigterm_ends_it_soon_with_nothing_half_done(self, world: World) -> None:
        write(world, 10)
        process = start_worker(world)
        wait_until(lambda: world.sql("SELECT count(*) FROM cell.jobs")[0][0] > 0)
        began = time.monotonic()
        stop(process)
        assert time.monotonic() - began < 10
        assert world.sql("SELECT count(*) FROM cell.batches WHERE state = 'claimed'")[0][0] == 0
        assert world.sql("SELECT count(*) FROM cell.jobs WHERE leased_until > now()")[0][0] == 0

    def test_two_of_them_share_the_work_and_do_it_once(self, world: World) -> None:
        workers = [start_worker(world) for _ in range(2)]
        write(world, 15)
        wait_until(lambda: not world.waiting() and not world.unsealed())
        for worker in workers:
            stop(worker)
        for slug in SLUGS:
            held = read_by_hand(Path(world.settings.warehouse.url), world.tenant_id(slug))
            assert held == world.record(slug) == world.receipts(slug)

    def test_another_one_takes_over_from_one_that_froze(self, world: World) -> None:
        frozen = start_worker(world)
        wait_until(lambda: world.sql("SELECT count(*) FROM cell.jobs WHERE name = 'relay:warehouse'")[0][0] == 1)
        assert frozen.pid is not None
        os.kill(frozen.pid, signal.SIGSTOP)
        write(world, 2)
        other = start_worker(world)
        wait_until(lambda: not world.waiting())
        os.kill(frozen.pid, signal.SIGCONT)
        write(world, 2)
        wait_until(lambda: not world.waiting() and not world.unsealed())
        stop(frozen)
        stop(other)
        for slug in SLUGS:
            held = read_by_hand(Path(world.settings.warehouse.url), world.tenant_id(slug))
            assert held == world.record(slug) == world.receipts(slug)

    @pytest.mark.server
    def test_its_batches_are_traced_to_a_collector(self, world: World, tmp_path: Path) -> None:
        write(world, 1)
        with otelcol_server(tmp_path) as collector:
            traced = Telemetry(otlp_endpoint=collector.endpoint, sample_ratio=1)
            process = start_worker(world.telling(traced))
            wait_until(lambda: not world.waiting())
            stop(process)
            spans = collector.wait_for("warehouse batch")
        batch = next(span for span in spans if span.name == "warehouse batch")
        inside = {span.attributes.get("db.query.summary") for span in spans if span.parent_id == batch.span_id}
        assert {"outbox.pointers", "warehouse.read", "outbox.receipts"} <= inside
        assert batch.attributes["emr.rows"] == "8"


class TestTheLoop:
    def test_a_job_that_fails_is_tried_again_and_disturbs_no_other(self) -> None:
        turns: dict[str, int] = {"good": 0, "bad": 0}

        async def good(_: Lease | None) -> bool:
            turns["good"] += 1
            return False

        async def bad(_: Lease | None) -> bool:
            turns["bad"] += 1
            if turns["bad"] == 1:
                raise Unavailable("down", "Down.")
            return False

        async def scenario() -> None:
            loop = Loop([Job("good", 0.01, good), Job("bad", 0.01, bad)])
            running = asyncio.create_task(loop.run(drain_seconds=1))
            assert await comes_true_meanwhile(lambda: loop.failing == {"bad": "Unavailable"})
            assert await comes_true_meanwhile(lambda: loop.failing == {} and turns["good"] > 10)
            loop.stop()
            assert await running

        asyncio.run(scenario())
        assert turns["good"] > 10
        assert turns["bad"] > 1

    def test_a_turn_that_does_not_end_is_cut_off_at_the_bound(self) -> None:
        async def endless(_: Lease | None) -> bool:
            await asyncio.sleep(60)
            return False

        async def scenario() -> bool:
            loop = Loop([Job("endless", 1, endless)])
            running = asyncio.create_task(loop.run(drain_seconds=0.2))
            await asyncio.sleep(0.1)
            loop.stop()
            return await running

        began = time.monotonic()
        assert asyncio.run(scenario()) is False
        assert time.monotonic() - began < 2

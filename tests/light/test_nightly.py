"""The worker's job, run for real: it tries hospitals in processes of their own, and can be stopped at any moment."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from emr.db.cells import DEFAULT_CELL
from emr.identity.visits import PREFIX
from emr.light import nightly
from emr.light.nightly import border_jobs, build_id
from emr.settings import Border
from emr.telemetry.metrics import exposition
from emr.work.leases import Leases
from emr.work.loop import Loop
from emr.work.runtime import runtime
from emr_demo.postgres import temporary
from tests.fleet.world import environment
from tests.house import House, house, served

DRAIN = 25.0


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Two hospitals of their own, which hold nothing that other tests have left: each is tried in a moment."""
    with temporary() as own, house(own, tmp_path_factory.mktemp("nightly")) as made, served(made) as listening:
        yield listening


@dataclass
class Running:
    """The jobs in a loop, and the loop's end."""

    house: House
    loop: Loop
    ended: asyncio.Task[bool]

    def tried(self) -> list[tuple[str]]:
        return self.house.sql(
            "SELECT tenant_id FROM directory.border_checks WHERE result::json ->> 'build' = %s", build_id()
        )

    def visitors(self) -> int:
        return sum(
            self.house.sql(f"SELECT count(*) FROM directory.{table} WHERE subject LIKE %s", f"{PREFIX}%")[0][0]
            for table in ("sessions", "memberships")
        )

    async def until(self, done: Callable[[], bool], seconds: float = 200) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, self.loop.failing
            await asyncio.sleep(0.1)

    async def stop(self) -> float:
        """Seconds until everything has ended in peace."""
        began = time.monotonic()
        self.loop.stop()
        assert await self.ended, "it had to be cut off"
        return time.monotonic() - began


@asynccontextmanager
async def working(house: House, monkeypatch: pytest.MonkeyPatch, **more: str) -> AsyncIterator[Running]:
    # As with a new release: every hospital is due, whoever tried it before.
    monkeypatch.setattr(nightly, "build_id", lambda: "the next")
    for name, value in (environment(house.settings) | more).items():
        monkeypatch.setenv(name, value)
    parts = runtime(house.settings.model_copy(update={"border": Border(nightly=True)}))
    await parts.open()
    try:
        cell = parts.databases.cells[DEFAULT_CELL]
        loop = Loop(border_jobs(parts, {DEFAULT_CELL: Leases(cell.relay, "nightly", 10)}))
        running = Running(house, loop, asyncio.create_task(loop.run(drain_seconds=DRAIN)))
        try:
            yield running
        finally:
            loop.stop()
            await running.ended
    finally:
        await parts.close()


class TestBorderJobs:
    def test_hospitals_are_tried_one_after_the_other_and_it_stops_in_the_midst_of_it(
        self, small: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def scenario() -> None:
            async with working(small, monkeypatch) as running:
                before = len(running.tried())
                await running.until(lambda: len(running.tried()) > before)
                await running.until(lambda: running.visitors() == 0)
                await running.until(lambda: running.visitors() > 0)
                kept = len(running.tried())
                assert await running.stop() < DRAIN / 2
                assert (running.visitors(), len(running.tried())) == (0, kept)
                assert running.loop.failing == {}

        asyncio.run(scenario())
        assert b"emr_border_age_seconds{" in exposition()

    def test_one_that_cannot_be_tried_keeps_no_other_from_it(
        self, small: House, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        async def scenario() -> None:
            async with working(small, monkeypatch, EMR_BORDER__URL="http://127.0.0.1:1") as running:
                told = ""

                def two() -> bool:
                    nonlocal told
                    told += capfd.readouterr().err
                    return told.count("The service does not answer") > 1

                before = len(running.tried())
                await running.until(two)
                assert len(running.tried()) == before

        asyncio.run(scenario())

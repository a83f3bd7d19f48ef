import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from emr.fleet.leaving.export import Written
from emr.work.runtime import runtime
from tests.fleet.leaving.world import Leaving, hospital_with_records
from tests.house import House, in_a_loop


@dataclass
class Left:
    """A hospital with its package, made once for all who only read it."""

    of: Leaving
    written: Written

    @property
    def package(self) -> Path:
        return self.written.folder


@pytest.fixture(scope="session")
def left(standing: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    """Its package, and a runtime that is closed again: whoever wants to work opens one."""
    folder = tmp_path_factory.mktemp("left")

    async def make() -> Left:
        parts = runtime(standing.settings)
        await parts.open()
        try:
            leaving = await hospital_with_records(standing, parts, folder)
            return Left(leaving, await leaving.export(folder / "out"))
        finally:
            await parts.close()

    yield in_a_loop(make)
    assert asyncio.iscoroutinefunction(make)

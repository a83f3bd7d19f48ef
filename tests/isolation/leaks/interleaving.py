"""Units of work of several hospitals that are open at once, stepped one by one in any order, beside a model of the rows."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from emr.db.connection import USELESS
from emr.kernel.errors import Unavailable
from emr.records.read import read
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from tests.isolation.leaks.asking import Asked, Tally, ask, change
from tests.isolation.leaks.hospitals import Hospital, Hospitals
from tests.isolation.leaks.trouble import Raised

_KILL: Final = "SELECT pg_terminate_backend($1)"
Step = Callable[[UnitOfWork], Awaitable[Any]]


@dataclass
class Unit:
    """One that is open, or waits for a connection; `changed`: what it has written and not kept, by number."""

    here: Hospital
    limited: bool
    to_read: bool
    steps: "asyncio.Queue[tuple[Step, asyncio.Future[Any]] | None]"
    ready: asyncio.Event
    task: "asyncio.Task[None]" = field(init=False)
    changed: dict[int, int] = field(default_factory=dict)


@dataclass
class Interleaving:
    """All units, and what each hospital's observations have to say: by hospital and number."""

    found: Hospitals
    parts: Runtime
    curtain: asyncpg.Connection
    units: list[Unit] = field(default_factory=list)
    kept: dict[tuple[int, int], int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    value: int = 1_000_000

    async def open(self, here: Hospital, *, limited: bool, to_read: bool) -> None:
        """Begin one; it is ready at once unless all connections are lent."""
        unit = Unit(here, limited and here.strict, to_read, asyncio.Queue(), asyncio.Event())
        unit.task = asyncio.create_task(self._serve(unit))
        self.units.append(unit)
        await self._settle()

    async def _serve(self, unit: Unit) -> None:
        principal = unit.here.doctor() if unit.limited else unit.here.system()
        opened = unit_of_work(self.parts, unit.here.tenant, principal, to_read=unit.to_read)
        async with opened as work:
            unit.ready.set()
            while (asked := await unit.steps.get()) is not None:
                step, answer = asked
                try:
                    answer.set_result(await step(work))
                except BaseException as error:
                    answer.set_exception(error)
                    raise

    async def step(self, unit: Unit, step: Step) -> Any:
        """Have a unit that is ready do one thing."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        unit.steps.put_nowait((step, answer))
        return await answer

    async def ask(self, unit: Unit, number: int, kind: str) -> None:
        """Any question, and what the observation says: what this unit wrote, else what was kept last."""
        other = self.found.others(unit.here)[number % 3]
        asked = Asked(unit.here, other, number, unit.limited)
        self.tally.count(self.found, asked, await self.step(unit, lambda work: ask(work, asked, kind)))
        if not asked.seen:
            return
        stored = await self.step(unit, lambda work: read(work, "Observation", f"o{number}"))
        value = int(stored.resource()["valueInteger"])
        if number in unit.changed:
            assert value == unit.changed[number]
        else:
            assert value == self.kept.setdefault((unit.here.number, number), value)

    async def change(self, unit: Unit, number: int) -> None:
        """Write without keeping it yet."""
        self.value += 1
        value = self.value
        asked = Asked(unit.here, self.found.others(unit.here)[0], number, limited=False)
        self.tally.count(self.found, asked, await self.step(unit, lambda work: change(work, asked, value)))
        unit.changed[number] = value

    async def end(self, unit: Unit, how: str) -> None:
        """By keeping what it did, by an error, by giving it up, or by the end of its backend."""
        self.units.remove(unit)
        if how == "kept":
            unit.steps.put_nowait(None)
            await unit.task
            self.kept |= {(unit.here.number, number): value for number, value in unit.changed.items()}
        elif how == "given up" or not unit.ready.is_set():
            unit.task.cancel()
            await asyncio.gather(unit.task, return_exceptions=True)
        else:
            await self._spoil(unit, how)
        await self._settle()

    async def _spoil(self, unit: Unit, how: str) -> None:
        async def spoil(work: UnitOfWork) -> None:
            if how == "killed":
                await self.curtain.fetchval(_KILL, await work.db.fetchval("SELECT pg_backend_pid()"))
                await work.db.fetchval("SELECT 1")
            raise Raised

        for error in await asyncio.gather(self.step(unit, spoil), unit.task, return_exceptions=True):
            assert isinstance(error, (Raised, Unavailable, asyncpg.PostgresError, *USELESS)), error

    async def _settle(self) -> None:
        """As many units get ready as there are connections, and stand first; who waits is served in turns by hospital."""
        connections = self.parts.settings.database.pool_size
        async with asyncio.timeout(30):  # any of several events, hence the looking
            while sum(each.ready.is_set() for each in self.units) < min(connections, len(self.units)):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        self.units.sort(key=lambda each: not each.ready.is_set())

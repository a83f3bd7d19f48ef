"""Many at once, of all hospitals, on a pool that is too small for them; where asked, with trouble in between."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from emr.access.care import sight_of
from emr.db.connection import USELESS
from emr.identity.principal import Principal
from emr.kernel.errors import Unavailable
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work
from tests.isolation.leaks.asking import READS, Asked, Tally, ask, change
from tests.isolation.leaks.hospitals import PEOPLE, TREATED, Hospital, Hospitals
from tests.isolation.leaks.statements import STATEMENTS
from tests.isolation.leaks.trouble import GIVEN_UP, KINDS, Raised, Trouble

AT_ONCE: Final = 12
_OF_STORE, _OF_STATEMENTS = 4, 10
_LONGEST_SECONDS: Final = 0.012
"""Whoever gives up does so within this time, and most turns take about as long."""
_ENOUGH: Final = 100
"""Turns that failed without a reason, after which a storm is over."""
_WHERE: Final = "SELECT current_user::text || ' ' || current_setting('search_path')"
_EXPECTED: Final = (Raised, Unavailable, asyncpg.PostgresError, *USELESS)


@dataclass
class Turn:
    """One transaction: who asks, by what chance, and what goes wrong in it (None: nothing)."""

    here: Hospital
    limited: bool
    chance: random.Random
    trouble: str | None

    def about(self, found: Hospitals, people: int = PEOPLE) -> Asked:
        """The next question's person, and another hospital."""
        return Asked(
            self.here, self.chance.choice(found.others(self.here)), self.chance.randrange(people), self.limited
        )

    @property
    def principal(self) -> Principal:
        return self.here.doctor() if self.limited else self.here.system()


@dataclass
class Storm:
    """Probes by `AT_ONCE` tasks; `trouble`: how many of a hundred turns are disturbed; `writes`: of how many are changes.

    `broken`: turns that nobody disturbed and that failed all the same.
    """

    found: Hospitals
    parts: Runtime
    seed: int
    trouble: float = 0
    writes: int = 10
    tally: Tally = field(default_factory=Tally)
    broken: list[str] = field(default_factory=list)
    changes: int = 0

    @property
    def red(self) -> set[str]:
        """What is wrong; empty when nothing is."""
        found = {"leaks": self.tally.leaks, "blind": self.tally.blind, "broken": self.broken}
        return {name for name, wrong in found.items() if wrong}

    async def run(self, probes: int) -> "Storm":
        """Ask until there are so many probes."""
        curtain = await asyncpg.connect(self.found.house.cluster.url(database="emr"))
        maker = Trouble(curtain, asyncio.Lock())
        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(AT_ONCE):
                    tasks.create_task(self._ask_on(random.Random(self.seed * 1000 + number), probes, maker))
        finally:
            await curtain.close()
        return self

    async def _ask_on(self, chance: random.Random, probes: int, maker: Trouble) -> None:
        while self.tally.total < probes and len(self.broken) < _ENOUGH:
            here = chance.choice(self.found.all)
            disturbed = chance.random() * 100 < self.trouble
            turn = Turn(
                here, here.strict and chance.random() < 0.5, chance, chance.choice(KINDS) if disturbed else None
            )
            way = chance.choices((self._store, self._statements, self._change), (25, 65, self.writes))[0]
            if disturbed:
                await self._disturbed(turn, way(turn, maker))
            else:
                await self._undisturbed(way(turn, maker))

    async def _undisturbed(self, going: Awaitable[None]) -> None:
        try:
            await going
        except Exception as error:  # noqa: BLE001 - nobody disturbed this turn: whatever it is counts against it
            self.broken.append(f"{type(error).__name__}: {error}; {error.__cause__!r}")

    async def _disturbed(self, turn: Turn, going: Awaitable[None]) -> None:
        task = asyncio.ensure_future(going)
        if turn.trouble == GIVEN_UP:
            await asyncio.sleep(turn.chance.random() * _LONGEST_SECONDS)
            task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        if result is None:
            return
        assert turn.trouble is not None
        self.tally.lost[turn.trouble] += 1
        if not isinstance(result, asyncio.CancelledError if turn.trouble == GIVEN_UP else _EXPECTED):
            raise result

    async def _store(self, turn: Turn, maker: Trouble) -> None:
        """What the store is asked in one unit of work."""
        to_read = turn.chance.random() < 0.8
        async with unit_of_work(self.parts, turn.here.tenant, turn.principal, to_read=to_read) as work:
            for number in range(_OF_STORE):
                asked = turn.about(self.found)
                self.tally.count(self.found, asked, await ask(work, asked, turn.chance.choice(_KINDS)))
                if number == 1 and turn.trouble not in (None, GIVEN_UP):
                    await maker.make(str(turn.trouble), work.db)

    async def _statements(self, turn: Turn, maker: Trouble) -> None:
        """The statements that all hospitals share, in one transaction of the pool."""
        sight = sight_of(turn.here.tenant, turn.here.doctor(), self.parts.clock) if turn.limited else None
        databases = self.parts.databases
        opened = databases.hospital_to_read if turn.chance.random() < 0.7 else databases.hospital
        async with opened(turn.here.tenant, sight) as db:
            for number in range(_OF_STATEMENTS):
                asked = turn.about(self.found)
                kind = turn.chance.choice(tuple(STATEMENTS))
                self.tally.count(self.found, asked, (kind, *await STATEMENTS[kind](db, asked)))
                if number == 3 and turn.trouble not in (None, GIVEN_UP):
                    await maker.make(str(turn.trouble), db)
            where = await db.fetchval(_WHERE)
            assert turn.here.tenant.schema in where, where

    async def _change(self, turn: Turn, maker: Trouble) -> None:
        """A write that is read back before it is kept."""
        asked = turn.about(self.found, TREATED if turn.limited else PEOPLE)
        self.changes += 1
        async with unit_of_work(self.parts, turn.here.tenant, turn.principal) as work:
            self.tally.count(self.found, asked, await change(work, asked, self.changes))
            if turn.trouble not in (None, GIVEN_UP):
                await maker.make(str(turn.trouble), work.db)


_KINDS: Final = tuple(READS)
Way = Callable[[Turn, Trouble], Awaitable[None]]

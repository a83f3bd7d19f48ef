"""Hospitals taking turns on two connections, in every order that hypothesis thinks of: each sees its own rows alone, as
they were kept last.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, ClassVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from emr.work.runtime import Runtime
from tests.isolation.leaks.asking import READS
from tests.isolation.leaks.hospitals import PEOPLE, TREATED, Hospitals
from tests.isolation.leaks.interleaving import Interleaving, Unit
from tests.isolation.leaks.kept import backends
from tests.patience import comes_true_meanwhile

CONNECTIONS, MOST = 2, 4
NUMBER = st.integers(0, PEOPLE - 1)
WHICH = st.integers(0, CONNECTIONS - 1)
pytestmark = pytest.mark.timeout(600)


class Interleaved(RuleBasedStateMachine):
    """At most `MOST` units of work, of which as many are ready as there are connections."""

    four: ClassVar[Hospitals]
    parts: ClassVar[Runtime]
    curtain: ClassVar[asyncpg.Connection]
    runner: ClassVar[asyncio.Runner]

    def __init__(self) -> None:
        super().__init__()
        self.all = Interleaving(self.four, self.parts, self.curtain)

    def do(self, step: Coroutine[Any, Any, None]) -> None:
        self.runner.run(step)

    def ready(self, which: int) -> Unit:
        some = self.all.units[:CONNECTIONS]
        return some[which % len(some)]

    @precondition(lambda self: len(self.all.units) < MOST)
    @rule(here=st.integers(0, 3), limited=st.booleans(), to_read=st.booleans())
    def open(self, here: int, limited: bool, to_read: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
        self.do(self.all.open(self.four.all[here], limited=limited, to_read=to_read))

    @precondition(lambda self: self.all.units)
    @rule(which=WHICH, number=NUMBER, kind=st.sampled_from(sorted(READS)))
    def ask(self, which: int, number: int, kind: str) -> None:
        self.do(self.all.ask(self.ready(which), number, kind))

    @precondition(lambda self: self.all.units)
    @rule(which=WHICH, number=NUMBER)
    def change(self, which: int, number: int) -> None:
        unit = self.ready(which)
        number = number % TREATED if unit.limited else number
        held = any(number in each.changed and each.here is unit.here for each in self.all.units if each is not unit)
        if not unit.to_read and not held:
            self.do(self.all.change(unit, number))

    @precondition(lambda self: self.all.units)
    @rule(which=WHICH, how=st.sampled_from(["kept", "kept", "raised", "given up", "killed"]))
    def end(self, which: int, how: str) -> None:
        self.do(self.all.end(self.ready(which), how))

    @precondition(lambda self: len(self.all.units) > CONNECTIONS)
    @rule()
    def give_up_waiting(self) -> None:
        self.do(self.all.end(self.all.units[-1], "given up"))

    def teardown(self) -> None:
        while self.all.units:
            self.do(self.all.end(self.all.units[-1], "given up"))
        assert (self.all.tally.leaks, self.all.tally.blind) == ([], [])


@pytest.fixture
def machine(four: Hospitals) -> Iterator[type[Interleaved]]:
    Interleaved.four = four
    with asyncio.Runner() as runner:
        Interleaved.runner = runner
        Interleaved.parts = four.parts(size=CONNECTIONS)
        runner.run(Interleaved.parts.open())
        Interleaved.curtain = runner.run(asyncpg.connect(four.house.cluster.url(database="emr")))
        yield Interleaved
        runner.run(comes_true_meanwhile(lambda: not backends(four)))
        assert backends(four) == []
        runner.run(Interleaved.curtain.close())
        runner.run(Interleaved.parts.close())


def test_whatever_the_order_each_sees_its_own(machine: type[Interleaved]) -> None:
    asked = settings(max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=asked)

"""A hundred thousand questions of four hospitals on three connections, with trouble in the middle: none shows another's.

`EMR_LEAK_PROBES` asks for more of them, `EMR_LEAK_SEED` for others.
"""

import asyncio
import os
from dataclasses import dataclass

import pytest

from emr.db.keeping import Pool
from tests.isolation.leaks.asking import READS
from tests.isolation.leaks.hospitals import Hospitals
from tests.isolation.leaks.kept import backends, misplaced
from tests.isolation.leaks.statements import STATEMENTS
from tests.isolation.leaks.storm import Storm
from tests.isolation.leaks.trouble import KINDS
from tests.patience import comes_true_meanwhile

PROBES = int(os.environ.get("EMR_LEAK_PROBES", "100000"))
SEED = int(os.environ.get("EMR_LEAK_SEED", "11"))
CONNECTIONS = 3

pytestmark = pytest.mark.timeout(1_200)


@dataclass(frozen=True)
class Weathered:
    """A storm that is over, and what its pool and the server are like before anything is closed."""

    storm: Storm
    open_connections: int
    idle_connections: int
    busy: list[tuple[str, str]]


@pytest.fixture(scope="module")
def weathered(four: Hospitals) -> Weathered:
    async def run() -> Weathered:
        parts = four.parts(size=CONNECTIONS)
        await parts.open()
        try:
            storm = await Storm(four, parts, SEED, trouble=3).run(PROBES)
            pool: Pool = parts.databases.cell("default")._pool_of(four.all[0].tenant.schema)
            # What was left open to be ended by the next one is ended after ten milliseconds when nobody comes.
            await comes_true_meanwhile(
                lambda: not backends(four) and pool.open_connections() == pool.idle_connections()
            )
            return Weathered(storm, pool.open_connections(), pool.idle_connections(), backends(four))
        finally:
            await parts.close()

    return asyncio.run(run())


class TestProbes:
    def test_none_shows_what_is_another_hospitals(self, weathered: Weathered) -> None:
        assert weathered.storm.tally.leaks == []
        assert weathered.storm.tally.total >= PROBES

    def test_each_shows_what_is_the_hospitals_own(self, weathered: Weathered) -> None:
        """Without this they might show nothing because they find nothing, or more than somebody may see."""
        assert weathered.storm.tally.blind == []

    def test_every_question_was_asked_often(self, weathered: Weathered) -> None:
        asked = weathered.storm.tally.probes
        assert asked.keys() == READS.keys() | STATEMENTS.keys() | {"change"}
        assert min(asked.values()) > PROBES // 200

    def test_every_trouble_was_made(self, weathered: Weathered) -> None:
        assert weathered.storm.tally.lost.keys() == set(KINDS)


class TestAfterTrouble:
    def test_nobody_else_has_noticed(self, weathered: Weathered) -> None:
        assert weathered.storm.broken == []

    def test_every_connection_is_back_and_outside_of_a_transaction(self, weathered: Weathered) -> None:
        assert weathered.open_connections == weathered.idle_connections <= CONNECTIONS
        assert weathered.busy == []

    def test_nothing_was_written_where_it_does_not_belong(self, weathered: Weathered, four: Hospitals) -> None:
        assert weathered.storm.changes > PROBES // 200
        assert misplaced(four) == []

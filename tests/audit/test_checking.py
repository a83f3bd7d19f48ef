"""A stream checked in parts side by side says what it says in one piece."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from emr.audit import seals
from emr.audit.checking import Asked, Report, check, parts_of, together
from emr.audit.seals import Head
from emr.work.runtime import Runtime
from tests.audit.test_sealing import played, rows_for, sealer
from tests.warehouse.world import World

HOA_SEN = "hoa-sen"
SIZE = 10


@pytest.fixture
def sealed(world: World) -> World:
    """Thirty rows under six seals, which ten rows a part cut after rows 5, 15 and 25."""

    async def scenario(parts: Runtime) -> None:
        for start in range(0, 30, 5):
            await parts.audit.record("default", rows_for(world, HOA_SEN, 5, start))
            await sealer(parts).turn()

    played(world, scenario)
    return world


def asked(world: World, *anchored: Head) -> Asked:
    return Asked(world.settings.database.url, world.schema(HOA_SEN), HOA_SEN, anchored or None)


def told(report: Report) -> tuple[int, int, int | None, int, list[str]]:
    return report.rows, report.batches, report.anchored_batch, report.fault_count, report.faults


def head(world: World, batch: int) -> Head:
    [found] = world.sql(f"SELECT batch, last, hash FROM {world.schema(HOA_SEN)}.audit_seals WHERE batch = {batch}")
    return Head(*found)


def in_parts(one: Asked) -> Report:
    return together([check(part) for part in parts_of(one, SIZE)])


class TestParts:
    def test_they_meet_where_seals_end(self, sealed: World) -> None:
        ends = [each.part.until and each.part.until.last for each in parts_of(asked(sealed), SIZE)]
        assert ends == [5, 15, 25, None]

    def test_a_stream_without_a_seal_is_one(self, world: World) -> None:
        assert [each.part.until for each in parts_of(asked(world), SIZE)] == [None]
        assert told(in_parts(asked(world))) == (0, 0, None, 0, [])

    def test_a_whole_stream_is_whole(self, sealed: World) -> None:
        anchored = asked(sealed, head(sealed, 1), head(sealed, 3), head(sealed, 6))
        assert told(in_parts(anchored)) == told(check(anchored)) == (30, 6, 6, 0, [])

    @pytest.mark.parametrize(
        "harm",
        [
            "DELETE FROM {own}.audit_events WHERE number IN (5, 6)",
            "DELETE FROM {own}.audit_events WHERE number = 30",
            "UPDATE {own}.audit_events SET row = replace(row, 'r1', 'r9') WHERE number = 16",
            "UPDATE {own}.audit_events SET action = 'x' WHERE number > 3",
            "INSERT INTO {own}.audit_events SELECT 31, at, action, actor, patients, row FROM {own}.audit_events LIMIT 1",
            "INSERT INTO {own}.audit_events SELECT -1, at, action, actor, patients, row FROM {own}.audit_events LIMIT 1",
            "DELETE FROM {own}.audit_seals WHERE batch = 3",
            "DELETE FROM {own}.audit_seals WHERE batch = 6",
            "UPDATE {own}.audit_seals SET previous = root WHERE batch = 4",
            "TRUNCATE {own}.audit_events, {own}.audit_seals",
        ],
        ids=["around-a-cut", "last", "changed", "columns", "after", "before", "seal-at-cut", "seal", "chain", "all"],
    )
    def test_what_was_tampered_with_is_told_as_in_one_piece(self, sealed: World, harm: str) -> None:
        anchored = asked(sealed, head(sealed, 2), head(sealed, 6))
        sealed.sql(harm.format(own=sealed.schema(HOA_SEN)))
        whole = check(anchored)
        assert whole.fault_count > 0
        assert told(in_parts(anchored)) == told(whole)

    def test_a_seal_that_is_exchanged_while_parts_are_read_is_told(self, sealed: World) -> None:
        """A row, its root and its seal made anew in the first part, after the second was told where it begins."""
        parts = parts_of(asked(sealed), SIZE)
        own = sealed.schema(HOA_SEN)
        sealed.sql(f"UPDATE {own}.audit_events SET row = replace(row, 'r4', 'r9') WHERE number = 5")
        rows = sealed.sql(f"SELECT number, row FROM {own}.audit_events WHERE number <= 5 ORDER BY number")
        made = seals.seal(own, Head(), [seals.leaf(*each) for each in rows], datetime.now(UTC))
        sealed.sql(
            f"UPDATE {own}.audit_seals SET root = %s, hash = %s, sealed_at = %s WHERE batch = 1",
            made.root, made.hash(), made.sealed_at,
        )  # fmt: skip
        assert together([check(part) for part in parts]).faults == ["seal 1 was changed while the trail was read"]


class TestTogether:
    def test_of_many_faults_the_first_fifty_are_shown(self) -> None:
        one = Report("x", "t_x", rows=3, fault_count=70, faults=[f"first {each}" for each in range(50)])
        other = replace(one, fault_count=2, faults=["later", "last"], began=one.began + 1, seconds=2.0)
        found = together([one, other])
        assert (found.rows, found.fault_count, len(found.faults), found.faults[-1]) == (6, 72, 50, "first 49")
        assert found.seconds == pytest.approx(3.0, abs=0.01)

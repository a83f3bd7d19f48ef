"""`emr warehouse …` as an operator types it."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from emr.cli import app
from tests.warehouse.test_relay import Bench, benched
from tests.warehouse.world import SLUGS, World, opened, write_history


@pytest.fixture
def typed(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world's settings in the environment, where a command looks for them."""
    monkeypatch.setenv("EMR_PROFILE", "test")
    monkeypatch.setenv("EMR_DATABASE__URL", world.settings.database.url)
    monkeypatch.setenv("EMR_WAREHOUSE__URL", world.settings.warehouse.url)
    monkeypatch.setenv("COLUMNS", "200")
    return world


def emr(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["warehouse", *words])
    assert done.exit_code == code, done.output
    return done.output


def write(world: World, *slugs: str) -> None:
    async def scenario() -> None:
        async with opened(world) as parts:
            for slug in slugs:
                await write_history(parts, slug, 1)

    asyncio.run(scenario())


class TestStatus:
    def test_it_shows_what_waits_and_then_what_was_delivered(self, typed: World) -> None:
        write(typed, *SLUGS)
        before = json.loads(emr("status", "--json"))["cells"][0]
        assert (before["cell"], before["pending"], before["last_batch"]) == ("default", 8, None)
        benched(typed, Bench.drain)
        after = json.loads(emr("status", "--json"))["cells"][0]
        assert (after["pending"], after["lag_seconds"], after["failures"]) == (0, 0.0, [])
        assert after["last_batch"]["state"] == "delivered"
        assert [(each["hospital"], each["delivered"]) for each in after["hospitals"]] == [
            ("cau-vong", 4),
            ("hoa-sen", 4),
        ]

    def test_a_person_gets_a_table_with_reasons(self, typed: World) -> None:
        write(typed, "hoa-sen")
        typed.sql("INSERT INTO cell.outbox (tenant, type, id, version) VALUES ('t_000000000000', 'Patient', 'x', 1)")
        benched(typed, Bench.drain)
        text = emr("status")
        assert "Cell default: 0 waiting" in text
        assert "hoa-sen" in text
        assert "hospital-gone" in text

    def test_a_database_that_is_down_is_one_sentence(self, typed: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EMR_DATABASE__URL", "postgresql://emr_app:x@127.0.0.1:1/emr")
        assert emr("status", code=2).strip() == "The database does not answer."


class TestReplay:
    def test_a_lost_table_is_filled_again(self, typed: World, monkeypatch: pytest.MonkeyPatch) -> None:
        write(typed, *SLUGS)
        benched(typed, Bench.drain)
        lost = f"{typed.settings.warehouse.url}-2"
        monkeypatch.setenv("EMR_WAREHOUSE__URL", lost)
        tried = json.loads(emr("replay", "--dry-run", "--json", code=1))["hospitals"]
        assert [(each["hospital"], each["versions"], each["missing"]) for each in tried] == [
            ("cau-vong", 4, 4),
            ("hoa-sen", 4, 4),
        ]
        assert typed.waiting() == 0
        emr("replay", "--tenant", "hoa-sen")
        assert typed.waiting() == 4
        emr("replay")
        assert typed.waiting() == 8
        benched(typed.at(typed.settings.warehouse.model_copy(update={"url": lost})), Bench.drain)
        whole = json.loads(emr("replay", "--json"))["hospitals"]
        assert [each["whole"] for each in whole] == [True, True]

    def test_without_a_warehouse_it_says_so(self, typed: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("EMR_WAREHOUSE__URL")
        assert "EMR_WAREHOUSE__URL is not set" in emr("replay", code=2)

    def test_an_unknown_hospital_is_one_sentence(self, typed: World) -> None:
        assert emr("replay", "--tenant", "nowhere", code=2).strip() == "There is no such hospital."

"""`emr subscriptions …` as an operator types it."""

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from emr.cli import app
from emr.settings import Telemetry
from emr.telemetry.logs import configure_logs
from tests.subscriptions.receiver import Receiver
from tests.subscriptions.world import Play, Ward, observation, patient_of, subscription_to
from tests.warehouse.world import World


@pytest.fixture
def typed(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world's settings in the environment, where a command looks for them."""
    keys = world.settings.keys
    monkeypatch.setenv("EMR_PROFILE", "test")
    monkeypatch.setenv("EMR_DATABASE__URL", world.settings.database.url)
    monkeypatch.setenv("EMR_STORAGE__FOLDER", str(world.settings.storage.folder))
    for name in ("master", "signing", "sealing"):
        monkeypatch.setenv(f"EMR_KEYS__{name.upper()}", getattr(keys, name).get_secret_value())
    monkeypatch.setenv("COLUMNS", "200")
    yield world
    # A command logs to the stream that it was run with, which is closed by now.
    configure_logs(Telemetry(), "test")


def emr(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["subscriptions", *words])
    assert done.exit_code == code, done.output
    return done.output


class TestTheCommands:
    def test_they_show_how_it_stands_and_end_it(self, typed: World, play: Play, receiver: Receiver) -> None:
        ids: list[str] = []

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            ids.append(await here.active(subscription_to(receiver.url, header=["Authorization: Bearer kin"])))
            receiver.reply = lambda _: (500, {})
            await here.create(observation(patient.id))
            await here.settle(2)

        play(scenario)
        (row,) = json.loads(emr("list", "hoa-sen", "--json"))["subscriptions"]
        assert (row["id"], row["state"], row["owner"], row["pending"]) == (ids[0], "active", "machine:his", 1)
        assert row["reason"] == "status-500"
        assert ids[0] in emr("status", "hoa-sen", code=1)
        assert "kin" not in emr("list", "hoa-sen")
        emr("off", "hoa-sen", ids[0])
        emr("status", "hoa-sen")
        assert "no such Subscription" in emr("off", "hoa-sen", ids[0], code=2)
        assert "no such hospital" in emr("list", "nowhere", code=2)

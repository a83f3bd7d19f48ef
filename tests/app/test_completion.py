"""The shell completes commands of every room, the script for it comes from the command itself, and help loads no room."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from emr import cli
from emr.fleet.cli import tenants
from emr.work.rooms import Door

EMR = Path(sys.executable).with_name("emr")


def emr(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [EMR, *arguments], env=os.environ | more, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_script_is_printed(shell: str) -> None:
    done = emr("completion", shell)
    assert done.returncode == 0
    assert f"_EMR_COMPLETE=complete_{shell}" in done.stdout


def test_a_room_offers_none_of_its_own() -> None:
    assert "completion" not in emr("tenants", "--help").stdout


def test_an_unknown_shell_is_refused() -> None:
    assert emr("completion", "dos").returncode == 2


@pytest.mark.parametrize(("typed", "word"), [("emr ten", "tenants"), ("emr tenants reset", "reset-sandbox")])
def test_commands_of_the_rooms_are_completed(typed: str, word: str) -> None:
    done = emr(_EMR_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(typed.count(" ")))
    assert word in done.stdout.split()


_LOADED = """
import sys
from typer.testing import CliRunner
from emr.cli import app
shown = [CliRunner().invoke(app, words).stdout for words in (["--help"], ["tenants", "--help"])]
assert "rewind" in shown[0] and "reset-sandbox" in shown[1], shown
print(*(name for name in sys.modules if name.split(".")[0] in ("emr", "emr_demo", "sqlalchemy", "fastapi")))
"""


def test_help_loads_no_room() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    assert "emr.fleet.cli" in loaded, "the group of `emr tenants` itself"
    assert not loaded & {"sqlalchemy", "fastapi", "emr.settings", "emr.serving", "emr.fleet.directory_cli"}


DOORS = {
    " ".join(("emr", *before, name)): door
    for before, app in (((), cli.app), (("tenants",), tenants))
    for name, door in typer.main.get_group(app).commands.items()
    if isinstance(door, Door)
}


@pytest.mark.parametrize("command", DOORS)
def test_what_a_door_says_is_what_its_room_says(command: str) -> None:
    room = DOORS[command].open()
    assert DOORS[command].help == " ".join(str(room.help).split("\n\n")[0].split())


@pytest.mark.parametrize(
    ("given", "meant"), [(["tenant"], "'tenants'"), (["tenants", "aply"], "'apply'")], ids=["a-room", "a-command"]
)
def test_a_slip_of_the_hand_is_told_what_was_meant(given: list[str], meant: str) -> None:
    done = emr(*given)
    assert done.returncode == 2
    assert meant in done.stderr

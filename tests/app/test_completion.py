"""The shell completes commands of every room, and the script for it comes from the command itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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

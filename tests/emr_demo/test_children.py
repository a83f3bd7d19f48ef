"""Child processes are watched, and stopped together."""

import os
import sys
from pathlib import Path

import pytest

from emr_demo.children import ChildDied, Children
from tests.patience import comes_true

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]


def pids(folder: Path) -> list[int]:
    return [int(number) for number in (folder / "children.json").read_text().strip("[]").split(",")]


class TestCheck:
    def test_running_children_are_fine(self, tmp_path: Path) -> None:
        children = Children(tmp_path)
        children.start("worker", SLEEP, {}, tmp_path / "worker.log")
        try:
            children.check()
        finally:
            children.stop()

    def test_one_that_ended_is_told_with_its_log(self, tmp_path: Path) -> None:
        children = Children(tmp_path)
        children.start("serve", [sys.executable, "-c", "raise SystemExit('no port')"], {}, tmp_path / "serve.log")
        (pid,) = pids(tmp_path)
        assert comes_true(lambda: not alive(pid))
        with pytest.raises(ChildDied, match=r"(?s)`emr serve` ended with code 1.*serve\.log.*no port"):
            children.check()
        children.stop()

    def test_it_gets_the_environment(self, tmp_path: Path) -> None:
        children = Children(tmp_path)
        command = [sys.executable, "-c", "import os; print(os.environ['EMR_PROFILE'])"]
        children.start("serve", command, {"EMR_PROFILE": "demo"}, tmp_path / "serve.log")
        children.stop()
        assert not (tmp_path / "children.json").exists()


class TestStop:
    def test_all_of_them_end(self, tmp_path: Path) -> None:
        children = Children(tmp_path)
        for name in ("serve", "worker"):
            children.start(name, SLEEP, {}, tmp_path / f"{name}.log")
        running = pids(tmp_path)
        children.stop()
        assert not any(alive(pid) for pid in running)

    def test_a_strangers_process_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "children.json").write_text(f"[{os.getpid()}]")
        Children(tmp_path).stop_leftovers()
        assert not (tmp_path / "children.json").exists()

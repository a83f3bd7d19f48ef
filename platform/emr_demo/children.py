"""The demo's child processes: started with a log each, watched, stopped in the reverse order."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_STOP_SECONDS = 30.0
_TAIL = 12


class ChildDied(Exception):
    """A process that should run has ended; the message names its log."""


@dataclass(frozen=True)
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Children:
    """Processes in sessions of their own, so that Ctrl-C reaches only the one that watches them."""

    def __init__(self, folder: Path) -> None:
        self._register = folder / "children.json"
        self._children: list[_Child] = []

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> None:
        """Start a process; its output goes to the log, which begins anew."""
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, **environment}, start_new_session=True,
            )  # fmt: skip
        self._children.append(_Child(name, process, log))
        self._register.write_text(json.dumps([child.process.pid for child in self._children]), "ascii")

    def check(self) -> None:
        """Raise ChildDied when one has ended."""
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                raise ChildDied(
                    f"`emr {child.name}` ended with code {code}; its log is {child.log}\n{_tail(child.log)}"
                )

    def stop(self) -> None:
        """Ask every child to finish, the last one first; kill what has not ended after half a minute."""
        for child in reversed(self._children):
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for child in reversed(self._children):
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.process.pid, signal.SIGKILL)
                child.process.wait()
        self._children.clear()
        self._register.unlink(missing_ok=True)

    def stop_leftovers(self) -> None:
        """Stop what a killed demo left running on this folder. Only processes that are still ours are touched."""
        if not self._register.exists():
            return
        pids = [pid for pid in json.loads(self._register.read_text("ascii")) if _is_ours(pid)]
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline and any(_is_ours(pid) for pid in pids):
            time.sleep(0.05)
        self._register.unlink()


def _is_ours(pid: int) -> bool:
    """Whether a process with this number runs the `emr` command; numbers are used again."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(Path(word.decode(errors="replace")).name == "emr" for word in words[:3])


def _tail(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-_TAIL:])

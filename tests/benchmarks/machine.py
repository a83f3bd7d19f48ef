"""CPU seconds from /proc: of a set of process trees, and of everybody else meanwhile."""

import os
import platform
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Spent:
    """CPU seconds of our processes, wall seconds, and how many cores others took meanwhile."""

    cpu: float = 0.0
    wall: float = 0.0
    others: float = 0.0


@contextmanager
def measured(ours: Iterable[int], load: Iterable[int] = ()) -> Iterator[Spent]:
    """What is spent while the body runs by the trees below `ours`; `load` are trees of the load generator."""
    roots, generators = set(ours), set(load) | {os.getpid()}
    spent = Spent()
    own, whole, begun = _trees(roots), _busy(), time.monotonic()
    driven = _trees(generators, but=roots)
    try:
        yield spent
    finally:
        spent.wall = time.monotonic() - begun
        spent.cpu = _trees(roots) - own
        mine = spent.cpu + _trees(generators, but=roots) - driven
        spent.others = max(0.0, (_busy() - whole - mine) / spent.wall)


def memory_mib(root: int) -> float:
    """Resident memory of one process in MiB."""
    status = Path(f"/proc/{root}/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def private_mib(process: int) -> float:
    """Memory that a process shares with nobody, in MiB; 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def largest_backend_mib(postgres: int) -> float:
    """What the largest backend of a server holds for itself alone, in MiB."""
    return round(max((private_mib(pid) for pid in children(postgres)), default=0.0), 1)


def children(root: int) -> list[int]:
    """Processes whose parent is this one."""
    return [pid for pid, parent, _ in _processes() if parent == root]


def description() -> str:
    """Which machine this is."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}"


def _trees(roots: set[int], but: set[int] = frozenset()) -> float:  # type: ignore[assignment]
    found, total = set(roots), 0.0
    rows = list(_processes())
    grown = True
    while grown:
        more = {pid for pid, parent, _ in rows if parent in found and pid not in found and pid not in but}
        grown = bool(more)
        found |= more
    for pid, _, seconds in rows:
        if pid in found:
            total += seconds
    return total


def _processes() -> Iterator[tuple[int, int, float]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text("latin-1").rsplit(")", 1)[1].split()
            except OSError:
                continue
            # Time of children that have ended is counted too: workers and backends come and go.
            yield int(folder.name), int(fields[1]), sum(int(fields[place]) for place in (11, 12, 13, 14)) / _TICK


def _busy() -> float:
    fields = [int(each) for each in Path("/proc/stat").read_text("ascii").splitlines()[0].split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) / _TICK

"""What the disk does by itself: the time that a flush of eight kilobytes takes, beside which our tails are read."""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

_PAUSE = 0.02
_BYTES = b"\0" * 8192
_PAGES = 512
_QUIET_SECONDS = 4.0
_SLOW_MS = 20.0
_MOST_SECONDS = float(os.environ.get("BENCH_SETTLE_SECONDS", "90"))


@dataclass
class Flushes:
    """Milliseconds of each flush of a file that already has its size, as a write-ahead log's segments do."""

    taken: list[float] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The longest, in milliseconds."""
        return max(self.taken, default=0.0)

    @property
    def p99(self) -> float:
        """The 99th percentile, in milliseconds."""
        return statistics.quantiles(self.taken, n=100)[98] if len(self.taken) > 1 else self.worst


def settle() -> None:
    """Write what waits to be written, then wait (at most 90 s, or BENCH_SETTLE_SECONDS) for four seconds without a slow flush."""
    os.sync()
    deadline = time.monotonic() + _MOST_SECONDS
    with flushing() as flushes:
        quiet_since = time.monotonic()
        while time.monotonic() < min(deadline, quiet_since + _QUIET_SECONDS):
            time.sleep(_PAUSE)
            if flushes.worst > _SLOW_MS:
                flushes.taken.clear()
                quiet_since = time.monotonic()


@contextmanager
def flushing() -> Iterator[Flushes]:
    """Flush fifty times a second beside whatever the body does."""
    flushes, ended = Flushes(), Event()
    with tempfile.TemporaryFile() as file:
        file.write(_BYTES * _PAGES)
        file.flush()
        os.fsync(file.fileno())
        thread = Thread(target=_probe, args=(file.fileno(), flushes, ended), daemon=True)
        thread.start()
        try:
            yield flushes
        finally:
            ended.set()
            thread.join()


def _probe(descriptor: int, flushes: Flushes, ended: Event) -> None:
    page = 0
    while not ended.wait(_PAUSE):
        os.pwrite(descriptor, _BYTES, page % _PAGES * len(_BYTES))
        begun = time.perf_counter()
        os.fdatasync(descriptor)
        flushes.taken.append((time.perf_counter() - begun) * 1000)
        page += 1

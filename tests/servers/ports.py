"""Ports on loopback for servers that tests start: each is given out once, whoever else tests on this machine."""

import fcntl
import itertools
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

_RANGE: Final = (16_000, 32_000)
"""Below what systems give to whoever asks for any port (32768 and up on Linux), so that no connection takes one between
the moment when it is given out and the one when its server listens."""
_BLOCK: Final = 100
_STEP: Final = 4
"""A service of several processes listens on the ports after the one that it was given, too."""
_held: list[IO[str]] = []
"""The locks of this process's blocks; they end with it."""


def free_port() -> int:
    """A port that nobody listens on, and that no other test is given while this process lives."""
    return next(_free)


def _numbers() -> Iterator[int]:
    while True:
        yield from filter(_is_free, _block())


def _block() -> range:
    """Ports that are this process's alone."""
    folder = Path(tempfile.gettempdir()) / f"emr-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    begins = range(*_RANGE, _BLOCK)
    place = secrets.randbelow(len(begins))
    for begin in itertools.chain(begins[place:], begins[:place]):
        lock = (folder / str(begin)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            _held.append(lock)
            return range(begin, begin + _BLOCK, _STEP)
    raise AssertionError("too many tests at once for the ports that there are")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_free = _numbers()

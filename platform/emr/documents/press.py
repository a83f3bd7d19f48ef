"""Opens what strangers sent, in a process apart, so that a hostile file can hurt only that process.

Decoders are C libraries. They run under limits of memory and time; when the process dies or is late it is replaced and
the one request is refused. Pages that were drawn are kept in memory, within a bound and under their hospital's name.
"""

import asyncio
import json
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

import emr
from emr.documents.crossing import CROSSING, Wish
from emr.documents.errors import DocumentDamaged, PressBusy

SECONDS: Final = 20.0
WAITING: Final = 64
CACHE_BYTES: Final = 32 << 20
_START: Final = "from emr.documents.bench import main; main()"
_ENVIRONMENT: Final = {"PYTHONPATH": str(Path(emr.__file__).parent.parent), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


class Press:
    """Owns the process apart and the pages that it drew; the first request starts it, `close` ends it."""

    def __init__(self, *, cache_bytes: int = CACHE_BYTES, seconds: float = SECONDS) -> None:
        self._bench = _Bench(seconds)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="press")
        self._waiting = 0
        self._pages = _Pages(cache_bytes)

    async def examine(self, path: Path, media_type: str) -> int:
        """Number of pages of a file that was read to its end. Raises what `sheets.examine` raises, `PressBusy`."""
        said, _ = await self._ask({"job": "examine", "path": str(path), "media_type": media_type})
        return int(said["pages"])

    async def draw(self, path: Path, media_type: str, wish: Wish) -> bytes:
        """A page as a JPEG. Raises what `sheets.draw` raises, `PressBusy`."""
        _, page = await self._ask({"job": "draw", "path": str(path), "media_type": media_type, **asdict(wish)})
        return page

    def drawn(self, place: tuple[str, str], wish: Wish) -> bytes | None:
        """A page that was drawn before; `place` is the hospital's prefix and the content's key."""
        return self._pages.get((*place, wish))

    def keep(self, place: tuple[str, str], wish: Wish, page: bytes) -> None:
        """Keep a drawn page for whoever may see it next."""
        self._pages.put((*place, wish), page)

    def close(self) -> None:
        """End the process apart."""
        self._bench.end()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._bench.end()

    async def _ask(self, wish: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes]:
        if self._waiting >= WAITING:
            raise PressBusy
        self._waiting += 1
        try:
            said, page = await asyncio.get_running_loop().run_in_executor(self._thread, self._bench.ask, wish)
        finally:
            self._waiting -= 1
        if "refused" in said:
            raise CROSSING[said["refused"]](said["why"])
        return said, page


class _Bench:
    """The process, asked by one thread at a time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, wish: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes]:
        """One wish and its answer. `DocumentDamaged` when the process dies of it, `PressBusy` when it is late."""
        process = self._process = self._process or self._started()
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        watch = threading.Timer(self._seconds, give_up)
        watch.start()
        try:
            return self._exchange(process, wish)
        except (OSError, ValueError) as broken:
            self.end()
            raise (PressBusy() if late.is_set() else DocumentDamaged("it breaks the program that reads it")) from broken
        finally:
            watch.cancel()

    def end(self) -> None:
        """Stop the process, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                _close(pipe)

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  # Our own interpreter with our own words.
            [sys.executable, "-c", _START],
            env=_ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _exchange(self, process: subprocess.Popen[bytes], wish: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(wish).encode() + b"\n")
        process.stdin.flush()
        said: Mapping[str, Any] = json.loads(process.stdout.readline())
        size = int(said.get("bytes", 0))
        page = process.stdout.read(size)
        if len(page) != size:
            raise ValueError("the page breaks off")
        return said, page


def _close(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except BrokenPipeError:
        return


class _Pages:
    """The pages looked at last, at most so many bytes of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._pages: OrderedDict[tuple[str, str, Wish], bytes] = OrderedDict()

    def get(self, name: tuple[str, str, Wish]) -> bytes | None:
        page = self._pages.get(name)
        if page is not None:
            self._pages.move_to_end(name)
        return page

    def put(self, name: tuple[str, str, Wish], page: bytes) -> None:
        self._size += len(page) - len(self._pages.pop(name, b""))
        self._pages[name] = page
        while self._size > self._most:
            _, oldest = self._pages.popitem(last=False)
            self._size -= len(oldest)

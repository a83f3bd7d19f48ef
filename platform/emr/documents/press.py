"""A process apart that opens what strangers sent, so that a hostile file can hurt only that process.

Decoders are C libraries. They run under limits of memory and time; when the process dies or is late it is replaced and
the one request is refused. Pages that were drawn are kept in memory, within a bound and under their hospital's name.
"""

import asyncio
import multiprocessing
import resource
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from emr.documents import sheets
from emr.documents.errors import DocumentDamaged, DocumentNotFound, DocumentProtected, PictureTooLarge, PressBusy
from emr.documents.sheets import Wish

MEMORY_BYTES: Final = 2 << 30
SECONDS: Final = 20.0
WAITING: Final = 64
CACHE_BYTES: Final = 32 << 20
_CROSSING: Final = (DocumentDamaged, DocumentProtected, PictureTooLarge, DocumentNotFound)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Refused:
    """A refusal on its way over the process border: the name of its class and the reason."""

    name: str
    why: str


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _attempt(job: Callable[..., R], arguments: tuple[Any, ...]) -> R | _Refused:
    """In the process apart."""
    try:
        return job(*arguments)
    except _CROSSING as refusal:
        return _Refused(type(refusal).__name__, refusal.why)
    except MemoryError:
        return _Refused(PictureTooLarge.__name__, "it needs more memory than a page may take")


class Press:
    """Owns the process apart and the pages that it drew; the first request starts it, `close` ends it."""

    def __init__(self, cache_bytes: int = CACHE_BYTES) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._waiting = 0
        self._pages = _Pages(cache_bytes)

    async def examine(self, path: Path, media_type: str) -> int:
        """Number of pages of a file that was read to its end. Raises what `sheets.examine` raises, `PressBusy`."""
        return await self._run(sheets.examine, str(path), media_type)

    async def draw(self, path: Path, media_type: str, wish: Wish) -> bytes:
        """A page as a JPEG. Raises what `sheets.draw` raises, `PressBusy`."""
        return await self._run(sheets.draw, str(path), media_type, wish)

    def drawn(self, place: tuple[str, str], wish: Wish) -> bytes | None:
        """A page that was drawn before; `place` is the hospital's prefix and the content's key."""
        return self._pages.get((*place, wish))

    def keep(self, place: tuple[str, str], wish: Wish, page: bytes) -> None:
        """Keep a drawn page for whoever may see it next."""
        self._pages.put((*place, wish), page)

    def close(self) -> None:
        """End the process apart."""
        if self._pool is not None:
            self._drop(self._pool)

    async def _run(self, job: Callable[..., R], *arguments: Any) -> R:
        if self._waiting >= WAITING:
            raise PressBusy
        self._waiting += 1
        pool = self._running()
        try:
            running = asyncio.get_running_loop().run_in_executor(pool, _attempt, job, arguments)
            answer = await asyncio.wait_for(running, SECONDS)
        except BrokenProcessPool as failure:
            self._drop(pool)
            raise DocumentDamaged("it breaks the program that reads it") from failure
        except TimeoutError as failure:
            self._drop(pool)
            raise PressBusy from failure
        finally:
            self._waiting -= 1
        if isinstance(answer, _Refused):
            raise next(kind for kind in _CROSSING if kind.__name__ == answer.name)(answer.why)
        return answer

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_limit, max_tasks_per_child=2_000)
        return self._pool

    def _drop(self, pool: ProcessPoolExecutor) -> None:
        if pool is self._pool:
            self._pool = None
        for process in list((pool._processes or {}).values()):  # noqa: SLF001  # Python 3.11 has no public way.
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)


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

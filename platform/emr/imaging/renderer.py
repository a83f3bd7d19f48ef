"""A decoding process apart from the service, so that a hostile picture can hurt only that process.

Decoders are C libraries that read what a device sent. Each runs under a limit of memory and of time; when it dies or is
late, the process is replaced and the one request is refused.
"""

import asyncio
import functools
import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from emr.imaging.errors import BadPicture, PictureTooLarge, RenderingBusy
from emr.imaging.picture import Picture
from emr.imaging.render import Wish, check_size, decode, render

MEMORY = 2 * 1024 * 1024 * 1024
SECONDS = 20.0
WAITING = 64


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _attempt(picture: Picture, parts: list[bytes], wish: Wish) -> bytes | tuple[str, str]:
    """In the decoding process. A refusal crosses the process border as its code and message."""
    try:
        return render(picture, parts, wish)
    except (BadPicture, PictureTooLarge) as refusal:
        return refusal.code, refusal.message


def _attempt_decode(picture: Picture, parts: list[bytes]) -> bytes | tuple[str, str]:
    try:
        return decode(picture, parts).tobytes()
    except (BadPicture, PictureTooLarge) as refusal:
        return refusal.code, refusal.message


class Renderer:
    """Owns the decoding processes of one service process; the first request starts them, `close` ends them."""

    def __init__(self, processes: int = 1) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None
        self._waiting = 0

    async def render(self, picture: Picture, parts: list[bytes], wish: Wish) -> bytes:
        """`parts`: the bytes of the frame's ranges. Raises BadPicture, PictureTooLarge, RenderingBusy."""
        return await self._run(picture, functools.partial(_attempt, picture, parts, wish))

    async def decode(self, picture: Picture, parts: list[bytes]) -> bytes:
        """The frame's values as native little endian pixel data; colour as RGB, by pixel. Raises as `render`."""
        return await self._run(picture, functools.partial(_attempt_decode, picture, parts))

    async def _run(self, picture: Picture, attempt: Callable[[], bytes | tuple[str, str]]) -> bytes:
        check_size(picture)
        if self._waiting >= WAITING:
            raise RenderingBusy("rendering-busy", "too many pictures are being made; try again")
        self._waiting += 1
        pool = self._running()
        try:
            running = asyncio.get_running_loop().run_in_executor(pool, attempt)
            answer = await asyncio.wait_for(running, SECONDS)
        except BrokenProcessPool as failure:
            self._drop(pool)
            raise BadPicture("dicom-undecodable", "the frame cannot be decoded") from failure
        except TimeoutError as failure:
            self._drop(pool)
            raise RenderingBusy("rendering-late", "the picture took too long to make") from failure
        except MemoryError as failure:
            raise BadPicture("dicom-undecodable", "the frame needs more memory than a decoder may take") from failure
        finally:
            self._waiting -= 1
        if isinstance(answer, bytes):
            return answer
        raise BadPicture(*answer)

    def close(self) -> None:
        if self._pool:
            self._drop(self._pool)

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_limit,
                max_tasks_per_child=2000,
            )
        return self._pool

    def _drop(self, pool: ProcessPoolExecutor) -> None:
        if pool is self._pool:
            self._pool = None
        for process in list((pool._processes or {}).values()):  # noqa: SLF001  # 3.11 has no public way to stop a late worker
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)

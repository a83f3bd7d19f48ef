"""Asks the decoding process for pictures, and replaces it when a hostile frame has killed or stalled it."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import asdict

from emr.imaging.decoder import ANSWER, LENGTH
from emr.imaging.errors import BadPicture, RenderingBusy
from emr.imaging.picture import Picture
from emr.imaging.render import Wish, check_size

SECONDS = 20.0
START_SECONDS = 60.0
WAITING = 64


class Renderer:
    """Owns one decoding process; the first request starts it, `close` ends it. One frame at a time."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def render(self, picture: Picture, parts: list[bytes], wish: Wish) -> bytes:
        """`parts`: the bytes of the frame's ranges. Raises BadPicture, PictureTooLarge, RenderingBusy."""
        return await self._ask(picture, parts, wish)

    async def decode(self, picture: Picture, parts: list[bytes]) -> bytes:
        """The frame's values as native little endian pixel data; colour as RGB, by pixel. Raises as `render`."""
        return await self._ask(picture, parts, None)

    async def close(self) -> None:
        """End the decoding process."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    async def _ask(self, picture: Picture, parts: list[bytes], wish: Wish | None) -> bytes:
        check_size(picture)
        if self._waiting >= WAITING:
            raise RenderingBusy("rendering-busy", "too many pictures are being made; try again")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._turn_of(_request(picture, parts, wish), parts)
        finally:
            self._waiting -= 1

    async def _turn_of(self, request: bytes, parts: list[bytes]) -> bytes:
        """A cancelled turn ends the process too: its answer must not reach the next one who asks."""
        process = await self._running()
        done = False
        try:
            async with asyncio.timeout(SECONDS):
                answer = await _exchange(process, request, parts)
            done = True
        except TimeoutError as failure:
            raise RenderingBusy("rendering-late", "the picture took too long to make") from failure
        except (asyncio.IncompleteReadError, OSError) as failure:
            raise BadPicture("dicom-undecodable", "the frame cannot be decoded") from failure
        finally:
            if not done:
                await self.close()
        if isinstance(answer, bytes):
            return answer
        raise answer

    async def _running(self) -> Process:
        if self._process is None:
            # The decoder gets no setting and no secret of this process.
            inherited = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "emr.imaging.decoder"),
                stdin=PIPE,
                stdout=PIPE,
                env=inherited | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
            assert self._process.stdout is not None
            try:
                async with asyncio.timeout(START_SECONDS):
                    await self._process.stdout.readexactly(1)
            except (TimeoutError, asyncio.IncompleteReadError) as failure:
                await self.close()
                raise RenderingBusy("rendering-down", "the decoding process does not start") from failure
        return self._process


def _request(picture: Picture, parts: list[bytes], wish: Wish | None) -> bytes:
    request = {
        "picture": picture.as_json() | {"parts": []},
        "wish": asdict(wish) if wish else None,
        "parts": [len(part) for part in parts],
    }
    encoded = json.dumps(request).encode()
    return LENGTH.pack(len(encoded)) + encoded


async def _exchange(process: Process, request: bytes, parts: list[bytes]) -> bytes | BadPicture:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    for part in parts:
        process.stdin.write(part)
        await process.stdin.drain()
    refused, length = ANSWER.unpack(await process.stdout.readexactly(ANSWER.size))
    content = await process.stdout.readexactly(length)
    return BadPicture(*json.loads(content)) if refused else content

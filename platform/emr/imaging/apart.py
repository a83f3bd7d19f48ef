"""A process apart that reads what strangers sent, so that a hostile file can hurt only that process.

Readers and decoders are large libraries, partly in C. They run without secrets and under a limit of memory; when the
process dies or is late it is replaced, and the one request is refused. The process of the service never loads them.
"""

import asyncio
import json
import os
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from emr.imaging import errors
from emr.imaging.errors import RenderingBusy

LENGTH: Final = struct.Struct(">L")
ANSWER: Final = struct.Struct(">BL")
"""A request is a length, JSON of that length, and the parts whose sizes the JSON names. An answer is one byte (0: bytes
follow, 1: JSON of a refusal follows), a length and that.
"""
CROSSING: Final = {
    kind.__name__: kind
    for kind in (
        *(errors.NotDicom, errors.BrokenStructure, errors.UnsupportedSyntax, errors.BadIdentifier, errors.BadPicture),
        *(errors.HeaderTooLarge, errors.PictureTooLarge),
    )
}
"""What is refused there is refused here."""
START_SECONDS: Final = 60.0


class Late(Exception):
    """The process did not answer in time and was ended."""


class Broken(Exception):
    """The process died of what it was given."""


class Apart:
    """Owns one process; the first request starts it, `close` ends it. One request at a time, others wait.

    seconds: how long one request may take. waiting: how many may wait.
    """

    def __init__(self, *, seconds: float, waiting: int) -> None:
        self._seconds, self._most = seconds, waiting
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def ask(self, request: Mapping[str, Any], parts: Sequence[bytes] = ()) -> bytes:
        """Raises the refusals of `CROSSING`, RenderingBusy, Late, Broken."""
        if self._waiting >= self._most:
            raise RenderingBusy("rendering-busy", "too many pictures are being read; try again")
        encoded = json.dumps({**request, "parts": [len(part) for part in parts]}).encode()
        self._waiting += 1
        try:
            async with self._turn:
                return await self._turn_of(LENGTH.pack(len(encoded)) + encoded, parts)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    async def _turn_of(self, request: bytes, parts: Sequence[bytes]) -> bytes:
        """A cancelled turn ends the process too: its answer must not reach the next one who asks."""
        process = await self._running()
        done = False
        try:
            async with asyncio.timeout(self._seconds):
                refused, content = await _exchange(process, request, parts)
            done = True
        except TimeoutError as failure:
            raise Late from failure
        except (asyncio.IncompleteReadError, OSError) as failure:
            raise Broken from failure
        finally:
            if not done:
                await self.close()
        if refused:
            kind, code, message, location = json.loads(content)
            raise CROSSING[kind](code, message, location=location)
        return content

    async def _running(self) -> Process:
        if self._process is not None and self._process.returncode is not None:
            await self.close()
        if self._process is None:
            # It gets no setting and no secret of this process.
            inherited = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "emr.imaging.decoder"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
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


async def _exchange(process: Process, request: bytes, parts: Sequence[bytes]) -> tuple[int, bytes]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    for part in parts:
        process.stdin.write(part)
        await process.stdin.drain()
    refused, length = ANSWER.unpack(await process.stdout.readexactly(ANSWER.size))
    return refused, await process.stdout.readexactly(length)

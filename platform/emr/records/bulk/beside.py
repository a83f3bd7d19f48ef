"""Desks for an import: one in this process, and others in processes beside it, so that two cores are used."""

import asyncio
import contextlib
import itertools
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from emr.kernel.errors import Unavailable
from emr.records.bulk.brought import Name
from emr.records.bulk.desk import Desk, Made, Read, Sheet, Terms, Wish
from emr.records.bulk.desk_process import HEAD

LARGE: Final = 4 << 20
"""Bytes of files for which it is worth starting another process."""
_TURN: Final = 20
"""Lines after which others have their turn: what was made before is on its way to the database meanwhile."""
_BUFFER: Final = 4 << 20
_IDLE_SECONDS: Final = 30.0
_END_SECONDS: Final = 5.0


class Pile(Protocol):
    """Lines that are read, checked and made into rows together, on one desk."""

    async def read(self, terms: Terms, sheets: Sequence[Sheet]) -> list[Read]:
        """See `Desk.read`."""
        ...

    async def where(self, place: int, base_url: str, target: Name) -> str:
        """See `Desk.where`."""
        ...

    async def make(self, terms: Terms, wishes: Sequence[Wish], known: Mapping[Name, int], now: datetime) -> Made:
        """See `Desk.make`."""
        ...

    async def clear(self) -> None:
        """See `Desk.clear`."""
        ...


@dataclass(slots=True)
class PileHere:
    """On a desk in this process."""

    desk: Desk = field(default_factory=Desk)

    async def read(self, terms: Terms, sheets: Sequence[Sheet]) -> list[Read]:
        """See `Pile`."""
        found: list[Read] = []
        for begin in range(0, len(sheets), _TURN):
            await asyncio.sleep(0)
            found += self.desk.read(0, terms, sheets[begin : begin + _TURN])
        return found

    async def where(self, place: int, base_url: str, target: Name) -> str:
        """See `Pile`."""
        return self.desk.where(0, place, base_url, target)

    async def make(self, terms: Terms, wishes: Sequence[Wish], known: Mapping[Name, int], now: datetime) -> Made:
        """See `Pile`."""
        return self.desk.make(0, terms, wishes, known, now)

    async def clear(self) -> None:
        """See `Pile`."""
        self.desk.clear(0)


@dataclass(slots=True)
class PileBeside:
    """On the desk of another process."""

    desk: "DeskBeside"
    number: int

    async def read(self, terms: Terms, sheets: Sequence[Sheet]) -> list[Read]:
        """See `Pile`."""
        found: list[Read] = await self.desk.ask("read", self.number, terms, sheets)
        return found

    async def where(self, place: int, base_url: str, target: Name) -> str:
        """See `Pile`."""
        return str(await self.desk.ask("where", self.number, place, base_url, target))

    async def make(self, terms: Terms, wishes: Sequence[Wish], known: Mapping[Name, int], now: datetime) -> Made:
        """See `Pile`."""
        made: Made = await self.desk.ask("make", self.number, terms, wishes, known, now)
        return made

    async def clear(self) -> None:
        """See `Pile`."""
        self.desk.piles -= 1
        if self.desk.usable:
            await self.desk.ask("clear", self.number)


class Program:
    """The process that becomes desks. It is given no environment but the way to the program, so it knows no secret."""

    def __init__(self, ends: Sequence[socket.socket]) -> None:
        self._desks = len(ends)
        numbers = [end.fileno() for end in ends]
        self._process = subprocess.Popen(  # noqa: S603 - this program's own module
            [sys.executable, "-m", "emr.records.bulk.desk_process", *map(str, numbers)],
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=numbers,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    @property
    def pid(self) -> int:
        """Of the process that waits for the desks, and of their group."""
        return self._process.pid

    async def leave(self) -> None:
        """One of its desks is needed no more; with the last it ends."""
        self._desks -= 1
        if not self._desks:
            await asyncio.to_thread(self._reap)

    def _reap(self) -> None:
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()


class DeskBeside:
    """A desk in a process of its own, at the other end of a socket. `pid`: the process, once it is ready."""

    def __init__(self, ours: socket.socket, program: Program) -> None:
        self._socket, self._program = ours, program
        self._turn = asyncio.Lock()
        self._answers: asyncio.Queue[asyncio.Future[Any]] = asyncio.Queue()
        self._numbers = itertools.count()
        self._writer: asyncio.StreamWriter | None = None
        self.settled = asyncio.Event()
        """Set when it is ready, and when it never will be."""
        self._listening = asyncio.create_task(self._listen(), name="desk")
        self.pid: int | None = None
        self.piles = 0

    @classmethod
    def start(cls, many: int) -> "list[DeskBeside]":
        """So many desks that share what they have loaded."""
        pairs = [socket.socketpair() for _ in range(many)]
        for each in itertools.chain(*pairs):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        program = Program([theirs for _, theirs in pairs])
        for _, theirs in pairs:
            theirs.close()
        return [cls(ours, program) for ours, _ in pairs]

    @property
    def usable(self) -> bool:
        """Whether it can be asked now: not before it has started, and not when it has ended."""
        return self._writer is not None

    @property
    def over(self) -> bool:
        """Whether it has ended, and another has to be started in its place."""
        return self._listening.done()

    def pile(self) -> PileBeside:
        """A place for lines that are read together."""
        self.piles += 1
        return PileBeside(self, next(self._numbers))

    async def ask(self, verb: str, *arguments: Any) -> Any:
        """What the desk answers. Raises `Unavailable` when the process has ended, as it does with a fault."""
        message = pickle.dumps((verb, arguments), pickle.HIGHEST_PROTOCOL)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        async with self._turn:
            if self._writer is None:
                raise _ended()
            self._answers.put_nowait(answer)
            self._writer.write(HEAD.pack(len(message)))
            self._writer.write(message)
            # Whoever ended in the middle of it is told of by the answer, which `_listen` refuses.
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()
        return await answer

    async def close(self) -> None:
        """End the process."""
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        self._socket.close()
        await self._program.leave()

    async def _listen(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self._socket, limit=_BUFFER)
        try:
            self.pid = await _message(reader)
            self._writer = writer
            self.settled.set()
            while True:
                result = await _message(reader)
                answer = self._answers.get_nowait()
                if not answer.done():
                    answer.set_result(result)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writer = None
            self.settled.set()
            writer.close()
            while not self._answers.empty():
                answer = self._answers.get_nowait()
                if not answer.done():
                    answer.set_exception(_ended())


class Desks:
    """The desks of one worker. Processes are started for a large import, and end when they have long been idle."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._beside: list[DeskBeside] = []
        self._used = 0.0

    @property
    def ahead(self) -> int:
        """How many lots of lines are best under way beside the one that is being stored."""
        return 1 + len(self._beside)

    async def open(self) -> None:
        """Begin to start processes; whoever does not wait until they are ready does all in this one."""
        self._used = time.monotonic()
        for desk in [each for each in self._beside if each.over]:
            self._beside.remove(desk)
            await desk.close()
        if missing := self._processes - len(self._beside):
            self._beside += DeskBeside.start(missing)

    async def ready(self) -> None:
        """Wait until the processes that have been started can be asked, or have ended."""
        for desk in self._beside:
            await desk.settled.wait()

    def pile(self) -> Pile:
        """On the desk that has the least to do."""
        self._used = time.monotonic()
        ready = [desk for desk in self._beside if desk.usable]
        return min(ready, key=lambda desk: desk.piles).pile() if ready else PileHere()

    async def rest(self) -> None:
        """End the processes when they have not been needed for half a minute."""
        if self._beside and time.monotonic() - self._used > _IDLE_SECONDS:
            await self.close()

    async def close(self) -> None:
        """End the processes."""
        while self._beside:
            await self._beside.pop().close()


async def _message(reader: asyncio.StreamReader) -> Any:
    size = HEAD.unpack(await reader.readexactly(HEAD.size))[0]
    return pickle.loads(await reader.readexactly(size))  # noqa: S301 - from a process that this one has started


def _ended() -> Unavailable:
    return Unavailable("import-desk-ended", "The process that reads lines has ended.")

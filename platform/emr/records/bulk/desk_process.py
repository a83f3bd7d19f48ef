"""The processes of desks beside a worker: each answers questions on a socket until nobody can ask any more.

They have no database, no object store and no settings, and write nothing: what a line says leaves them only as an
answer. A worker that is killed takes its ends of the sockets with it, and so ends them. The program is loaded once:
the process that has loaded it becomes the desks by forking, and stays to wait for their ends.
"""

import gc
import os
import pickle
import signal
import socket
import struct
import sys
from typing import Any, Final, NoReturn

from emr.definitions.warm import warm
from emr.records.bulk.desk import Desk
from emr.work.collector import leave_old_objects_alone

HEAD: Final = struct.Struct("!Q")
"""Before each message stands its length in bytes; each is a pickle, since both ends are the same program."""

_COLLECTED_AFTER: Final = 20
"""Piles that were cleared."""


def serve(connection: socket.socket) -> None:
    """Say that it is ready, and its number. Then answer each `(verb, arguments)` with its result.

    A fault ends the process: the worker then does the lines itself, and meets it where it is logged.
    """
    desk = Desk()
    # Lines make many objects and hardly a cycle. The collector would walk through what lies on the desk for as many as
    # two hundred lines; now it does for ten thousand.
    gc.disable()
    cleared = 0
    _send(connection, os.getpid())
    while (asked := _receive(connection)) is not None:
        verb, arguments = asked
        _send(connection, getattr(desk, verb)(*arguments))
        cleared += verb == "clear"
        if cleared == _COLLECTED_AFTER:
            gc.collect()
            cleared = 0


def _send(connection: socket.socket, message: Any) -> None:
    text = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    connection.sendall(HEAD.pack(len(text)))
    connection.sendall(text)


def _receive(connection: socket.socket) -> Any:
    """The next question; None when the other end is gone."""
    head = _exactly(connection, HEAD.size)
    if head is None:
        return None
    text = _exactly(connection, HEAD.unpack(head)[0])
    return None if text is None else pickle.loads(text)  # noqa: S301 - from the process that started this one


def _exactly(connection: socket.socket, size: int) -> bytearray | None:
    held, into = bytearray(size), 0
    while into < size:
        came = connection.recv_into(memoryview(held)[into:])
        if not came:
            return None
        into += came
    return held


def main() -> None:
    """Be a desk for each socket whose number is an argument. What all types of resources share is laid out before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm(set(), ("Patient",))
    leave_old_objects_alone()
    numbers = [int(each) for each in sys.argv[1:]]
    for number in numbers:
        if os.fork() == 0:
            _be_desk(number, [each for each in numbers if each != number])
    for number in numbers:
        os.close(number)
    for _ in numbers:
        os.wait()


def _be_desk(number: int, others: list[int]) -> NoReturn:
    """Serve one socket; the ends of the others must not stay open here, or their worker would never be missed."""
    status = 1
    try:
        for each in others:
            os.close(each)
        with socket.socket(fileno=number) as connection:
            serve(connection)
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()

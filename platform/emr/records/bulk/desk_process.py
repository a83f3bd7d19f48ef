"""The process of a desk beside a worker: answers questions on a socket until nobody can ask any more.

It has no database, no object store and no settings, and writes nothing: what a line says leaves it only as an answer.
A worker that is killed takes its end of the socket with it, and so ends this.
"""

import pickle
import signal
import socket
import struct
import sys
from typing import Any, Final

from emr.records.bulk.desk import Desk
from emr.work.collector import leave_old_objects_alone

HEAD: Final = struct.Struct("!Q")
"""Before each message stands its length in bytes; each is a pickle, since both ends are the same program."""


def serve(connection: socket.socket) -> None:
    """Say that it is ready (None). Then answer each `(verb, arguments)` with its result.

    A fault ends the process: the worker then does the lines itself, and meets it where it is logged.
    """
    desk = Desk()
    _send(connection, None)
    while (asked := _receive(connection)) is not None:
        verb, arguments = asked
        _send(connection, getattr(desk, verb)(*arguments))


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
    """Serve the socket whose number is the only argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_old_objects_alone()
    try:
        with socket.socket(fileno=int(sys.argv[1])) as connection:
            serve(connection)
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(1)


if __name__ == "__main__":
    main()

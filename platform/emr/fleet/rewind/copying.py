"""One hospital's tables out of a restored cell into a side schema of the live one, all of them or nothing.

The trail stays away: the live hospital has all of it, and goes on with it. So do answers kept for retries and jobs.
"""

import subprocess
from pathlib import Path
from typing import Final

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from emr.db.migrate import History, Target, owner_engine, upgrade
from emr.db.past import establish_past
from emr.fleet.backups.programs import as_account, last_words, plain_environment
from emr.fleet.rewind.restored import Restored, owner_of_cell
from emr.kernel.errors import Conflict, Unavailable
from emr.settings import Settings

_LEFT_OUT: Final = ("audit_events", "audit_seals", "audit_archives", "idempotency_keys", "bulk_jobs")
_THERE: Final = "SELECT to_regnamespace(%s) IS NOT NULL"


def copy_hospital(settings: Settings, source: Restored, *, cell: str, live: str, past: str) -> str:
    """Load the hospital of the restored cell into the cell that it is in now, under its new name; gives the migration
    that the past stands at there.

    Raises `Conflict` when the hospital was not there at the moment, `Unavailable`.
    """
    with source.connect() as connection:
        if not connection.execute(_THERE, (live,)).fetchone() == (True,):
            raise Conflict("rewind-before-hospital", "The hospital was not there at that moment.", location="to")
        renaming = sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(live), sql.Identifier(past))
        connection.execute(renaming)
    target = owner_of_cell(settings, cell)
    _pour(settings, source, past, target)
    with owner_engine(target).begin() as connection:
        revision = upgrade(connection, Target(History.TENANT, past))
        establish_past(connection, past=past, live=live)
    return revision


def _pour(settings: Settings, source: Restored, past: str, url: str) -> None:
    """From the one server's dump straight into the other's, in one transaction there."""
    binaries = settings.backup.binaries
    plain = ("--no-owner", "--no-privileges")
    excluded = [f"--exclude-table-data={past}.{table}" for table in _LEFT_OUT]
    dumping: list[str | Path] = [
        binaries / "pg_dump",
        "--format=custom",
        "--compress=0",
        *plain,
        f"--schema={past}",
        *excluded,
    ]
    loading: list[str | Path] = [binaries / "pg_restore", *plain, "--single-transaction", "--exit-on-error"]
    known = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    own = plain_environment() | {"PGPASSWORD": known.pop("password", "")}
    target = make_conninfo(**known)
    account = as_account(settings.backup.account)
    with subprocess.Popen(  # noqa: S603 - PostgreSQL's own programs
        [*dumping, f"--dbname={source.address}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
        env=plain_environment(), **account,
    ) as dump:  # fmt: skip
        load = subprocess.run(  # noqa: S603 - PostgreSQL's own programs
            [*loading, f"--dbname={target}"], stdin=dump.stdout, capture_output=True, check=False, cwd="/", env=own
        )
        words: bytes = dump.communicate()[1]
    ended = (("pg_dump", dump.returncode, words), ("pg_restore", load.returncode, load.stderr))
    for name, code, said in ended:
        if code != 0:
            raise Unavailable("copy-failed", f"{name} says: {last_words(said.decode('utf-8', 'replace'))}")

"""The rows of `directory.backups`: what a console and the alerts know of backups without asking pgBackRest."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text

from emr.db.migrate import owner_engine
from emr.fleet.backups.repository import BaseBackup, Kind, Repository
from emr.kernel.clock import Clock, utc_now
from emr.kernel.errors import Refusal
from emr.settings import Settings

_KEEP: Final = text("""
INSERT INTO directory.backups (cell, kind, label, began_at, ended_at, size, stored, position, error)
VALUES (:cell, :kind, :label, :began_at, :ended_at, :size, :stored, :position, :error)
""")
_NEWEST: Final = text("""
SELECT cell, kind, label, began_at, ended_at, size, stored, position, error FROM directory.backups
WHERE cell = :cell ORDER BY number DESC LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A backup that was tried: made when it has a label, else failed with an error."""

    cell: str
    kind: str
    label: str | None
    began_at: datetime
    ended_at: datetime
    size: int | None
    stored: int | None
    position: str | None
    error: str | None


def make_backup(settings: Settings, cell: str, kind: Kind, clock: Clock = utc_now) -> BaseBackup:
    """Make a backup of a cell and write down what came of it. Raises `Unavailable`, and writes that down too."""
    began = clock()
    try:
        made = Repository(settings.backup, cell).make(kind)
    except Refusal as refusal:
        _keep(settings, Attempt(cell, kind, None, began, clock(), None, None, None, refusal.message))
        raise
    _keep(
        settings,
        Attempt(cell, made.kind, made.label, made.began, made.ended, made.size, made.stored, made.position, None),
    )
    return made


def attempts(settings: Settings, cell: str, most: int = 20) -> list[Attempt]:
    """The last attempts of a cell, newest first."""
    with owner_engine(settings.database.owner_url).connect() as connection:
        return [Attempt(*row) for row in connection.execute(_NEWEST, {"cell": cell, "most": most})]


def _keep(settings: Settings, attempt: Attempt) -> None:
    values = {name: getattr(attempt, name) for name in Attempt.__slots__}
    with owner_engine(settings.database.owner_url).begin() as connection:
        connection.execute(_KEEP, values)

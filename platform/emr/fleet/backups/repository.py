"""One cell's part of pgBackRest's repository (pgBackRest 2.45, `command reference`).

A cell's stanza is `emr-` and the cell's name. Where the database's files and the repository are, pgBackRest's own
configuration says (`EMR_BACKUP__CONFIG`); nothing of that is repeated here.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from emr.fleet.backups.programs import run
from emr.kernel.errors import Unavailable
from emr.settings import Backup

Kind = Literal["full", "diff", "incr"]
_QUIET: Final = ("--log-level-console=off", "--log-level-stderr=error", "--log-level-file=off")
_LOOK_SECONDS: Final = 120.0
_OWN_ZONE: Final = "%Y-%m-%d %H:%M:%S.%f+00"


@dataclass(frozen=True, slots=True)
class BaseBackup:
    """A backup of a cell's files. size: of the files; stored: what it added to the repository; both in bytes.

    position: where in the write-ahead log a restore of it becomes whole.
    """

    label: str
    kind: str
    began: datetime
    ended: datetime
    size: int
    stored: int
    position: str


class Repository:
    """What pgBackRest keeps of one cell. Every method raises `Unavailable` with pgBackRest's own words."""

    def __init__(self, settings: Backup, cell: str) -> None:
        if settings.config is None:
            rule = "This machine has no pgBackRest configuration, so it neither makes nor reads backups."
            raise Unavailable("backup-not-configured", rule, location="EMR_BACKUP__CONFIG")
        self._settings = settings
        self._stanza = f"emr-{cell}"
        self._config = settings.config

    def make(self, kind: Kind) -> BaseBackup:
        """Make a backup now, and let go of those that its configuration does not keep any longer."""
        self._run("backup", f"--type={kind}", seconds=self._settings.minutes * 60)
        return self.backups()[-1]

    def check(self) -> None:
        """Whether the cell archives its log into the repository: one segment is switched and awaited."""
        self._run("check")

    def backups(self) -> list[BaseBackup]:
        """Those that are whole, oldest first; none where the repository knows nothing of the cell."""
        told = json.loads(self._run("info", "--output=json"))
        return [_backup(each) for stanza in told for each in stanza["backup"] if not each.get("error")]

    def restore(self, into: Path, label: str, moment: datetime) -> None:
        """The cell's files as in this backup, ready to be brought on to the moment by its write-ahead log.

        What starts on them archives nothing, so that the repository is read and never written.
        """
        target = moment.astimezone(UTC).strftime(_OWN_ZONE)
        wanted = (f"--pg1-path={into}", f"--set={label}", "--type=time", f"--target={target}")
        ending = (
            "--target-action=promote",
            "--archive-mode=off",
            "--tablespace-map-all=" + str(into.parent / "spaces"),
        )
        self._run("restore", *wanted, *ending, seconds=self._settings.minutes * 60)

    def _run(self, verb: str, *options: str, seconds: float = _LOOK_SECONDS) -> str:
        settings = self._settings
        command = (settings.program, f"--config={self._config}", f"--stanza={self._stanza}", *_QUIET, *options, verb)
        return run(command, settings.account, seconds=seconds)


def _backup(told: dict[str, Any]) -> BaseBackup:
    return BaseBackup(
        label=told["label"],
        kind=told["type"],
        began=datetime.fromtimestamp(told["timestamp"]["start"], UTC),
        ended=datetime.fromtimestamp(told["timestamp"]["stop"], UTC),
        size=told["info"]["size"],
        stored=told["info"]["repository"]["delta"],
        position=told["lsn"]["stop"],
    )

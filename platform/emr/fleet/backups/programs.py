"""Programs of others that a backup needs: as which account they run, what they are told, how they say no."""

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from emr.kernel.errors import Unavailable

_ROOT: Final = 0
_LAST: Final = 3


def as_account(name: str) -> dict[str, Any]:
    """How `subprocess` starts a program: as this account when root asks, since PostgreSQL refuses root; else as who
    asks. Raises `Unavailable` for an account that this machine does not have.
    """
    if os.geteuid() != _ROOT:
        return {}
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        rule = f"This machine has no account {name}; say whose the database's files are."
        raise Unavailable("account-unknown", rule, location="EMR_BACKUP__ACCOUNT") from error
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def give_to(path: Path, name: str) -> None:
    """A file or folder becomes the account's, where programs run as it."""
    account = as_account(name)
    if account:
        os.chown(path, account["user"], account["group"])


def plain_environment() -> dict[str, str]:
    """The environment without the platform's own settings: no secret of ours reaches somebody else's program."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EMR_")}
    return kept | {"LC_ALL": "C"}


def run(command: Sequence[str | Path], account: str, *, seconds: float, more: Mapping[str, str] | None = None) -> str:
    """What a program prints. more: variables of its environment.

    Raises `Unavailable` with its own last words when it is missing, fails or takes longer.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(  # noqa: S603 - the programs that settings name
            command, capture_output=True, text=True, check=False, cwd="/", timeout=seconds, errors="replace",
            env=plain_environment() | dict(more or {}), **as_account(account),
        )  # fmt: skip
    except OSError as error:
        raise Unavailable("program-missing", f"{name} cannot be run: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable("program-too-slow", f"{name} did not end within {seconds:.0f} s.") from error
    if done.returncode != 0:
        raise Unavailable("program-failed", f"{name} says: {last_words(done.stderr or done.stdout)}")
    return str(done.stdout)


def last_words(text: str) -> str:
    """What a program said of its failure, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if "ERROR" in line or "FATAL" in line or "error:" in line] or lines
    return " ".join(told[-_LAST:])[:600] or "nothing"

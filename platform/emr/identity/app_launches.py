"""Launch tokens: somebody opens an app from a chart, and the app shows the token to learn which chart it was."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from emr.db.pools import RolePool
from emr.identity.apps import App, hashed
from emr.identity.errors import GrantInvalid
from emr.kernel.clock import Clock

LAUNCH_FOR: Final = timedelta(minutes=5)

_ADD_LAUNCH: Final = """
INSERT INTO directory.app_launches (launch_hash, app, tenant_id, subject, session_id, patient, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

_TAKE_LAUNCH: Final = """
DELETE FROM directory.app_launches WHERE launch_hash = $1
RETURNING app, tenant_id, subject, session_id, patient, expires_at
"""

_SWEEP_LAUNCHES: Final = "DELETE FROM directory.app_launches WHERE expires_at < $1"


@dataclass(frozen=True, slots=True)
class Launch:
    """What a launch token stood for: who opened the app, in which session, and for which Patient."""

    subject: str
    session_id: str
    patient: str


class AppLaunches:
    """Makes and takes launch tokens, as `emr_directory`. They are random and kept as SHA-256."""

    def __init__(self, directory: RolePool, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    async def launch(self, app: App, launch: Launch) -> str:
        """For this app, once, for five minutes."""
        token, now = secrets.token_urlsafe(32), self._clock()
        async with self._directory.transaction() as connection:
            await connection.execute(_SWEEP_LAUNCHES, now, name="app.sweep-launches")
            await connection.execute(
                _ADD_LAUNCH, hashed(token), app.id, app.tenant_id, launch.subject, launch.session_id, launch.patient,
                now + LAUNCH_FOR, name="app.launch",
            )  # fmt: skip
        return token

    async def take_launch(self, token: str, app: App, *, session_id: str) -> Launch:
        """What a launch token stands for; it is spent, whatever comes of it. Raises `GrantInvalid`."""
        async with self._directory.connection() as connection:
            row = await connection.fetchrow(_TAKE_LAUNCH, hashed(token), name="app.take-launch")
        if row is None or row["expires_at"] <= self._clock():
            raise GrantInvalid("The launch is not known here, was used before, or is over.")
        if (row["app"], row["tenant_id"], row["session_id"]) != (app.id, app.tenant_id, session_id):
            raise GrantInvalid("The launch was made for another app or another session.")
        return Launch(row["subject"], row["session_id"], row["patient"])

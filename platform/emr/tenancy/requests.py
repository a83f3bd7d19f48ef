"""What somebody asks of the fleet in a page, to be done by a command that owns the tables.

The service's login may write such a row, read it, and say how a second person decided. It cannot make a schema, a role
or a hospital, and cannot empty a record: `emr tenants requests` does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from emr.db.connection import Connection, Row
from emr.kernel.errors import Conflict, NotFound
from emr.kernel.ids import uuid7

Kind = Literal["onboard", "reset-sandbox", "bring-back"]
Outcome = Literal["approved", "declined", "withdrawn"]
LIFETIME: Final = timedelta(hours=4)
"""For so long a second person may approve what somebody asked for."""
_ASK: Final = """
INSERT INTO directory.fleet_requests (id, kind, slug, detail, asked_by, asked_by_name, second)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (kind, slug) WHERE state IN ('waiting', 'running') DO NOTHING RETURNING id
"""
_FROM: Final = """
SELECT id, kind, slug, detail, asked_by, asked_by_name, asked_at, state, progress, changed_at, second, decided_by_name,
  decided_at, outcome FROM directory.fleet_requests
"""
_NEWEST: Final = _FROM + " WHERE slug = $1 AND kind = $2 ORDER BY asked_at DESC, id DESC LIMIT $3"
_ONE: Final = _FROM + " WHERE slug = $1 AND kind = $2 AND id = $3"
_DECIDE: Final = """
UPDATE directory.fleet_requests
   SET decided_by = $3, decided_by_name = $4, decided_at = now(), outcome = $5
 WHERE slug = $1 AND id = $2 AND second AND state = 'waiting' AND outcome IS NULL AND asked_at > now() - $6::interval
   AND ($5 <> 'approved' OR asked_by <> $3) RETURNING id
"""
_EVERY: Final = _FROM + " WHERE kind = $1 ORDER BY asked_at DESC, id DESC LIMIT $2"
_OPEN: Final = _FROM + " WHERE kind = $1 AND state IN ('waiting', 'running') ORDER BY asked_at, id"


@dataclass(frozen=True, slots=True)
class Request:
    """state: waiting, running, done or failed. progress: the steps that are done and under way, how much of one is
    done, the error and what to do next, or what came of it. second: a second person must approve it; outcome: what
    that one said.
    """

    id: str
    kind: str
    slug: str
    detail: Mapping[str, Any]
    asked_by: str
    asked_by_name: str
    asked_at: datetime
    state: str
    progress: Mapping[str, Any]
    changed_at: datetime
    second: bool
    decided_by_name: str | None
    decided_at: datetime | None
    outcome: str | None

    @property
    def open(self) -> bool:
        """Whether it is not at its end."""
        return self.state in ("waiting", "running")

    def undecided(self, now: datetime) -> bool:
        """Whether it waits for a second person, who still has time."""
        return self.second and self.state == "waiting" and self.outcome is None and now < self.asked_at + LIFETIME


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that is to be made. by: subject and name of who asks. second: whether somebody else must approve it."""

    kind: Kind
    slug: str
    by: tuple[str, str]
    detail: Mapping[str, Any]
    second: bool = False


class Requests:
    """The rows of `directory.fleet_requests`, as `emr_directory`."""

    def __init__(self, directory: Connection) -> None:
        self._directory = directory

    async def ask(self, wanted: Wanted) -> str:
        """Ask; gives the request's id. Raises `Conflict` while the same is asked for already."""
        row = (uuid7(), wanted.kind, wanted.slug, json.dumps(wanted.detail), *wanted.by, wanted.second)
        key: str | None = await self._directory.fetchval(_ASK, *row, name="request.ask")
        if key is None:
            raise Conflict("request-open", "This is asked for already, and waits or is under way.")
        return key

    async def latest(self, slug: str, kind: Kind) -> Request | None:
        """The newest of a kind for a hospital."""
        return next(iter(await self.newest(slug, kind, 1)), None)

    async def newest(self, slug: str, kind: Kind, most: int) -> list[Request]:
        """Up to `most` of a kind for a hospital, the newest first."""
        return [_request(row) for row in await self._directory.fetch(_NEWEST, slug, kind, most, name="request.newest")]

    async def one(self, slug: str, kind: Kind, key: str) -> Request:
        """One of a hospital's. Raises `NotFound`."""
        row = await self._directory.fetchrow(_ONE, slug, kind, key, name="request.one")
        if row is None:
            raise NotFound("request-unknown", "Nothing of this kind was asked for under this id.")
        return _request(row)

    async def decide(self, request: Request, by: tuple[str, str], outcome: Outcome) -> None:
        """Say how a second person decided. Raises `Conflict` where that is said, over, or one's own to approve."""
        values = (request.slug, request.id, *by, outcome, LIFETIME)
        if await self._directory.fetchval(_DECIDE, *values, name="request.decide") is None:
            raise Conflict("request-decided", "This is decided, its time is over, or it is your own to be approved.")

    async def every(self, kind: Kind, most: int) -> list[Request]:
        """Up to `most` of a kind for whatever hospital, the newest first."""
        return [_request(row) for row in await self._directory.fetch(_EVERY, kind, most, name="request.every")]

    async def open(self, kind: Kind) -> list[Request]:
        """Of a kind all that are not at their end, the oldest first."""
        return [_request(row) for row in await self._directory.fetch(_OPEN, kind, name="request.open")]


def _request(row: Row) -> Request:
    values = dict(row)
    return Request(**values | {name: json.loads(values[name]) for name in ("detail", "progress")})

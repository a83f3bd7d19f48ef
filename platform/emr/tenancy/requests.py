"""What somebody asks of the fleet in a page, to be done by a command that owns the tables.

The service's login may write such a row and read it. It cannot make a schema, a role or a hospital, and cannot empty a
record: `emr tenants requests` does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from emr.db.connection import Row
from emr.db.pools import RolePool
from emr.kernel.errors import Conflict
from emr.kernel.ids import uuid7

Kind = Literal["reset-sandbox"]
_ASK: Final = """
INSERT INTO directory.fleet_requests (id, kind, slug, detail, asked_by, asked_by_name) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (kind, slug) WHERE state IN ('waiting', 'running') DO NOTHING RETURNING id
"""
_OF: Final = """
SELECT id, kind, slug, detail, asked_by_name, asked_at, state, progress, changed_at FROM directory.fleet_requests
WHERE slug = $1 AND kind = $2 ORDER BY asked_at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Request:
    """state: waiting, running, done or failed. progress: the step that is under way, how much of it is done, or the
    error and what to do next.
    """

    id: str
    kind: str
    slug: str
    detail: Mapping[str, Any]
    asked_by_name: str
    asked_at: datetime
    state: str
    progress: Mapping[str, Any]
    changed_at: datetime

    @property
    def open(self) -> bool:
        """Whether it is not at its end."""
        return self.state in ("waiting", "running")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that is to be made. by: subject and name of who asks."""

    kind: Kind
    slug: str
    by: tuple[str, str]
    detail: Mapping[str, Any]


class Requests:
    """The rows of `directory.fleet_requests`, as `emr_directory`."""

    def __init__(self, directory: RolePool) -> None:
        self._directory = directory

    async def ask(self, wanted: Wanted) -> str:
        """Ask; gives the request's id. Raises `Conflict` while the same is asked for already."""
        row = (uuid7(), wanted.kind, wanted.slug, json.dumps(wanted.detail), *wanted.by)
        async with self._directory.connection() as connection:
            key: str | None = await connection.fetchval(_ASK, *row, name="request.ask")
        if key is None:
            raise Conflict("request-open", "This is asked for already, and waits or is under way.")
        return key

    async def latest(self, slug: str, kind: Kind) -> Request | None:
        """The newest of a kind for a hospital."""
        async with self._directory.connection() as connection:
            row = await connection.fetchrow(_OF, slug, kind, name="request.latest")
        return None if row is None else _request(row)


def _request(row: Row) -> Request:
    values = dict(row)
    return Request(**values | {name: json.loads(values[name]) for name in ("detail", "progress")})

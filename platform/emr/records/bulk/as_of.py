"""The record as it was at one moment, read in pages of short transactions.

A job keeps the snapshot that PostgreSQL had when it was asked for (`pg_current_snapshot()`). Every version says which
transaction wrote it, and versions are never changed or removed, so "the newest version that this snapshot shows" is the
same answer whenever it is asked: after a pause, by another worker, with writers at work meanwhile. What changed since
an earlier export is what this snapshot shows and that one's did not, so that a transaction that commits late is in the
next export although its `lastUpdated` lies before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from emr.db.connection import Connection, Row

ROWS: Final = 1_000
BYTES: Final = 8 * 1024 * 1024
"""The most that the packed bodies of one exchange weigh; one body alone may weigh more."""

_TYPES: Final = """
WITH RECURSIVE each AS (
  (SELECT type FROM resources ORDER BY type LIMIT 1)
  UNION ALL
  SELECT (SELECT r.type FROM resources r WHERE r.type > each.type ORDER BY r.type LIMIT 1) FROM each
   WHERE each.type IS NOT NULL)
SELECT type FROM each WHERE type IS NOT NULL
"""
_COUNT: Final = "SELECT count(*) FROM resources WHERE type = ANY ($1)"

_NAMES: Final = """
SELECT r.pk, r.id, r.patients, v.version, v.updated, v.deleted, v.size, v.version = r.version AS newest
  FROM (SELECT * FROM resources WHERE type = $1 AND id > $2 ORDER BY id LIMIT $3) r
  LEFT JOIN LATERAL (
    SELECT r.version, r.updated, r.xid, r.deleted, octet_length(r.body) AS size
     WHERE pg_visible_in_snapshot(r.xid, $4::text::pg_snapshot)
    UNION ALL
    (SELECT o.version, o.updated, o.xid, o.deleted, octet_length(o.body) FROM resource_versions o
      WHERE NOT pg_visible_in_snapshot(r.xid, $4::text::pg_snapshot)
        AND o.pk = r.pk AND pg_visible_in_snapshot(o.xid, $4::text::pg_snapshot)
      ORDER BY o.version DESC LIMIT 1)
  ) v ON ($5::text IS NULL OR NOT pg_visible_in_snapshot(v.xid, $5::text::pg_snapshot))
     AND ($6::timestamptz IS NULL OR v.updated > $6)
 ORDER BY r.id
"""
_BODIES: Final = """
SELECT p.place, v.body FROM unnest($1::bigint[], $2::int[]) WITH ORDINALITY AS p (pk, version, place)
  JOIN LATERAL (
    SELECT r.body FROM resources r WHERE r.pk = p.pk AND r.version = p.version
    UNION ALL
    SELECT o.body FROM resource_versions o WHERE o.pk = p.pk AND o.version = p.version
  ) v ON true ORDER BY p.place
"""
_LAST_LIVE: Final = """
SELECT o.body FROM resource_versions o WHERE o.pk = $1 AND o.version < $2 AND NOT o.deleted
 ORDER BY o.version DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Window:
    """Which versions: those that `snapshot` shows; of these what `before` did not, or what is younger than `since`."""

    snapshot: str
    before: str | None = None
    since: datetime | None = None

    @property
    def changes(self) -> bool:
        """Whether only what has changed is asked for, deletions among it."""
        return self.before is not None or self.since is not None


@dataclass(frozen=True, slots=True)
class Name:
    """A resource of a page. `version` is None when the window does not show it; `newest`: nothing came after.

    `patients` are those of the newest version. `size` is that of the packed body.
    """

    pk: int
    id: str
    version: int | None
    deleted: bool
    size: int
    newest: bool
    patients: Sequence[str]


async def types_here(connection: Connection) -> list[str]:
    """Every resource type that the hospital has ever stored."""
    return [row["type"] for row in await connection.fetch(_TYPES, name="bulk.types")]


async def count(connection: Connection, types: Sequence[str]) -> int:
    """How many resources of these types there are, for telling how far a job has come."""
    return int(await connection.fetchval(_COUNT, list(types), name="bulk.count"))


async def names_after(connection: Connection, resource_type: str, after: str, window: Window) -> list[Name]:
    """The next page of a type by id; empty at its end."""
    rows = await connection.fetch(
        _NAMES, resource_type, after, ROWS, window.snapshot, window.before, window.since, name="bulk.names"
    )
    return [_name(row) for row in rows]


async def bodies_of(connection: Connection, names: Sequence[Name]) -> list[bytes]:
    """The packed bodies of versions, in their order."""
    columns = [name.pk for name in names], [name.version for name in names]
    return [row["body"] for row in await connection.fetch(_BODIES, *columns, name="bulk.bodies")]


async def last_live_body(connection: Connection, name: Name) -> bytes | None:
    """The packed body that a deletion took away."""
    found: bytes | None = await connection.fetchval(_LAST_LIVE, name.pk, name.version, name="bulk.live")
    return found


def affordable(names: Sequence[Name]) -> list[Sequence[Name]]:
    """The same names in runs whose bodies weigh at most `BYTES` together."""
    runs: list[Sequence[Name]] = []
    begin, weight = 0, 0
    for place, name in enumerate(names):
        if weight + name.size > BYTES and place > begin:
            runs.append(names[begin:place])
            begin, weight = place, 0
        weight += name.size
    return [*runs, names[begin:]] if begin < len(names) else runs


def _name(row: Row) -> Name:
    return Name(
        row["pk"], row["id"], row["version"], bool(row["deleted"]), row["size"] or 0, bool(row["newest"]),
        row["patients"],
    )  # fmt: skip

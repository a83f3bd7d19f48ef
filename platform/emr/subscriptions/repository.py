"""The hospital's own rows in `cell.subscribers`, `cell.notices` and `cell.events`; row security holds them apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from emr.db.connection import Connection, Row

_COLUMNS: Final = """
  s.id, s.type, s.state, s.owner, s.headers, s.xid, s.last_number, s.delivered_number, s.sending_id, s.sending_to,
  s.attempts, s.failing_since, s.reason, s.sent_at, s.due_at, s.created_at
"""
_PUT: Final = """
INSERT INTO cell.subscribers AS s (tenant, id, type, state, owner, headers)
VALUES (current_user, $1, $2, 'requested', $3, $4)
ON CONFLICT (tenant, id) DO UPDATE SET
  xid = CASE WHEN s.type = excluded.type THEN s.xid ELSE pg_current_xact_id() END,
  type = excluded.type, state = 'requested', owner = excluded.owner, headers = excluded.headers, attempts = 0,
  failing_since = NULL, reason = NULL, due_at = clock_timestamp()
"""
_DROP: Final = """
WITH gone AS (DELETE FROM cell.events WHERE tenant = current_user::text AND subscription = $1)
DELETE FROM cell.subscribers WHERE tenant = current_user::text AND id = $1
"""
_FIND: Final = "SELECT" + _COLUMNS + "FROM cell.subscribers s WHERE s.tenant = current_user::text AND s.id = $1"
_FIND_LOCKED: Final = _FIND + " FOR UPDATE"
_ALL: Final = "SELECT" + _COLUMNS + "FROM cell.subscribers s WHERE s.tenant = current_user::text ORDER BY s.id"
_SETTLED: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8"
_NOTICES: Final = """
SELECT seq, type, id, version, deleted, xid FROM cell.notices WHERE tenant = current_user::text ORDER BY seq LIMIT $1
"""
_FORGET: Final = "DELETE FROM cell.notices WHERE tenant = current_user::text AND seq = ANY ($1::bigint[])"
_EVENTS: Final = """
WITH wanted AS (
  SELECT w.* FROM unnest($2::text[], $3::text[], $4::int[], $5::text[], $6::timestamptz[])
    WITH ORDINALITY AS w (type, id, version, verb, at, place)
   WHERE NOT EXISTS (SELECT 1 FROM cell.events e WHERE e.tenant = current_user::text AND e.subscription = $1
                       AND e.type = w.type AND e.id = w.id AND e.version = w.version))
, put AS (
  INSERT INTO cell.events (tenant, subscription, number, type, id, version, verb, at)
  SELECT current_user, $1, s.last_number + row_number() OVER (ORDER BY w.place), w.type, w.id, w.version, w.verb, w.at
    FROM wanted w CROSS JOIN cell.subscribers s WHERE s.tenant = current_user::text AND s.id = $1)
UPDATE cell.subscribers SET last_number = last_number + (SELECT count(*) FROM wanted),
  due_at = CASE WHEN state = 'active' AND failing_since IS NULL THEN clock_timestamp() ELSE due_at END
WHERE tenant = current_user::text AND id = $1
"""
_STRETCH: Final = """
SELECT number, type, id, version, verb, at FROM cell.events
WHERE tenant = current_user::text AND subscription = $1 AND number BETWEEN $2 AND $3 ORDER BY number LIMIT $4
"""
_CLAIM: Final = """
UPDATE cell.subscribers SET sending_id = $2, sending_to = $3
WHERE tenant = current_user::text AND id = $1
"""
_TAKEN: Final = """
UPDATE cell.subscribers SET attempts = 0, failing_since = NULL, reason = NULL, sent_at = clock_timestamp(),
  delivered_number = CASE WHEN sending_id = $2 THEN sending_to ELSE delivered_number END,
  sending_to = CASE WHEN sending_id = $2 THEN NULL ELSE sending_to END,
  sending_id = CASE WHEN sending_id = $2 THEN NULL ELSE sending_id END,
  due_at = clock_timestamp()
WHERE tenant = current_user::text AND id = $1 AND state = 'active'
"""
_MISSED: Final = """
UPDATE cell.subscribers SET attempts = attempts + 1, reason = $2, due_at = clock_timestamp() + $3 * interval '1 second',
  failing_since = coalesce(failing_since, clock_timestamp())
WHERE tenant = current_user::text AND id = $1 AND state = 'active'
RETURNING extract(epoch FROM clock_timestamp() - failing_since)::float8
"""
_MOVE: Final = """
UPDATE cell.subscribers SET state = $2, reason = $3, attempts = 0, due_at = $4, sent_at = coalesce($5, sent_at),
  failing_since = CASE WHEN $2 = 'error' THEN clock_timestamp() END
WHERE tenant = current_user::text AND id = $1
"""
_WAIT: Final = "UPDATE cell.subscribers SET due_at = $2 WHERE tenant = current_user::text AND id = $1 AND due_at = $3"
_FORGET_EVENTS: Final = """
DELETE FROM cell.events e USING cell.subscribers s
WHERE e.tenant = current_user::text AND s.tenant = e.tenant AND s.id = e.subscription
  AND e.number <= s.delivered_number AND e.created_at < $1
"""
_WAITING: Final = "SELECT DISTINCT tenant FROM cell.notices WHERE (hashtextextended(tenant, 0) & 3) = $1"
_DUE: Final = """
SELECT tenant, id FROM (
  SELECT tenant, id, due_at, row_number() OVER (PARTITION BY tenant ORDER BY due_at) AS turn FROM cell.subscribers
   WHERE due_at <= clock_timestamp() AND (hashtextextended(tenant, 0) & 3) = $1) AS due
ORDER BY turn, due_at LIMIT 100
"""
_BACKLOG: Final = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM cell.notices LIMIT 100000) AS counted)
    + coalesce(sum(s.last_number - s.delivered_number) FILTER (WHERE s.state = 'active'), 0)::bigint AS rows,
  count(*) FILTER (WHERE s.state = 'active' AND s.failing_since IS NOT NULL) AS failing,
  count(*) FILTER (WHERE s.state = 'error') AS broken,
  coalesce(extract(epoch FROM clock_timestamp() - least(
    (SELECT created_at FROM cell.notices ORDER BY seq LIMIT 1),
    min(e.created_at) FILTER (WHERE s.state = 'active'))), 0)::float8 AS age
FROM cell.subscribers s LEFT JOIN cell.events e
  ON e.tenant = s.tenant AND e.subscription = s.id AND e.number = s.delivered_number + 1
"""
SHARDS: Final = 4
"""Into how many shares, by hash of the hospital, the work of a cell is cut; the statements say the same with a mask."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """How far one Subscription has come. `headers` is sealed."""

    id: str
    type: str
    state: str
    owner: str
    headers: bytes | None = field(repr=False)
    xid: int
    last_number: int
    delivered_number: int
    sending_id: str | None
    sending_to: int | None
    attempts: int
    failing_since: datetime | None
    reason: str | None
    sent_at: datetime | None
    due_at: datetime
    created_at: datetime

    @property
    def pending(self) -> int:
        """Events that the endpoint has not taken."""
        return self.last_number - self.delivered_number


@dataclass(frozen=True, slots=True)
class Notice:
    """A version that somebody may want to be told of, and the transaction that wrote it."""

    seq: int
    type: str
    id: str
    version: int
    deleted: bool
    xid: int


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one Subscription."""

    number: int
    type: str
    id: str
    version: int
    verb: str
    at: datetime


async def put(db: Connection, subscription: str, resource_type: str, owner: str, headers: bytes | None) -> None:
    """A Subscription is wanted from now on, or wanted again: what it was told and is owed stays."""
    await db.execute(_PUT, subscription, resource_type, owner, headers, name="subscriber.put")


async def drop(db: Connection, subscription: str) -> None:
    """It is off: nothing is owed to it any more."""
    await db.execute(_DROP, subscription, name="subscriber.drop")


async def find(db: Connection, subscription: str) -> Subscriber | None:
    """None for one that is off."""
    return _subscriber(await db.fetchrow(_FIND, subscription, name="subscriber.find"))


async def find_locked(db: Connection, subscription: str) -> Subscriber | None:
    """The same, held until the transaction ends."""
    return _subscriber(await db.fetchrow(_FIND_LOCKED, subscription, name="subscriber.lock"))


async def every(db: Connection) -> list[Subscriber]:
    """All of the hospital that are not off."""
    return [Subscriber(*row.values()) for row in await db.fetch(_ALL, name="subscriber.all")]


async def settled(db: Connection, xid: int) -> bool:
    """Whether every transaction has ended that may have written without seeing what this one wrote."""
    done: bool = await db.fetchval(_SETTLED, str(xid), name="subscriber.settled")
    return done


async def notices(db: Connection, most: int) -> list[Notice]:
    """The first that wait, in the order in which they were written."""
    return [Notice(*row.values()) for row in await db.fetch(_NOTICES, most, name="notices")]


async def forget(db: Connection, seen: Sequence[Notice]) -> None:
    """They have been looked at."""
    await db.execute(_FORGET, [each.seq for each in seen], name="notices.forget")


async def add_events(db: Connection, subscription: str, found: Sequence[Event]) -> None:
    """Give each the next number, unless it has one; the subscriber must be locked."""
    columns: list[list[object]] = [
        [each.type for each in found],
        [each.id for each in found],
        [each.version for each in found],
        [each.verb for each in found],
        [each.at for each in found],
    ]
    await db.execute(_EVENTS, subscription, *columns, name="events.add")


async def stretch(db: Connection, subscription: str, since: int, until: int, most: int) -> list[Event]:
    """The events from one number to another, both included, as far as they are kept."""
    rows = await db.fetch(_STRETCH, subscription, since, until, most, name="events.stretch")
    return [Event(*row.values()) for row in rows]


async def claim(db: Connection, subscription: str, notification: str, until: int) -> None:
    """What is sent next, and under which id, before it is sent: a retry says the same. Hold the subscriber's lock."""
    await db.execute(_CLAIM, subscription, notification, until, name="subscriber.claim")


async def taken(db: Connection, subscription: str, notification: str) -> None:
    """The endpoint has taken a notification."""
    await db.execute(_TAKEN, subscription, notification, name="subscriber.taken")


async def missed(db: Connection, subscription: str, reason: str, pause: float) -> float:
    """The endpoint has not; gives for how many seconds it has been failing."""
    failing: float | None = await db.fetchval(_MISSED, subscription, reason, pause, name="subscriber.missed")
    return failing or 0.0


@dataclass(frozen=True, slots=True)
class Move:
    """A change of state: why, when it is looked at again, and when the endpoint has answered, if it has."""

    state: str
    reason: str | None
    due_at: datetime
    sent_at: datetime | None = None


async def move(db: Connection, subscription: str, to: Move) -> None:
    """It is active, or in error."""
    await db.execute(_MOVE, subscription, to.state, to.reason, to.due_at, to.sent_at, name="subscriber.move")


async def wait(db: Connection, known: Subscriber, until: datetime) -> None:
    """Nothing is to be done before; not if something has come meanwhile."""
    await db.execute(_WAIT, known.id, until, known.due_at, name="subscriber.wait")


async def forget_events(db: Connection, before: datetime) -> None:
    """Events that were taken long ago cannot be asked for any more."""
    await db.execute(_FORGET_EVENTS, before, name="events.forget")


async def hospitals_waiting(db: Connection, shard: int) -> list[str]:
    """As `emr_cell`: schemas of the hospitals whose versions somebody has to look at."""
    return [row["tenant"] for row in await db.fetch(_WAITING, shard, name="notices.hospitals")]


async def due(db: Connection, shard: int) -> list[tuple[str, str]]:
    """As `emr_cell`: schema and id of the Subscriptions for which something is to be done, hospitals taking turns."""
    return [(row["tenant"], row["id"]) for row in await db.fetch(_DUE, shard, name="subscribers.due")]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What has not been told: rows, Subscriptions whose endpoint fails, those in error, age of the first row in s."""

    rows: int
    failing: int
    broken: int
    age: float


async def backlog(db: Connection) -> Backlog:
    """As `emr_cell`: what a monitor wants to know."""
    row = await db.fetchrow(_BACKLOG, name="subscribers.backlog")
    return Backlog(*row.values()) if row else Backlog(0, 0, 0, 0.0)


def _subscriber(row: Row | None) -> Subscriber | None:
    return None if row is None else Subscriber(*row.values())

"""What goes along with a hospital besides its tables: what waits for it in the cell, and what names a transaction.

`settle` is one transaction of the target and may be done again. The journal goes last, since reads leave rows in it
until every process has heard that the hospital is elsewhere.
"""

from typing import Final

from psycopg import sql
from psycopg.types.json import Jsonb

from emr.fleet.moving.pair import Own, Pair

_READ_OUTBOX: Final = """
SELECT type, id, version, created_at, error FROM cell.outbox WHERE tenant = %(tenant)s ORDER BY seq
"""
_READ_NOTICES: Final = """
SELECT type, id, version, deleted, created_at, xid::text FROM cell.notices WHERE tenant = %(tenant)s ORDER BY seq
"""
_READ_SUBSCRIBERS: Final = """
SELECT id, type, state, owner, headers, last_number, delivered_number, sending_id, sending_to, attempts, failing_since,
       reason, sent_at, due_at, created_at, xid::text
  FROM cell.subscribers WHERE tenant = %(tenant)s
"""
_READ_JOBS: Final = "SELECT name, fence, state FROM cell.jobs WHERE name LIKE '%%:' || %(tenant)s"
_READ_STATUS: Final = """
SELECT revision, migrated_at, error, revision_from, attempts, seconds FROM cell.migrations_status
 WHERE schema = %(tenant)s
"""
_FORGET: Final = (
    "DELETE FROM cell.outbox WHERE tenant = %(tenant)s",
    "DELETE FROM cell.notices WHERE tenant = %(tenant)s",
    "DELETE FROM cell.subscribers WHERE tenant = %(tenant)s",
    "DELETE FROM cell.jobs WHERE name LIKE '%%:' || %(tenant)s",
    "DELETE FROM cell.migrations_status WHERE schema = %(tenant)s",
)
_FORGET_LONG: Final = (
    "DELETE FROM cell.deliveries WHERE tenant = %(tenant)s",
    "DELETE FROM cell.events WHERE tenant = %(tenant)s",
)
_OUTBOX: Final = """
INSERT INTO cell.outbox (tenant, type, id, version, created_at, error) VALUES (%s, %s, %s, %s, %s, %s)
"""
_NOTICE: Final = """
INSERT INTO cell.notices (tenant, type, id, version, deleted, created_at, xid)
VALUES (%s, %s, %s, %s, %s, %s, greatest(pg_current_xact_id()::text::bigint - %s, 3)::text::xid8)
"""
_SUBSCRIBER: Final = """
INSERT INTO cell.subscribers (tenant, id, type, state, owner, headers, last_number, delivered_number, sending_id,
  sending_to, attempts, failing_since, reason, sent_at, due_at, created_at, xid)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
  greatest(pg_current_xact_id()::text::bigint - %s, 3)::text::xid8)
"""
_JOB: Final = "INSERT INTO cell.jobs (name, fence, state) VALUES (%s, %s, %s)"
_STATUS: Final = """
INSERT INTO cell.migrations_status (schema, revision, migrated_at, error, revision_from, attempts, seconds)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_LAST: Final = sql.SQL("SELECT last_value, is_called FROM {}")
_NEXT: Final = "SELECT setval(%s::regclass, %s, %s)"
_TRANSACTION: Final = sql.SQL("ALTER TABLE {} ALTER COLUMN xid SET DEFAULT pg_current_xact_id()")
_NONE: Final = sql.SQL("ALTER TABLE {} ALTER COLUMN xid DROP DEFAULT")
_EXPORTS: Final = sql.SQL("""
UPDATE {} SET snapshot = '' WHERE kind = 'export' AND state NOT IN ('waiting', 'running')
""")
_OPEN_EXPORTS: Final = sql.SQL("""
UPDATE {} SET snapshot = pg_current_snapshot()::text, moment = statement_timestamp(),
  asked = asked || '{{"before": null}}', progress = '{{}}', files = '[]', state = 'waiting'
 WHERE kind = 'export' AND state IN ('waiting', 'running')
""")
_WAITING: Final = """
SELECT seq, at, row FROM cell.audit_journal WHERE tenant = %s ORDER BY seq LIMIT 5000
"""
_KNOWN: Final = "SELECT state FROM cell.jobs WHERE name = %s"
_REMEMBER: Final = """
INSERT INTO cell.jobs AS j (name, state) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET state = j.state || excluded.state
"""
_REMOVE: Final = "DELETE FROM cell.audit_journal WHERE tenant = %s AND seq = ANY (%s)"
_JOURNAL: Final = "INSERT INTO cell.audit_journal (tenant, at, row) VALUES (%s, %s, %s)"


def prepare(target: Own, schema: str) -> None:
    """Old versions get the transaction that copies them; the column knows no default otherwise."""
    target.execute(_TRANSACTION.format(sql.Identifier(schema, "resource_versions")))


def settle(pair: Pair) -> None:
    """What waits in the cell, the next number of a resource, and jobs that kept a moment of the old server."""
    schema = pair.tenant
    given = {"tenant": schema}
    read = {query: pair.source.execute(query, given).fetchall() for query in (
        _READ_OUTBOX, _READ_NOTICES, _READ_SUBSCRIBERS, _READ_JOBS, _READ_STATUS)}  # fmt: skip
    numbers = _ranks([row[-1] for row in (*read[_READ_NOTICES], *read[_READ_SUBSCRIBERS])])
    last = pair.source.execute(_LAST.format(sql.Identifier(schema, "resources_pk_seq"))).fetchall()[0]
    with pair.target.transaction(), pair.target.cursor() as cursor:
        for statement in _FORGET:
            cursor.execute(statement, given)
        cursor.executemany(_OUTBOX, [(schema, *row) for row in read[_READ_OUTBOX]])
        cursor.executemany(_NOTICE, [(schema, *row[:-1], numbers[row[-1]]) for row in read[_READ_NOTICES]])
        cursor.executemany(_SUBSCRIBER, [(schema, *row[:-1], numbers[row[-1]]) for row in read[_READ_SUBSCRIBERS]])
        cursor.executemany(_JOB, [(*row[:-1], Jsonb(row[-1])) for row in read[_READ_JOBS]])
        cursor.executemany(_STATUS, [(schema, *row) for row in read[_READ_STATUS]])
        cursor.execute(_NEXT, (f"{schema}.resources_pk_seq", *last))
        jobs = sql.Identifier(schema, "bulk_jobs")
        cursor.execute(_EXPORTS.format(jobs))
        cursor.execute(_OPEN_EXPORTS.format(jobs))
        cursor.execute(_NONE.format(sql.Identifier(schema, "resource_versions")))


def clear(source: Own, schema: str) -> None:
    """What has gone along is no more the old cell's; rows of its journal are carried, never cleared."""
    with source.transaction():
        for statement in (*_FORGET, *_FORGET_LONG):
            source.execute(statement, {"tenant": schema})


def carry_journal(pair: Pair, move: str) -> int:
    """Move what is in the old cell's journal into the new one's, each row once, and say how many there were.

    The rows that were put in are remembered with them, so that who was cut off before they were removed only removes.
    """
    name, carried = f"move:{move}", 0
    while True:
        known = pair.target.execute(_KNOWN, (name,)).fetchone()
        if known is not None:
            pair.source.execute(_REMOVE, (pair.tenant, known[0]["rows"]))
        rows = pair.source.execute(_WAITING, (pair.tenant,)).fetchall()
        if not rows:
            return carried
        with pair.target.transaction(), pair.target.cursor() as cursor:
            cursor.executemany(_JOURNAL, [(pair.tenant, at, row) for _, at, row in rows])
            cursor.execute(_REMEMBER, (name, Jsonb({"rows": [seq for seq, _, _ in rows]})))
        carried += len(rows)


def _ranks(transactions: list[str]) -> dict[str, int]:
    """How far before the present transaction each of these is taken to be: their order is what matters."""
    ordered = sorted({int(each) for each in transactions}, reverse=True)
    return {str(each): place for place, each in enumerate(ordered)}

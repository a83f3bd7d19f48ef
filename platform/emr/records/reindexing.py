"""Index a hospital's record again while it is in use, and compare the index with what it should hold.

A pass goes through all resources by pk, a batch in a transaction of its own. How far it came stands in the hospital's
table `indexing`, written with the batch: a pass that was cut off goes on where it stopped, and who reads or writes
meanwhile finds each resource indexed either as before or anew. Each batch counts the rows that it left against the rows
that it computed; one that does not agree is undone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from emr.kernel.errors import Unavailable
from emr.records.index import FORMAT
from emr.records.indexed import index_again, index_of
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork

BATCH: Final = 200
"""Resources of one transaction: few, since whoever would change one of them waits for its end."""

_STATE: Final = "SELECT state FROM indexing WHERE name = 'record'"
_STATE_LOCKED: Final = _STATE + " FOR UPDATE"
_KEEP: Final = """
INSERT INTO indexing (name, state) VALUES ('record', $1::text::jsonb)
ON CONFLICT (name) DO UPDATE SET state = excluded.state, updated = now()
"""
_NEXT: Final = "SELECT pk FROM resources WHERE pk > $1 ORDER BY pk LIMIT $2"
_HELD: Final = """
SELECT pk, type, id, version, updated, deleted, patients, body FROM resources WHERE pk = ANY ($1) ORDER BY pk
   FOR NO KEY UPDATE
"""
_COUNTED: Final = """
SELECT (SELECT count(*) FROM tokens WHERE pk = ANY ($1)) AS tokens,
       (SELECT count(*) FROM links WHERE pk = ANY ($1)) AS links,
       (SELECT count(*) FROM strings WHERE pk = ANY ($1)) AS strings,
       (SELECT count(*) FROM dates WHERE pk = ANY ($1)) AS dates,
       (SELECT count(*) FROM quantities WHERE pk = ANY ($1)) AS quantities,
       (SELECT count(*) FROM composites WHERE pk = ANY ($1)) AS composites,
       (SELECT count(*) FROM words WHERE pk = ANY ($1)) AS words,
       (SELECT count(*) FROM identifiers WHERE pk = ANY ($1)) AS identifiers,
       (SELECT count(*) FROM compartments WHERE pk = ANY ($1)) AS compartments
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass has come. `rows`: by table, what the pass has written and counted; `complete`: it is over."""

    resources: int
    rows: dict[str, int]
    complete: bool


class IndexRowsMiscounted(Unavailable):
    """A batch left other rows than it computed; it was undone."""

    def __init__(self, table: str) -> None:
        super().__init__("index-miscounted", f"The index rows in {table} are not those that were computed.")


async def demand_indexed(work: UnitOfWork) -> None:
    """Raise `Unavailable` while the index does not hold the whole record: an answer would leave things out."""
    if work.tenant.id in _COMPLETE:
        return
    state = await _state(work, _STATE)
    if state.get("format") != FORMAT:
        raise Unavailable("index-being-built", "This hospital's search index is being built; try again later.")
    _COMPLETE.add(work.tenant.id)


_COMPLETE: Final[set[str]] = set()
"""Hospitals whose index was seen to be complete for this build: it stays so."""


async def begin(work: UnitOfWork) -> None:
    """Start a pass from the beginning; searches go on, since the index is complete as it is."""
    state = await _state(work, _STATE_LOCKED)
    await _keep(work, {"format": state.get("format", 0), "after": 0, "resources": 0, "rows": {}})


async def advance(work: UnitOfWork, most: int = BATCH) -> Progress:
    """Index the next resources of the pass under way; complete when there is none, or nothing is left of it.

    Raises `IndexRowsMiscounted`; `Conflict` when another change was under way at the same place: try again.
    """
    state = await _state(work, _STATE_LOCKED)
    if state.get("format") == FORMAT and "after" not in state:
        return Progress(state.get("resources", 0), state.get("rows", {}), complete=True)
    found = await work.db.fetch(_NEXT, state.get("after", 0), most, name="reindex-next")
    pks = [row["pk"] for row in found]
    rows = dict(state.get("rows", {}))
    for table, count in (await index_counted(work, pks)).items() if pks else ():
        rows[table] = rows.get(table, 0) + count
    reached: dict[str, Any] = {"resources": state.get("resources", 0) + len(pks), "rows": rows}
    complete = len(pks) < most
    position = {"format": FORMAT} if complete else {"format": state.get("format", 0), "after": pks[-1]}
    await _keep(work, position | reached)
    return Progress(reached["resources"], rows, complete)


async def index_counted(work: UnitOfWork, pks: Sequence[int]) -> dict[str, int]:
    """Index these resources again: rows by table, counted after they were written; as many as were computed.

    Raises `IndexRowsMiscounted`.
    """
    computed = await index_again(work, pks)
    row = await work.db.fetchrow(_COUNTED, list(pks), name="reindex-counted")
    assert row is not None
    for table, count in computed.counts().items():
        if row[table] != count:
            raise IndexRowsMiscounted(table)
    return dict(row)


@dataclass(frozen=True, slots=True)
class Difference:
    """What is wrong about one resource in one table: rows that should be there, rows that should not."""

    type: str
    id: str
    table: str
    missing: int
    extra: int


@dataclass(frozen=True, slots=True)
class Compared:
    """A stretch of the record: its last pk (None: there was nothing left), its length, what is wrong in it."""

    last: int | None
    resources: int
    differences: Sequence[Difference]


async def verify(work: UnitOfWork, after: int, most: int = BATCH) -> Compared:
    """Compare the next resources after a pk.

    They are held meanwhile, so that a change under way is seen before or after, not in between.
    """
    pks = [row["pk"] for row in await work.db.fetch(_NEXT, after, most, name="verify-next")]
    if not pks:
        return Compared(None, 0, ())
    held = await work.db.fetch(_HELD, pks, name="verify-held")
    stored = {row["pk"]: Stored.of(row["type"], row) for row in held}
    rows = await index_of(work, list(stored.values()))
    present = [rows.present.get(pk, "") for pk in pks]
    found = await work.db.fetch(_COMPARE, *rows.columns(), pks, present, name="verify")
    differences = [
        Difference(stored[row["pk"]].type, stored[row["pk"]].id, row["name"], row["missing"], row["extra"])
        for row in found
    ]
    return Compared(pks[-1], len(pks), differences)


_COMPARE: Final = """
WITH held AS (SELECT pk, type, updated, present FROM resources WHERE pk = ANY ($32))
, wanted AS (
  SELECT 'tokens' AS name, v.pk, row(t.key, v.updated, t.system)::text AS content
    FROM unnest($1::bigint[], $2::int[], $3::bigint[]) AS t (key, system, pk) JOIN held v ON v.pk = t.pk
  UNION ALL SELECT 'links', v.pk, row(t.path, t.target, v.updated)::text
    FROM unnest($4::bigint[], $5::bigint[], $6::bigint[]) AS t (path, target, pk) JOIN held v ON v.pk = t.pk
  UNION ALL SELECT 'strings', pk, row(key, value, raw)::text
    FROM unnest($7::bigint[], $8::text[], $9::text[], $10::bigint[]) AS t (key, value, raw, pk)
  UNION ALL SELECT 'dates', pk, row(key, low, high)::text
    FROM unnest($11::bigint[], $12::timestamptz[], $13::timestamptz[], $14::bigint[]) AS t (key, low, high, pk)
  UNION ALL SELECT 'quantities', pk, row(key, low, high)::text
    FROM unnest($15::bigint[], $16::numeric[], $17::numeric[], $18::bigint[]) AS t (key, low, high, pk)
  UNION ALL SELECT 'composites', pk, row(key, low, high, value)::text
    FROM unnest($19::bigint[], $20::numeric[], $21::numeric[], $22::text[], $23::bigint[])
      AS t (key, low, high, value, pk)
  UNION ALL SELECT 'words', pk, content::tsvector::text FROM unnest($24::bigint[], $25::text[]) AS t (pk, content)
  UNION ALL SELECT 'identifiers', pk, row(type, system, value)::text
    FROM unnest($26::text[], $27::text[], $28::text[], $29::bigint[]) AS t (type, system, value, pk)
  UNION ALL SELECT 'compartments', v.pk, row(c.patient, v.type, v.updated)::text
    FROM unnest($30::bigint[], $31::bigint[]) AS c (patient, pk) JOIN held v ON v.pk = c.pk
  UNION ALL SELECT 'resources', t.pk, string_to_array(t.present, ',')::int[]::text
    FROM unnest($32::bigint[], $33::text[]) AS t (pk, present))
, there AS (
  SELECT 'tokens' AS name, pk, row(key, updated, system)::text AS content FROM tokens WHERE pk = ANY ($32)
  UNION ALL SELECT 'links', pk, row(path, target, updated)::text FROM links WHERE pk = ANY ($32)
  UNION ALL SELECT 'strings', pk, row(key, value, raw)::text FROM strings WHERE pk = ANY ($32)
  UNION ALL SELECT 'dates', pk, row(key, low, high)::text FROM dates WHERE pk = ANY ($32)
  UNION ALL SELECT 'quantities', pk, row(key, low, high)::text FROM quantities WHERE pk = ANY ($32)
  UNION ALL SELECT 'composites', pk, row(key, low, high, value)::text FROM composites WHERE pk = ANY ($32)
  UNION ALL SELECT 'words', pk, content::text FROM words WHERE pk = ANY ($32)
  UNION ALL SELECT 'identifiers', pk, row(type, system, value)::text FROM identifiers WHERE pk = ANY ($32)
  UNION ALL SELECT 'compartments', pk, row(patient, type, updated)::text FROM compartments WHERE pk = ANY ($32)
  UNION ALL SELECT 'resources', pk, present::text FROM held)
SELECT name, pk, count(*) FILTER (WHERE side = 'missing') AS missing, count(*) FILTER (WHERE side = 'extra') AS extra
  FROM (SELECT 'missing' AS side, * FROM (TABLE wanted EXCEPT ALL TABLE there) AS a
        UNION ALL SELECT 'extra', * FROM (TABLE there EXCEPT ALL TABLE wanted) AS b) AS different
 GROUP BY name, pk ORDER BY pk, name
"""


async def _state(work: UnitOfWork, statement: str) -> dict[str, Any]:
    text = await work.db.fetchval(statement, name="indexing")
    state: dict[str, Any] = json.loads(text) if text else {}
    return state


async def _keep(work: UnitOfWork, state: dict[str, Any]) -> None:
    await work.db.execute(_KEEP, json.dumps(state), name="indexing-keep")

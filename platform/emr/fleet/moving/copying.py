"""Makes a table of the target what the source's is, by what differs: the first copy, catching up and the check at once.

Rows are compared by hashes of groups, all rows with one key, and these by buckets of groups. Where a bucket differs its
groups are compared, and the groups that differ are copied anew. A comparison that finds nothing is the check: both have
the same groups, each with as many rows and the same sum of hashes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql

from emr.fleet.moving.pair import Pair, names
from emr.fleet.moving.parts import Part

_GROUPS: Final = 2_000
"""So many groups are copied in one transaction."""
_HASHED: Final = sql.SQL("count(*), coalesce(sum(hash_record_extended(ROW({hashed}), 0)), 0)::text")
_BY_NUMBER: Final = sql.SQL("{key} / 512")
_BY_TEXT: Final = sql.SQL("hashtextextended({key}, 0) & 1023")
_BUCKETS: Final = sql.SQL("SELECT {bucket}, {figures} FROM {place} WHERE {where} GROUP BY 1")
_GROUPS_BY_NUMBER: Final = sql.SQL("""
SELECT g.* FROM unnest(%(buckets)s::bigint[]) AS wanted (bucket), LATERAL (
  SELECT {key}, {figures} FROM {place}
   WHERE {where} AND {key} >= wanted.bucket * 512 AND {key} < (wanted.bucket + 1) * 512 GROUP BY 1) AS g
""")
_GROUPS_BY_TEXT: Final = sql.SQL("""
SELECT {key}, {figures} FROM {place} WHERE {where} AND {bucket} = ANY (%(buckets)s::bigint[]) GROUP BY 1
""")
_ALL: Final = sql.SQL("COPY (SELECT {columns} FROM {place} WHERE {where}) TO STDOUT (FORMAT BINARY)")
_SOME: Final = sql.SQL(
    "COPY (SELECT {columns} FROM {place} WHERE {where} AND {key} = ANY (%(keys)s)) TO STDOUT (FORMAT BINARY)"
)
_INTO: Final = sql.SQL("COPY {place} ({columns}) FROM STDIN (FORMAT BINARY)")
_AWAY: Final = sql.SQL("DELETE FROM {place} WHERE {where} AND {key} = ANY (%(keys)s)")

Figures = dict[Any, tuple[int, str]]
Told = Callable[[str, int], None]
"""Hears of a part and of how many groups more of it were copied."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a comparison of one part found: groups that differ, and rows and sum of hashes of the source."""

    differing: int
    rows: int
    digest: int


def bring(pair: Pair, part: Part, told: Told) -> Found:
    """Compare, and copy what differs. What is written meanwhile is found by the next call."""
    source, target = _figures(*pair.ask_both(_asked(_BUCKETS, part)))
    found = (sum(each[0] for each in source.values()), sum(int(each[1]) for each in source.values()))
    if source == target:
        return Found(0, *found)
    if not target:
        with pair.target.transaction():
            pair.copy(_asked(_ALL, part), _asked(_INTO, part))
        told(part.name, found[0])
        return Found(len(source), *found)
    buckets = [key for key in source.keys() | target.keys() if source.get(key) != target.get(key)]
    groups = _GROUPS_BY_NUMBER if part.numbered else _GROUPS_BY_TEXT
    ours, theirs = _figures(*pair.ask_both(_asked(groups, part), buckets=buckets))
    keys = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    for start in range(0, len(keys), _GROUPS):
        piece = keys[start : start + _GROUPS]
        with pair.target.transaction():
            pair.target.execute(_asked(_AWAY, part), {"tenant": pair.tenant, "keys": piece})
            pair.copy(_asked(_SOME, part), _asked(_INTO, part), keys=piece)
        told(part.name, len(piece))
    return Found(len(keys), *found)


def _asked(statement: sql.SQL, part: Part) -> sql.Composed:
    bucket = (_BY_NUMBER if part.numbered else _BY_TEXT).format(key=part.key)
    return statement.format(
        bucket=bucket, key=part.key, place=part.place, where=part.where, columns=names(part.columns),
        figures=_HASHED.format(hashed=sql.SQL(", ").join(part.hashed)),
    )  # fmt: skip


def _figures(*answers: Sequence[tuple[Any, ...]]) -> tuple[Figures, Figures]:
    first, second = ({key: (count, total) for key, count, total in rows} for rows in answers)
    return first, second

"""Hold many resources at once, in one order for everybody, so that transactions which cross stand in line."""

from collections.abc import Iterable
from typing import Final

from emr.records.keys import lock_number
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork

_ALL: Final = """
SELECT r.type, r.pk, r.id, r.version, r.updated, r.deleted, r.patients, r.body
  FROM resources r JOIN unnest($1::text[], $2::text[]) AS t (type, id) ON r.type = t.type AND r.id = t.id
 ORDER BY r.type, r.id
"""
_LOCKED: Final = _ALL + " FOR NO KEY UPDATE OF r"
_CLAIMED: Final = _ALL + " FOR UPDATE OF r"
_HOLD_NAMES: Final = "SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k ORDER BY k"

Name = tuple[str, str]


async def lock_all(work: UnitOfWork, names: Iterable[Name], *, to_delete: bool = False) -> dict[Name, Stored]:
    """The current versions, deleted or not, of those of these names that are here, held until the transaction ends.

    To delete any of them, all are held also from those who refer to them. The names of the others are held instead.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    statement = _CLAIMED if to_delete else _LOCKED
    held = await _held(work, statement, wanted)
    missing = [name for name in wanted if name not in held]
    if missing:
        numbers = sorted(lock_number(work.tenant.schema, *name) for name in missing)
        await work.db.execute(_HOLD_NAMES, numbers, name="hold")
        held |= await _held(work, statement, missing)
    return held


async def _held(work: UnitOfWork, statement: str, wanted: list[Name]) -> dict[Name, Stored]:
    rows = await work.db.fetch(statement, [each[0] for each in wanted], [each[1] for each in wanted], name="lock-all")
    return {(row["type"], row["id"]): Stored.of(row["type"], row) for row in rows}

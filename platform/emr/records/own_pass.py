"""The pass that indexes what was stored before a hospital's own search parameters changed.

It goes through the types concerned by pk, a batch in a transaction, as `reindexing` does for the whole record. How far
it came stands in the hospital's table `indexing`, in the row `own-pass`, whose holder alone changes parameters.
"""

from typing import Any, Final

from emr.records.own_parameters import finish, held_pass, keep
from emr.records.reindexing import BATCH, Progress, index_counted
from emr.work.unit import UnitOfWork

Json = dict[str, Any]

UNFINISHED: Final = "SELECT coalesce(bool_or(state ? 'after'), false) FROM indexing WHERE name = 'own-pass'"

_NEXT: Final = "SELECT pk FROM resources WHERE pk > $1 AND type = ANY ($2) ORDER BY pk LIMIT $3"
_WRITERS: Final = """
SELECT DISTINCT virtualtransaction AS writer FROM pg_locks
 WHERE locktype = 'relation' AND relation = 'tokens'::regclass AND mode = 'RowExclusiveLock'
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
   AND ($1::text[] IS NULL OR virtualtransaction = ANY ($1))
"""
"""Transactions that have stored something and are not over. A statement takes its locks before it looks at the rows, so
whoever stored by parameters that are no longer those is among them once the change can be seen.
"""


async def advance_own(work: UnitOfWork, most: int = BATCH) -> Progress:
    """Index the next resources by the hospital's own parameters; complete when there is nothing left to do.

    The first resources have to wait for writers that began before the change: then nothing is done and not complete.
    Raises what `reindexing.advance` does.
    """
    state = await held_pass(work)
    if "after" not in state:
        return Progress(state.get("resources", 0), state.get("rows", {}), complete=True)
    if state["after"] == 0 and await _waits(work, state):
        return Progress(0, {}, complete=False)
    found = await work.db.fetch(_NEXT, state["after"], state["types"], most, name="own-pass-next")
    pks = [row["pk"] for row in found]
    rows = dict(state["rows"])
    for table, count in (await index_counted(work, pks)).items() if pks else ():
        rows[table] = rows.get(table, 0) + count
    reached: Json = {"resources": state["resources"] + len(pks), "rows": rows}
    complete = len(pks) < most
    if complete:
        await finish(work, reached)
    else:
        await keep(work, None, state | reached | {"after": pks[-1]})
    return Progress(reached["resources"], rows, complete)


async def _waits(work: UnitOfWork, state: Json) -> bool:
    """Whether a writer is left of those that were there when the pass was first looked at."""
    found = await work.db.fetch(_WRITERS, state["behind"], name="own-pass-writers")
    behind = sorted(row["writer"] for row in found)
    if behind != state["behind"]:
        await keep(work, None, state | {"behind": behind})
    return bool(behind)

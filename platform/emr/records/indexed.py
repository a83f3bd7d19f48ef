"""The index of what is stored already: computed from the bodies again, and written in place of what is there.

For reindexing, a batch in a transaction, and for comparing the index with what it should hold.
"""

from collections.abc import Sequence
from typing import Final

from emr.definitions.compartment import references
from emr.definitions.values import target_of
from emr.records.index import DROP_ROWS, PUT_ROWS, IndexRows
from emr.records.own_parameters import own_of
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork

_HELD: Final = """
SELECT pk, type, id, version, updated, deleted, patients, body FROM resources WHERE pk = ANY ($1) FOR NO KEY UPDATE
"""
_NAMED: Final = """
SELECT r.type, r.id, r.pk FROM unnest($1::text[], $2::text[]) AS t (type, id)
  JOIN resources r ON r.type = t.type AND r.id = t.id
"""
_VERSIONS: Final = """
WITH versions AS (SELECT pk, type, updated FROM resources WHERE pk = ANY ($32))
, told AS (
  UPDATE resources r SET present = string_to_array(t.present, ',')::int[]
    FROM unnest($32::bigint[], $33::text[]) AS t (pk, present) WHERE r.pk = t.pk)
"""
_AGAIN: Final = "".join((_VERSIONS, DROP_ROWS, PUT_ROWS, "SELECT 1"))  # noqa: FLY002 - no formatting near SQL


async def index_again(work: UnitOfWork, pks: Sequence[int]) -> IndexRows:
    """Write the index rows of these resources anew, and give them.

    They are held until the transaction ends, so that no newer version's rows are lost. Versions stay as they are.
    """
    found = await work.db.fetch(_HELD, list(pks), name="reindex-held")
    stored = [Stored.of(row["type"], row) for row in found]
    rows = await index_of(work, stored)
    present = [rows.present.get(each.pk, "") for each in stored]
    await work.db.execute(_AGAIN, *rows.columns(), [each.pk for each in stored], present, name="reindex")
    return rows


async def index_of(work: UnitOfWork, stored: Sequence[Stored]) -> IndexRows:
    """The rows that the index should hold of these resources; none of a deleted one."""
    kept = [(each, each.resource()) for each in stored if not each.deleted]
    targets = {("Patient", patient) for each, _ in kept for patient in each.patients}
    for _, resource in kept:
        named = (target_of({"reference": text}) for _, text in references(resource))
        targets.update(target for target in named if target is not None)
    asked = sorted(targets)
    found = await work.db.fetch(_NAMED, [each[0] for each in asked], [each[1] for each in asked], name="reindex-named")
    known = {(row["type"], row["id"]): row["pk"] for row in found}
    rows = IndexRows(await own_of(work))
    for each, resource in kept:
        rows.add(work.tenant, resource, each.pk, known)
        rows.add_member(each.pk, [known["Patient", patient] for patient in each.patients])
    return rows

"""Write down again what decides who may see each resource, when a hospital's file has come to ask for something else.

A pass goes through the record by pk, a batch in a transaction; how far it came stands in `indexing` under `sights`,
with the mark of the rules that it goes by. What the file asks for counts at once: until the pass is over, whoever is
bound sees less than is due, and what is not labelled yet is seen as before.
"""

import json
from hashlib import blake2b
from typing import Final

from emr.access.labels import labels_of, rules_of
from emr.access.labels import lasting as lasting_of
from emr.definitions.compartment import patients_of
from emr.kernel import json as documents
from emr.kernel.tenant import Access
from emr.records.codec import unpack
from emr.records.sights import keep_sights
from emr.work.unit import UnitOfWork

BATCH: Final = 200
STATE: Final = "SELECT state::text FROM indexing WHERE name = 'sights'"
_HELD: Final = "SELECT state::text FROM indexing WHERE name = 'sights' FOR UPDATE"
_KEEP: Final = """
INSERT INTO indexing (name, state) VALUES ('sights', $1::text::jsonb)
ON CONFLICT (name) DO UPDATE SET state = excluded.state, updated = now()
"""
_NEXT: Final = "SELECT pk FROM resources WHERE pk > $1 ORDER BY pk LIMIT $2 FOR NO KEY UPDATE"
_EARLIER: Final = """
SELECT r.pk, r.type, o.body FROM resources r JOIN resource_versions o ON o.pk = r.pk AND NOT o.deleted
 WHERE r.pk = ANY ($1)
"""
_TOO: Final = """
UPDATE resources r
   SET concerns = CASE WHEN r.concerns IS NULL AND string_to_array(t.concerns, ' ') <@ r.patients THEN NULL ELSE
         ARRAY(SELECT DISTINCT unnest(coalesce(r.concerns, r.patients) || string_to_array(t.concerns, ' '))) END,
       labels = nullif(ARRAY(SELECT DISTINCT unnest(coalesce(r.labels, '{}') || string_to_array(t.labels, ' '))), '{}')
  FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (pk, concerns, labels) WHERE r.pk = t.pk
"""


def mark_of(access: Access) -> str:
    """What tells one set of rules from another, as far as it decides what is written down."""
    rules = [
        (each.label, sorted(each.types), each.codes, sorted(each.marks), sorted(each.identifiers))
        for each in rules_of(access)
    ]
    said = repr((access.kept, access.grace_days, rules))
    return blake2b(said.encode(), digest_size=12).hexdigest()


def is_behind(access: Access, state: str | None) -> bool:
    """Whether a pass is due or under way, by the text of `STATE`."""
    if not access.kept:
        return False
    said = json.loads(state) if state else {}
    return said.get("mark") != mark_of(access) or "after" in said


async def advance_sights(work: UnitOfWork, most: int = BATCH) -> bool:
    """The next resources of the pass that is due; whether there is more to do."""
    text, mark = await work.db.fetchval(_HELD, name="sights-state"), mark_of(work.tenant.access)
    state = json.loads(text) if text else {}
    if not is_behind(work.tenant.access, text):
        return False
    after = state.get("after", 0) if state.get("mark") == mark else 0
    pks = [row["pk"] for row in await work.db.fetch(_NEXT, after, most, name="sights-next")]
    if pks:
        await keep_sights(work, pks, anew=True)
        await _with_earlier(work, pks)
    more = len(pks) == most
    await work.db.execute(_KEEP, json.dumps({"mark": mark} | ({"after": pks[-1]} if more else {})), name="sights-keep")
    return more


async def _with_earlier(work: UnitOfWork, pks: list[int]) -> None:
    """What earlier versions tell, too: whom they were about, and labels by codes that are in them."""
    lasting = lasting_of(work.tenant.access)
    concerns: dict[int, set[str]] = {}
    labels: dict[int, set[str]] = {}
    for row in await work.db.fetch(_EARLIER, pks, name="sights-earlier"):
        value = documents.loads(unpack(row["body"]))
        concerns.setdefault(row["pk"], set()).update(patients_of(row["type"], value))
        labels.setdefault(row["pk"], set()).update(labels_of(work.tenant.access, value).intersection(lasting))
    if concerns:
        found = sorted(concerns)
        told = [" ".join(sorted(concerns[pk])) for pk in found], [" ".join(sorted(labels[pk])) for pk in found]
        await work.db.execute(_TOO, found, *told, name="sights-too")

"""Find people by words of their names in any order and without accents, or by a whole number of theirs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from emr.access.permissions import demand_sight, sight
from emr.kernel.text import words
from emr.records.index import LONGEST, WORDS
from emr.records.keys import held_text, path_key
from emr.records.reindexing import demand_indexed
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_BY_WORDS: Final = """
WITH asked AS (SELECT * FROM unnest($2::text[], $3::text[]) AS a (low, high)),
matched AS (
  SELECT s.pk, count(DISTINCT a.low) AS words, count(DISTINCT a.low) FILTER (WHERE s.value = a.low) AS exact
    FROM asked a JOIN strings s ON s.key = $1 AND s.value ~>=~ a.low AND s.value ~<~ a.high
   GROUP BY s.pk HAVING count(DISTINCT a.low) = (SELECT count(*) FROM asked))
SELECT r.pk, r.id, r.version, r.updated, r.deleted, r.patients, r.body
  FROM (SELECT pk, max(exact) AS exact
          FROM (SELECT pk, exact FROM matched
                UNION ALL
                SELECT pk, 99 FROM identifiers WHERE type = 'Patient' AND value = $5) each
         GROUP BY pk) m
  JOIN resources r ON r.pk = m.pk WHERE NOT r.deleted
 ORDER BY m.exact DESC, r.updated DESC, r.pk LIMIT $4
"""
_BY_NUMBER: Final = """
SELECT DISTINCT r.id FROM identifiers i JOIN resources r ON r.pk = i.pk
 WHERE i.type = 'Patient' AND i.value = $1 AND NOT r.deleted LIMIT 2
"""
_BY_ID: Final = """
SELECT pk, id, version, updated, deleted, patients, body FROM resources
 WHERE type = 'Patient' AND id = ANY ($1::text[]) AND NOT deleted
"""
_LAST: Final = "\U0010ffff"


@use_case("patient:find", "patient.searched")
async def find_people(work: UnitOfWork, text: str, *, limit: int = 20) -> Sequence[Stored]:
    """Patients in whose names every word of the text begins some word; the exact ones first;
    or to whom the whole text is a number, such as a record number, CCCD or insurance card. Empty text finds nobody.
    """
    await demand_indexed(work)
    demand_sight(work.principal, "Patient")
    text = text.replace("\0", " ").strip()
    asked = list(dict.fromkeys(word[:LONGEST] for word in words(text)))[:8]
    if not asked:
        return []
    rows = await work.db.fetch(
        _BY_WORDS,
        path_key(work.tenant.index_key, WORDS),
        asked,
        [word + _LAST for word in asked],
        limit,
        held_text(text),
        name="people",
    )
    return _shown(work, [Stored.of("Patient", row) for row in rows])


async def patient_numbered(work: UnitOfWork, number: str) -> str | None:
    """The id of the one Patient with this number; None when there is none, or more than one.

    For verbs that let somebody name a patient whom they may not see: nothing is told but that there is one.
    """
    await demand_indexed(work)
    rows = await work.db.fetch(_BY_NUMBER, held_text(number), name="people.numbered")
    return str(rows[0]["id"]) if len(rows) == 1 else None


async def patients_of(work: UnitOfWork, ids: Collection[str]) -> Mapping[str, Stored]:
    """By id, those of these Patients that there are and that the caller's role sees. Whose verb it is tells of them."""
    sees = sight(work.principal, "r")
    if not ids or (sees is not None and "Patient" not in sees):
        return {}
    rows = await work.db.fetch(_BY_ID, list(ids), name="people.of")
    return {row["id"]: Stored.of("Patient", row) for row in rows}


def _shown(work: UnitOfWork, people: list[Stored]) -> list[Stored]:
    for person in people:
        work.trail.concerns(person.id)
    work.trail.note(shown=len(people))
    return people

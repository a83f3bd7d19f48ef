"""Write down, with each version, what decides who may see it: care relationships, labels, and whom it concerns.

Only for hospitals that ask for more than roles. Relationships become rows of `grants`, replaced with each version of
the resource that states them. A resource that names no patient concerns those whom it tells of: the patients of all
that it refers to, and bears their labels; one that refers to nothing is its author's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.access.care import AUTHOR, PERSON
from emr.access.labels import labels_of, lasting
from emr.db.seen import NOBODYS
from emr.definitions.compartment import referring
from emr.definitions.search import parameter
from emr.definitions.values import target_of
from emr.kernel.ids import uuid7
from emr.records.keys import path_key
from emr.records.relations import STATING, Stated, stated
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork

Json = dict[str, Any]

_STORED: Final = """
SELECT pk, type, id, version, updated, deleted, patients, body FROM resources WHERE pk = ANY ($1) ORDER BY pk
"""
_MARK: Final = """
UPDATE resources r
   SET labels = nullif(ARRAY(
         SELECT each FROM unnest(string_to_array(m.labels, ' ')) AS each
          UNION SELECT old FROM unnest(r.labels) AS old WHERE old = ANY ($4) ORDER BY 1), '{}'),
       concerns = CASE WHEN m.concerns IS NULL THEN r.concerns ELSE string_to_array(m.concerns, ' ') END
  FROM unnest($1::bigint[], $2::text[], $3::text[]) AS m (pk, labels, concerns)
 WHERE r.pk = m.pk
"""
_TOLD: Final = """
SELECT r.type, r.concerns, r.patients, r.labels
  FROM unnest($1::text[], $2::text[]) AS t (type, id) JOIN resources r ON r.type = t.type AND r.id = t.id
"""
_ABOVE: Final = """
WITH RECURSIVE above AS (
  SELECT r.pk, r.id FROM resources r WHERE r.type = 'Location' AND r.id = ANY ($1)
  UNION
  SELECT r.pk, r.id FROM above a JOIN links l ON l.pk = a.pk AND l.path = ANY ($2)
    JOIN resources r ON r.pk = l.target AND r.type = 'Location')
SELECT id FROM above
"""
_FORGET: Final = "DELETE FROM grants WHERE source = ANY ($1)"
_GRANT: Final = """
INSERT INTO grants (id, patient, grantee, basis, source, since, until, granted_by)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                     $8::text[])
ON CONFLICT (id) DO UPDATE SET until = excluded.until
"""


async def keep_sights(work: UnitOfWork, pks: Sequence[int], *, anew: bool = False) -> None:
    """Write down what the current versions of these resources decide. anew: labels that earlier versions left are
    forgotten.

    The unit of work must be that of the hospital itself (`as_whole`).
    """
    rows = await work.db.fetch(_STORED, list(pks), name="sights-stored")
    versions = [Stored.of(row["type"], row) for row in rows]
    kept = [(each, each.resource()) for each in versions if not each.deleted]
    own = AUTHOR + work.principal.subject
    orphans = {(each.type, each.id): (each, value) for each, value in kept if _is_orphan(each)}
    marks = [_Mark(each.pk, labels_of(work.tenant.access, value)) for each, value in kept if not _is_orphan(each)]
    await _mark(work, marks, anew=anew)
    while orphans:
        # One that tells of another orphan comes after it; those that tell of each other are their author's own.
        ready = [name for name, (_, value) in orphans.items() if not _targets(value) & (orphans.keys() - {name})]
        marks = [await _told(work, *orphans[name], lost=not ready) for name in ready or list(orphans)]
        if anew:
            # Whose own they are was written down when they were made; a pass does not make them its own.
            marks = [replace(each, concerns=None) if each.concerns == {own} else each for each in marks]
        await _mark(work, marks, anew=anew)
        orphans = {name: each for name, each in orphans.items() if ready and name not in ready}
    await work.db.execute(
        _FORGET, [f"{each.type}/{each.id}" for each in versions if each.type in STATING], name="grants"
    )
    grants = {row[0]: row for each, value in kept for row in await _granted(work, each, value)}
    if grants:
        await work.db.execute(_GRANT, *(list(column) for column in zip(*grants.values(), strict=True)), name="grant")


@dataclass(frozen=True, slots=True)
class _Mark:
    """Labels of a resource by its pk; concerns: of one that names no patient itself, None for others."""

    pk: int
    labels: set[str]
    concerns: set[str] | None = None


async def _mark(work: UnitOfWork, marks: Sequence[_Mark], *, anew: bool) -> None:
    if not marks:
        return
    await work.db.execute(
        _MARK,
        [each.pk for each in marks],
        [" ".join(sorted(each.labels)) for each in marks],
        [None if each.concerns is None else " ".join(sorted(each.concerns)) for each in marks],
        [] if anew else lasting(work.tenant.access),
        name="sights",
    )


def _is_orphan(version: Stored) -> bool:
    return not version.patients and version.type not in NOBODYS


def _targets(value: Json) -> set[tuple[str, str]]:
    return {target for _, holder in referring(value) if (target := target_of(holder)) is not None}


async def _told(work: UnitOfWork, version: Stored, value: Json, *, lost: bool) -> _Mark:
    """Whom a resource concerns that names no patient itself, and its labels with those that it inherits."""
    labels, own = labels_of(work.tenant.access, value), AUTHOR + work.principal.subject
    targets = sorted(_targets(value) - {(version.type, version.id)})
    if lost or not targets:
        return _Mark(version.pk, labels, {own})
    rows = await work.db.fetch(_TOLD, [each[0] for each in targets], [each[1] for each in targets], name="concerned")
    concerns: set[str] = set()
    for row in rows:
        labels |= set(row["labels"] or ())
        unknown = row["concerns"] is None and not row["patients"] and row["type"] not in NOBODYS
        concerns |= {own} if unknown else set(row["concerns"] or row["patients"])
    return _Mark(version.pk, labels, concerns)


async def _granted(work: UnitOfWork, version: Stored, value: Json) -> list[tuple[Any, ...]]:
    """Rows of `grants` for what a version states, and for who wrote it."""
    grace, by = timedelta(days=work.tenant.access.grace_days), work.principal.subject
    rows: list[tuple[Any, ...]] = []
    found = stated(value, grace, version.last_updated, ZoneInfo(work.tenant.time_zone))
    source = f"{version.type}/{version.id}"
    if found is not None:
        names = found.grantees(await _above(work, found))
        rows += [
            (uuid7(), patient, name, found.basis, source, version.last_updated, found.until, by)
            for patient in version.patients
            for name in names
        ]
    if work.principal.role in work.tenant.access.bound:
        until = version.last_updated + grace
        rows += [
            (f"{AUTHOR}{by}:{patient}", patient, PERSON + by, "author", "", version.last_updated, until, by)
            for patient in version.patients
        ]
    return rows


async def _above(work: UnitOfWork, found: Stated) -> list[str]:
    """The places that a version names, and those that they are part of: who works on a ward sees its beds."""
    if not found.places:
        return []
    part_of = parameter("Location", "partof")
    assert part_of is not None
    paths = [path_key(work.tenant.index_key, path) for path in part_of.paths]
    rows = await work.db.fetch(_ABOVE, sorted(found.places), paths, name="places-above")
    return [row["id"] for row in rows]

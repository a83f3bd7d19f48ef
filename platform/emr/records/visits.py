"""Patients with their visits, and practitioners: what tells whether somebody's look at a patient was to be expected.

Read as the hospital itself, whoever asks: what comes of it is told in hints, never shown.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from emr.records.stored import Stored
from emr.work.unit import UnitOfWork, as_whole

_PATIENTS: Final = """
SELECT asked.id AS whose, r.type, r.pk, r.id, r.version, r.updated, r.deleted, r.patients, r.body
  FROM unnest($1::text[]) AS asked (id)
  JOIN resources p ON p.type = 'Patient' AND p.id = asked.id AND NOT p.deleted
  CROSS JOIN LATERAL (
    SELECT p.pk
    UNION ALL
    (SELECT c.pk FROM compartments c WHERE c.patient = p.pk AND c.type = 'Encounter'
      ORDER BY c.updated DESC, c.pk DESC LIMIT $2)
    UNION ALL
    (SELECT c.pk FROM compartments c WHERE c.patient = p.pk AND c.type = 'Appointment'
      ORDER BY c.updated DESC, c.pk DESC LIMIT $2)) c
  JOIN resources r ON r.pk = c.pk AND NOT r.deleted
"""
_PRACTITIONERS: Final = """
SELECT pk, id, version, updated, deleted, patients, body FROM resources
 WHERE type = 'Practitioner' AND id = ANY ($1::text[]) AND NOT deleted
"""
_VISITS: Final = 200

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Visited:
    """A Patient and the newest of their Encounters and Appointments, at most 200 of each."""

    patient: Resource
    visits: tuple[Resource, ...]


async def visited(work: UnitOfWork, patients: Collection[str]) -> Mapping[str, Visited]:
    """By id, those of these Patients that there are."""
    found: dict[str, list[Resource]] = {}
    async with as_whole(work) as own:
        rows = await own.db.fetch(_PATIENTS, list(patients), _VISITS, name="visits")
    for row in rows:
        found.setdefault(row["whose"], []).append(Stored.of(row["type"], row).resource())
    return {key: _visited(group) for key, group in found.items()}


async def practitioners(work: UnitOfWork, ids: Collection[str]) -> Mapping[str, Resource]:
    """By id, those of these Practitioners that there are."""
    async with as_whole(work) as own:
        rows = await own.db.fetch(_PRACTITIONERS, list(ids), name="visits.practitioners")
    return {row["id"]: Stored.of("Practitioner", row).resource() for row in rows}


def _visited(group: list[Resource]) -> Visited:
    own = next(each for each in group if each["resourceType"] == "Patient")
    return Visited(own, tuple(each for each in group if each is not own))

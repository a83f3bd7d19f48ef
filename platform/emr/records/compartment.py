"""What is known about one patient: the newest of each type, in one exchange."""

from collections.abc import Mapping, Sequence
from typing import Final

from emr.access.permissions import sight
from emr.records.read import read
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_NEWEST: Final = """
SELECT r.type, r.pk, r.id, r.version, r.updated, r.deleted, r.patients, r.body
  FROM unnest($2::text[], $3::int[]) AS asked (type, most)
  CROSS JOIN LATERAL (
    SELECT c.pk FROM compartments c WHERE c.patient = $1 AND c.type = asked.type
     ORDER BY c.updated DESC, c.pk DESC LIMIT asked.most) c
  JOIN resources r ON r.pk = c.pk
 WHERE NOT r.deleted AND ($4::text[] IS NULL OR r.type = ANY ($4))
"""


@use_case("chart:read", "chart.read")
async def compartment(
    work: UnitOfWork, patient_id: str, most: Mapping[str, int]
) -> tuple[Stored, Mapping[str, Sequence[Stored]]]:
    """The Patient, and of each type in `most` up to that many resources, newest first.

    Raises `ResourceNotFound`, `ResourceGone`.
    """
    patient = await read(work, "Patient", patient_id)
    rows = await work.db.fetch(
        _NEWEST, patient.pk, list(most), list(most.values()), sight(work.principal), name="compartment"
    )
    found: dict[str, list[Stored]] = {resource_type: [] for resource_type in most}
    for row in rows:
        found[row["type"]].append(Stored.of(row["type"], row))
    work.trail.note(shown={resource_type: len(group) for resource_type, group in found.items()})
    return patient, found

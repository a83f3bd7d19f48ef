"""A study on its way into the record: whose it is, and the ImagingStudy resource that speaks of it.

Parts of verbs, for `actions`; each runs inside one of them.
"""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from emr.imaging import repository
from emr.imaging.facts import Facts, StudyFacts
from emr.imaging.policy import NO_NUMBER, choose_patient
from emr.imaging.resources import imaging_study
from emr.kernel.ids import uuid7
from emr.records.search.find import search
from emr.records.update import update_resource
from emr.work.unit import UnitOfWork


@dataclass(slots=True)
class Draft:
    """What is known of a study whose lock is held. series: the UIDs of its series."""

    uid: str
    study_id: str
    patient_key: str
    patient: str | None
    doubt: str | None
    series: set[str]


async def draft_study(work: UnitOfWork, uid: str, facts: Facts) -> Draft:
    """The study as it is kept, or a new one for what `facts`, of its first instance, say."""
    rows = await repository.series_of(work.db, [uid])
    series = {row["series_uid"] for row in rows}
    if rows:
        first = rows[0]
        return Draft(uid, first["study_id"], first["patient_key"], first["patient"], first["doubt"], series)
    patient, doubt = await _owner(work, facts.study)
    return Draft(uid, uuid7(), facts.study.patient_id, patient, doubt, series)


async def _owner(work: UnitOfWork, facts: StudyFacts) -> tuple[str | None, str | None]:
    if not facts.patient_id:
        return None, NO_NUMBER
    return choose_patient(facts, await patients_numbered(work, facts.patient_id))


async def patients_numbered(work: UnitOfWork, number: str) -> list[dict[str, Any]]:
    """Every Patient of this hospital that has `number` among its identifiers, whatever kind of number it is."""
    escaped = "".join("\\" + letter if letter in ",|$\\" else letter for letter in number)
    page = await search(work, "Patient", [("identifier", escaped)])
    return [stored.resource() for stored in page.matches]


async def list_study(work: UnitOfWork, uid: str) -> None:
    """Bring the ImagingStudy resource up to what the index keeps."""
    rows = await repository.series_of(work.db, [uid])
    await update_resource(work, imaging_study(rows, ZoneInfo(work.tenant.time_zone), rows[0]["study_id"]))
    await repository.mark_listed(work.db, uid)

"""Bring the record up to what the index keeps."""

from emr.imaging import repository
from emr.imaging.filing import list_study
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case


@use_case("imaging:store", "imaging.listed")
async def list_studies(work: UnitOfWork, studies: list[str] | None = None) -> int:
    """Bring these studies' ImagingStudy resources up to date, or all that are behind. How many were."""
    behind = set(await repository.unlisted_studies(work.db))
    chosen = sorted(behind if studies is None else behind.intersection(studies))
    for uid in chosen:
        await repository.lock_study(work.db, uid)
        await list_study(work, uid)
    return len(chosen)

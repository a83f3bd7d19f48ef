"""Find studies, series and instances in the index."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emr.db.connection import Row
from emr.imaging import repository
from emr.imaging.matching import Matching
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

Attributes = dict[str, Any]
"""Part of the DICOM JSON model (PS3.18 annex F): tag to `{"vr": …, "Value": […]}`."""


@dataclass(frozen=True, slots=True)
class FoundSeries:
    study: str
    series: str
    modality: str
    number: int | None
    instances: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """study_id: of the ImagingStudy resource. patient: of the Patient resource; None while unmatched, for `doubt`."""

    study: str
    study_id: str
    patient: str | None
    doubt: str | None
    patient_key: str
    date: str
    time: str
    series: tuple[FoundSeries, ...]

    @property
    def attributes(self) -> Attributes:
        return self.series[0].attributes

    @property
    def instances(self) -> int:
        return sum(one.instances for one in self.series)

    @property
    def modalities(self) -> list[str]:
        return sorted({one.modality for one in self.series if one.modality})


@dataclass(frozen=True, slots=True)
class FoundInstance:
    study: str
    series: str
    instance: str
    sop_class: str
    number: int | None
    syntax: str
    frames: int
    document: str | None
    attributes: Attributes
    series_attributes: Attributes


@use_case("imaging:read", "imaging.searched")
async def find_studies(work: UnitOfWork, matching: Matching) -> list[FoundStudy]:
    """Newest first; with all their series, whatever the series were matched by."""
    uids = await repository.find_studies(work.db, matching)
    by_study: dict[str, list[Row]] = {uid: [] for uid in uids}
    for row in await repository.series_of(work.db, uids):
        by_study[row["study_uid"]].append(row)
    _seen(work, [rows[0] for rows in by_study.values()])
    return [_study(rows) for rows in by_study.values()]


@use_case("imaging:read", "imaging.searched")
async def find_series(work: UnitOfWork, matching: Matching) -> list[FoundSeries]:
    rows = await repository.find_series(work.db, matching)
    _seen(work, rows)
    return [_series(row) for row in rows]


@use_case("imaging:read", "imaging.searched")
async def find_instances(work: UnitOfWork, matching: Matching) -> list[FoundInstance]:
    """In the order of series and instance numbers."""
    rows = await repository.find_instances(work.db, matching)
    _seen(work, rows)
    return [_instance(row) for row in rows]


def _seen(work: UnitOfWork, rows: Sequence[Row]) -> None:
    for row in rows:
        work.trail.read("ImagingStudy", row["study_id"])
        if row["patient"]:
            work.trail.concerns(row["patient"])


def _study(rows: Sequence[Row]) -> FoundStudy:
    first = rows[0]
    return FoundStudy(
        study=first["study_uid"],
        study_id=first["study_id"],
        patient=first["patient"],
        doubt=first["doubt"],
        patient_key=first["patient_key"],
        date=first["study_date"],
        time=first["study_time"],
        series=tuple(_series(row) for row in rows),
    )


def _series(row: Row) -> FoundSeries:
    return FoundSeries(
        study=row["study_uid"],
        series=row["series_uid"],
        modality=row["modality"],
        number=row["number"],
        instances=row["instances"],
        attributes=json.loads(row["attributes"]),
    )


def _instance(row: Row) -> FoundInstance:
    return FoundInstance(
        study=row["study_uid"],
        series=row["series_uid"],
        instance=row["sop_uid"],
        sop_class=row["sop_class"],
        number=row["number"],
        syntax=row["transfer_syntax"],
        frames=row["frames"],
        document=row["document"],
        attributes=json.loads(row["attributes"]),
        series_attributes=json.loads(row["series_attributes"]),
    )

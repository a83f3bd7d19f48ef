"""The image index: statements on `dicom_series` and `dicom_instances` of one hospital."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, asyncpg

from emr.db.connection import Connection, Row
from emr.db.tables.tenant import dicom_instances as _instances
from emr.db.tables.tenant import dicom_series as _series
from emr.imaging.matching import Matching, Span, like, name_key

_DIALECT: Final = asyncpg.dialect()  # type: ignore[no-untyped-call]
Rows = Sequence[Row]
_Condition = ColumnElement[bool]

_METADATA: Final = "SELECT sop_uid, metadata FROM dicom_instances WHERE sop_uid = ANY($1)"
_ADDED: Final = "INSERT 0 1"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' ' || $1, 11112))"
_DIGESTS: Final = "SELECT sop_uid, digest FROM dicom_instances WHERE sop_uid = ANY($1)"
_ADD_INSTANCE: Final = """
INSERT INTO dicom_instances (sop_uid, series_uid, sop_class, number, transfer_syntax, frames, digest, blob, size,
  attributes, metadata, picture, bulk, document)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (sop_uid) DO NOTHING
"""
_ADD_SERIES: Final = """
INSERT INTO dicom_series (series_uid, study_uid, study_id, patient, doubt, modality, number, patient_key, patient_name,
  study_date, study_time, accession, study_number, referrer, attributes, updated, instances, listed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, 0)
ON CONFLICT (series_uid) DO NOTHING
"""
_COUNT: Final = "UPDATE dicom_series SET instances = instances + $2, updated = $3 WHERE series_uid = $1"
_LISTED: Final = "UPDATE dicom_series SET listed = instances WHERE study_uid = $1 AND listed <> instances"
_UNLISTED: Final = "SELECT DISTINCT study_uid FROM dicom_series WHERE listed <> instances LIMIT 1000"
_MATCH: Final = "UPDATE dicom_series SET patient = $2, doubt = NULL WHERE study_uid = $1"


@dataclass(frozen=True, slots=True)
class KeptInstance:
    """What opening an instance needs. picture, bulk: as stored by `store`."""

    study: str
    series: str
    instance: str
    sop_class: str
    syntax: str
    frames: int
    blob: str
    size: int
    document: str | None
    study_id: str
    patient: str | None
    picture: dict[str, Any] | None
    bulk: dict[str, list[Any]]


async def lock_study(db: Connection, study: str) -> None:
    """Until the transaction ends nobody else in this hospital stores into the study."""
    await db.execute(_LOCK, study, name="imaging lock")


async def digests_of(db: Connection, instances: Sequence[str]) -> dict[str, bytes]:
    rows = await db.fetch(_DIGESTS, list(instances), name="imaging digests")
    return {row["sop_uid"]: row["digest"] for row in rows}


async def add_instance(db: Connection, values: Sequence[object]) -> bool:
    """`values` in the order of the columns in `_ADD_INSTANCE`. False when the UID has just been taken."""
    return await db.execute(_ADD_INSTANCE, *values, name="imaging instance") == _ADDED


async def add_series(db: Connection, values: Sequence[object]) -> bool:
    """`values` in the order of the columns in `_ADD_SERIES`. False when the UID has just been taken."""
    return await db.execute(_ADD_SERIES, *values, name="imaging series") == _ADDED


async def count_instances(db: Connection, series: str, added: int, now: datetime) -> None:
    await db.execute(_COUNT, series, added, now, name="imaging count")


async def mark_listed(db: Connection, study: str) -> None:
    """The ImagingStudy resource now speaks of every instance that is kept."""
    await db.execute(_LISTED, study, name="imaging listed")


async def unlisted_studies(db: Connection) -> list[str]:
    """Studies whose ImagingStudy resource is behind the index."""
    return [row["study_uid"] for row in await db.fetch(_UNLISTED, name="imaging unlisted")]


async def match_study(db: Connection, study: str, patient: str) -> None:
    await db.execute(_MATCH, study, patient, name="imaging match")


async def find_studies(db: Connection, matching: Matching) -> list[str]:
    """Study UIDs, newest study first."""
    rows = select(_series.c.study_uid).where(*_series_conditions(matching)).group_by(_series.c.study_uid)
    newest = rows.order_by(func.max(_series.c.study_date).desc(), _series.c.study_uid.desc())
    return [row["study_uid"] for row in await _fetch(db, newest.limit(matching.limit).offset(matching.offset))]


async def series_of(db: Connection, studies: Sequence[str]) -> Rows:
    """Every series of these studies, in the order of their numbers."""
    return await db.fetch(
        "SELECT * FROM dicom_series WHERE study_uid = ANY($1) ORDER BY study_uid, number NULLS LAST, series_uid",
        list(studies),
        name="imaging series",
    )


async def find_series(db: Connection, matching: Matching) -> Rows:
    """Rows of `dicom_series`, newest study first."""
    order = (_series.c.study_date.desc(), _series.c.study_uid.desc(), _series.c.number, _series.c.series_uid)
    found = select(_series).where(*_series_conditions(matching)).order_by(*order)
    return await _fetch(db, found.limit(matching.limit).offset(matching.offset))


async def find_instances(db: Connection, matching: Matching) -> Rows:
    """Instance rows with their series' `study_uid`, `modality` and `attributes` (as `series_attributes`)."""
    columns = (
        _instances.c.sop_uid,
        _instances.c.series_uid,
        _instances.c.sop_class,
        _instances.c.number,
        _instances.c.transfer_syntax,
        _instances.c.frames,
        _instances.c.document,
        _instances.c.attributes,
        _series.c.study_uid,
        _series.c.study_id,
        _series.c.patient,
        _series.c.modality,
        _series.c.attributes.label("series_attributes"),
    )
    joined = select(*columns).join(_series, _series.c.series_uid == _instances.c.series_uid)
    conditions = [*_series_conditions(matching), *_instance_conditions(matching)]
    order = (_instances.c.series_uid, _instances.c.number, _instances.c.sop_uid)
    return await _fetch(db, joined.where(*conditions).order_by(*order).limit(matching.limit).offset(matching.offset))


async def instances_to_open(db: Connection, matching: Matching) -> list[KeptInstance]:
    """The instances of a study, of a series or one, in the order of series and instance numbers."""
    found = (
        select(_instances, _series.c.study_uid, _series.c.study_id, _series.c.patient)
        .join(_series, _series.c.series_uid == _instances.c.series_uid)
        .where(*_series_conditions(matching), *_instance_conditions(matching))
        .order_by(_series.c.number, _series.c.series_uid, _instances.c.number, _instances.c.sop_uid)
    )
    return [_kept(row) for row in await _fetch(db, found)]


async def frame_counts(db: Connection, matching: Matching) -> list[tuple[str, int]]:
    """SOP Instance UID and number of frames, in the order of series and instance numbers."""
    found = (
        select(_instances.c.sop_uid, _instances.c.frames)
        .join(_series, _series.c.series_uid == _instances.c.series_uid)
        .where(*_series_conditions(matching), *_instance_conditions(matching))
        .order_by(_series.c.number, _series.c.series_uid, _instances.c.number, _instances.c.sop_uid)
    )
    return [(row["sop_uid"], row["frames"]) for row in await _fetch(db, found)]


async def metadata_of(db: Connection, instances: Sequence[str]) -> dict[str, bytes]:
    """By SOP Instance UID the zlib-compressed DICOM JSON."""
    rows = await db.fetch(
        "SELECT sop_uid, metadata FROM dicom_instances WHERE sop_uid = ANY($1)",
        list(instances),
        name="imaging metadata",
    )
    return {row["sop_uid"]: row["metadata"] for row in rows}


def _kept(row: Row) -> KeptInstance:
    return KeptInstance(
        study=row["study_uid"],
        series=row["series_uid"],
        instance=row["sop_uid"],
        sop_class=row["sop_class"],
        syntax=row["transfer_syntax"],
        frames=row["frames"],
        blob=row["blob"],
        size=row["size"],
        document=row["document"],
        study_id=row["study_id"],
        patient=row["patient"],
        picture=json.loads(row["picture"]) if row["picture"] else None,
        bulk=json.loads(row["bulk"]),
    )


async def _fetch(db: Connection, statement: Select[Any]) -> Rows:
    compiled = statement.compile(dialect=_DIALECT)
    names = compiled.positiontup or []
    return await db.fetch(str(compiled), *(compiled.params[name] for name in names), name="imaging find")


def _series_conditions(matching: Matching) -> list[_Condition]:
    column = _series.c
    found = [
        *_one_of(column.study_uid, matching.studies),
        *_one_of(column.series_uid, matching.series),
        *_one_of(column.patient, matching.patients),
        *_one_of(column.modality, matching.modality),
        *_text(column.patient_key, matching.patient_id),
        *_text(column.accession, matching.accession),
        *_text(column.study_number, matching.study_number),
        *_name(column.patient_name, matching.patient_name, matching),
        *_name(column.referrer, matching.referrer, matching),
        *_between(column.study_date, matching.date),
        *_between(column.study_time, matching.time),
    ]
    if matching.modalities:
        holding = select(column.study_uid).where(*_one_of(column.modality, matching.modalities))
        found.append(column.study_uid.in_(holding))
    if matching.series_number is not None:
        found.append(column.number == matching.series_number)
    if matching.unmatched:
        found.append(column.patient.is_(None))
    return found


def _instance_conditions(matching: Matching) -> list[_Condition]:
    found = [
        *_one_of(_instances.c.sop_uid, matching.instances),
        *_one_of(_instances.c.sop_class, matching.sop_classes),
    ]
    if matching.number is not None:
        found.append(_instances.c.number == matching.number)
    return found


def _one_of(column: ColumnElement[str], values: Sequence[str]) -> list[_Condition]:
    return [column == any_(literal(list(values), ARRAY(Text)))] if values else []


def _text(column: ColumnElement[str], value: str) -> list[_Condition]:
    if not value or value == "*":
        return []
    pattern = like(value)
    return [column == value if pattern is None else column.like(pattern)]


def _name(column: ColumnElement[str], value: str, matching: Matching) -> list[_Condition]:
    if not matching.fuzzy:
        return _text(column, name_key(value))
    return [column.like(f"%{like(word + '*')}") for word in name_key(value).split()]


def _between(column: ColumnElement[str], span: Span | None) -> list[_Condition]:
    if span is None:
        return []
    found = [column != ""]
    if span.low:
        found.append(column >= span.low)
    if span.high:
        found.append(column <= span.high)
    return found

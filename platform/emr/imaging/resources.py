"""The ImagingStudy of a study (FHIR R4 section 10.5): built from the index, series by series.

Instances are not listed: a study of 2,000 slices would make a resource of half a megabyte with each version. Which
instances there are is answered by QIDO-RS.
"""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from emr.db.connection import Row

_UIDS = "urn:dicom:uid"
_MODALITIES = "http://dicom.nema.org/resources/ontology/DCM"
_ACCESSION = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}


def first_value(attributes: dict[str, Any], tag: str) -> str:
    """The first value of an attribute in the DICOM JSON model as text; '' when there is none."""
    values = attributes.get(tag, {}).get("Value") or [""]
    first = values[0]
    if isinstance(first, dict):
        return str(first.get("Alphabetic", ""))
    return "" if first is None else str(first)


def imaging_study(series: Sequence[Row], zone: ZoneInfo, study_id: str | None = None) -> dict[str, Any]:
    """`series`: the rows of one study, at least one. study_id: of the resource that is being replaced."""
    first = series[0]
    attributes = json.loads(first["attributes"])
    identifiers: list[dict[str, Any]] = [{"system": _UIDS, "value": f"urn:oid:{first['study_uid']}"}]
    if first["accession"]:
        identifiers.append({"type": _ACCESSION, "value": first["accession"]})
    modalities = sorted({row["modality"] for row in series if row["modality"]})
    optional = {
        "id": study_id,
        "modality": [_modality(code) for code in modalities],
        "started": _instant(first["study_date"], first["study_time"], zone),
        "referrer": _display(first_value(attributes, "00080090").replace("^", " ").strip()),
        "description": first_value(attributes, "00081030"),
    }
    return {
        "resourceType": "ImagingStudy",
        "status": "available",
        "identifier": identifiers,
        "subject": _subject(first),
        "numberOfSeries": len(series),
        "numberOfInstances": sum(row["instances"] for row in series),
        "series": [_series(row) for row in series],
        **{name: value for name, value in optional.items() if value},
    }


def _series(row: Row) -> dict[str, Any]:
    attributes = json.loads(row["attributes"])
    body_part = first_value(attributes, "00180015")
    optional = {
        "number": row["number"] if row["number"] is not None and row["number"] >= 0 else None,
        "description": first_value(attributes, "0008103E"),
        "bodySite": {"display": body_part} if body_part else None,
    }
    return {
        "uid": row["series_uid"],
        "modality": _modality(row["modality"] or "OT"),
        "numberOfInstances": row["instances"],
        **{name: value for name, value in optional.items() if value not in (None, "")},
    }


def _modality(code: str) -> dict[str, str]:
    return {"system": _MODALITIES, "code": code}


def _subject(row: Row) -> dict[str, Any]:
    """A Patient of the record, or what the device called the patient until a human has matched the study."""
    if row["patient"]:
        return {"reference": f"Patient/{row['patient']}"}
    return {"identifier": {"value": row["patient_key"]}} if row["patient_key"] else {"display": "unmatched"}


def _display(text: str) -> dict[str, str] | None:
    return {"display": text} if text else None


def _instant(date: str, time: str, zone: ZoneInfo) -> str | None:
    if not date:
        return None
    moment = dt.datetime.strptime(date + (time or "000000"), "%Y%m%d%H%M%S").replace(tzinfo=zone)
    return moment.isoformat() if time else moment.date().isoformat()

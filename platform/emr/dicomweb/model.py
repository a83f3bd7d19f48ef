"""Answers in the DICOM JSON model (PS3.18 annex F)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from emr.imaging.actions.find import FoundInstance, FoundSeries, FoundStudy
from emr.imaging.parsed import SERIES_TAGS, STUDY_TAGS
from emr.imaging.repository import KeptInstance

Model = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredItem:
    """One instance of a store request. reason: why it was not kept; UIDs are '' where the file could not be read."""

    study: str = ""
    series: str = ""
    instance: str = ""
    sop_class: str = ""
    reason: int | None = None


def study_model(found: FoundStudy, base: str) -> Model:
    """base: the address of the hospital's DICOMweb service."""
    model = _chosen(found.attributes, STUDY_TAGS)
    model |= {
        "00080061": _value("CS", *found.modalities),
        "00201206": _value("IS", len(found.series)),
        "00201208": _value("IS", found.instances),
    }
    return _sorted(model, f"{base}/studies/{found.study}")


def series_model(found: FoundSeries, base: str) -> Model:
    model = _chosen(found.attributes, (*STUDY_TAGS, *SERIES_TAGS))
    model["00201209"] = _value("IS", found.instances)
    return _sorted(model, f"{base}/studies/{found.study}/series/{found.series}")


def instance_model(found: FoundInstance, base: str) -> Model:
    model = _chosen(found.series_attributes, (*STUDY_TAGS, *SERIES_TAGS)) | found.attributes
    model["00083002"] = _value("UI", found.syntax)
    return _sorted(model, f"{base}/studies/{found.study}/series/{found.series}/instances/{found.instance}")


def metadata_model(kept: KeptInstance, whole: Model, base: str) -> Model:
    """The whole model with the addresses of what it leaves out."""
    place = f"{base}/studies/{kept.study}/series/{kept.series}/instances/{kept.instance}"
    model = dict(whole)
    for tag, (vr, _, _) in kept.bulk.items():
        model[tag] = {"vr": vr, "BulkDataURI": f"{place}/bulkdata/{tag}"}
    if kept.picture is not None:
        vr = "OW" if kept.picture["pixels"]["allocated"] > 8 else "OB"
        model["7FE00010"] = {"vr": vr, "BulkDataURI": f"{place}/frames"}
    model["00083002"] = _value("UI", kept.syntax)
    return dict(sorted(model.items()))


def _chosen(attributes: Model, tags: Iterable[str]) -> Model:
    return {tag: attributes[tag] for tag in tags if tag in attributes}


def _sorted(model: Model, address: str) -> Model:
    model |= {
        "00080005": _value("CS", "ISO_IR 192"),
        "00080056": _value("CS", "ONLINE"),
        "00081190": _value("UR", address),
    }
    return dict(sorted(model.items()))


def _value(vr: str, *values: Any) -> Model:
    return {"vr": vr, "Value": list(values)}


def store_model(outcomes: Iterable[StoredItem], base: str, study: str | None) -> Model:
    """The Store Instances Response (PS3.18 annex I)."""
    kept, failed = [], []
    for item in outcomes:
        reference = {"00081150": _value("UI", item.sop_class), "00081155": _value("UI", item.instance)}
        if item.reason is None:
            place = f"{base}/studies/{item.study}/series/{item.series}/instances/{item.instance}"
            kept.append(reference | {"00081190": _value("UR", place)})
        else:
            known = reference if item.instance else {}
            failed.append(known | {"00081197": _value("US", item.reason)})
    model: Model = {}
    if study:
        model["00081190"] = _value("UR", f"{base}/studies/{study}")
    if failed:
        model["00081198"] = _value("SQ", *failed)
    if kept:
        model["00081199"] = _value("SQ", *kept)
    return model

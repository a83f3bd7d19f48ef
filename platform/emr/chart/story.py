"""View models of what happened: encounters on a timeline, notes, images. Pure."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from emr.chart.care import without_tag
from emr.web.i18n import mark
from emr.web.moments import has_time, local, shown
from emr.web.patient import concept

Resource = Mapping[str, Any]

NOTE_TYPES = {"11506-3", "34117-2", "34109-9", "51847-2"}
"""LOINC: progress note, history and physical, note, evaluation and plan note."""
_CLASSES = {
    "AMB": (mark("Khám ngoại trú"), "ambulatory"),
    "IMP": (mark("Nội trú"), "inpatient"),
    "ACUTE": (mark("Nội trú"), "inpatient"),
    "EMER": (mark("Cấp cứu"), "emergency"),
    "OBSENC": (mark("Theo dõi"), "inpatient"),
    "SS": (mark("Lưu trong ngày"), "inpatient"),
    "HH": (mark("Tại nhà"), "ambulatory"),
    "VR": (mark("Khám từ xa"), "ambulatory"),
}
_STATES = {
    "in-progress": mark("đang khám"),
    "arrived": mark("đã đến"),
    "triaged": mark("đã phân loại"),
    "onleave": mark("tạm vắng"),
    "planned": mark("hẹn"),
}
EXCERPT = 420


@dataclass(frozen=True)
class VisitRow:
    """One encounter. begins_year: the year to say above it, where it changes. days: of an inpatient stay."""

    id: str
    kind: str
    shape: str
    state: str
    when: str
    reason: str
    who: str
    days: int | None
    year: int
    begins_year: bool = False


@dataclass(frozen=True)
class NoteRow:
    """One note, with its first lines; text is empty when the words lie elsewhere."""

    id: str
    title: str
    when: datetime | None
    who: str
    text: str

    @property
    def excerpt(self) -> str:
        """The beginning."""
        return self.text if len(self.text) <= EXCERPT else self.text[:EXCERPT].rsplit(" ", 1)[0] + " …"


@dataclass(frozen=True)
class StudyRow:
    """One imaging study. uid: its DICOM UID; series_uid: the first series, for a thumbnail; images: how many."""

    id: str
    title: str
    when: str
    modality: str
    uid: str
    images: int


def visits(encounters: Iterable[Resource], zone: ZoneInfo) -> list[VisitRow]:
    """Encounters, newest first, the year said where it changes."""
    kept = [item for item in encounters if item.get("status") not in ("entered-in-error", "cancelled")]
    kept.sort(key=lambda item: str(item.get("period", {}).get("start", "")), reverse=True)
    rows: list[VisitRow] = []
    for item in kept:
        row = _visit(item, zone)
        changed = not rows or rows[-1].year != row.year
        rows.append(VisitRow(**{**row.__dict__, "begins_year": changed}))
    return rows


def _visit(item: Resource, zone: ZoneInfo) -> VisitRow:
    period = item.get("period", {})
    start, end = local(period.get("start"), zone), local(period.get("end"), zone)
    kind, shape = _CLASSES.get((item.get("class") or {}).get("code", ""), (mark("Lượt khám"), "ambulatory"))
    stay = (end.date() - start.date()).days + 1 if start and end and shape == "inpatient" else None
    said = next((concept(reason) for reason in item.get("reasonCode", ()) if concept(reason)), "")
    types = next((concept(what) for what in item.get("type", ()) if concept(what)), "")
    return VisitRow(
        id=str(item.get("id", "")),
        kind=kind,
        shape=shape,
        state=_STATES.get(item.get("status", ""), ""),
        when=start.strftime("%d/%m") if start else "",
        reason=without_tag(said or types),
        who=_who(item.get("participant", ()), "individual"),
        days=stay,
        year=start.year if start else 0,
    )


def _who(items: Sequence[Resource], name: str) -> str:
    return next((str(item[name]["display"]) for item in items if item.get(name, {}).get("display")), "")


def is_note(document: Resource) -> bool:
    """Whether a DocumentReference is a note whose words stand in the record itself."""
    codes = {coding.get("code") for coding in document.get("type", {}).get("coding", ())}
    return bool(codes & NOTE_TYPES) and any(
        str(part.get("attachment", {}).get("contentType", "")).startswith("text/plain")
        for part in document.get("content", ())
    )


def notes(documents: Iterable[Resource], zone: ZoneInfo) -> list[NoteRow]:
    """Notes, newest first."""
    found = [_note(item, zone) for item in documents if _counts(item) and is_note(item)]
    return sorted(found, key=lambda row: row.when.timestamp() if row.when else 0, reverse=True)


def _counts(document: Resource) -> bool:
    return document.get("status") == "current" and document.get("docStatus") != "entered-in-error"


def _note(item: Resource, zone: ZoneInfo) -> NoteRow:
    return NoteRow(
        id=str(item.get("id", "")),
        title=str(item.get("description") or concept(item.get("type"))),
        when=local(item.get("date"), zone),
        who=next((str(author.get("display", "")) for author in item.get("author", ()) if author.get("display")), ""),
        text=note_text(item),
    )


def note_text(document: Resource) -> str:
    """The words of an inline text attachment; empty when there are none or they are not UTF-8."""
    for part in document.get("content", ()):
        attachment = part.get("attachment", {})
        if str(attachment.get("contentType", "")).startswith("text/plain") and "data" in attachment:
            try:
                return base64.b64decode(attachment["data"], validate=True).decode("utf-8")
            except (binascii.Error, UnicodeDecodeError):
                return ""
    return ""


def studies(items: Iterable[Resource], zone: ZoneInfo) -> list[StudyRow]:
    """Imaging studies, newest first."""
    kept = [item for item in items if item.get("status") != "entered-in-error"]
    kept.sort(key=lambda item: str(item.get("started", "")), reverse=True)
    return [_study(item, zone) for item in kept]


def _study(item: Resource, zone: ZoneInfo) -> StudyRow:
    uids = [str(own.get("value", "")) for own in item.get("identifier", ()) if own.get("system") == "urn:dicom:uid"]
    procedures = [concept(what) for what in item.get("procedureCode", ())]
    series = item.get("series", ())
    body = next((str(one["bodySite"].get("display", "")) for one in series if one.get("bodySite")), "")
    modality = next((str(kind.get("code", "")) for kind in item.get("modality", ())), "")
    modality = modality or next((str(one.get("modality", {}).get("code", "")) for one in series), "")
    counted = item.get("numberOfInstances") or sum(int(one.get("numberOfInstances") or 0) for one in series)
    return StudyRow(
        id=str(item.get("id", "")),
        title=without_tag(str(item.get("description") or next(iter([*procedures, body]), "") or modality)),
        when=shown(str(item.get("started", ""))[:10], zone),
        modality=modality,
        uid=next(iter(uids), "").removeprefix("urn:oid:"),
        images=int(counted),
    )


def says_time(value: object, zone: ZoneInfo) -> str:
    """dd/mm/yyyy with the time of day where one was recorded."""
    moment = local(value, zone)
    if moment is None:
        return ""
    return moment.strftime("%d/%m/%Y %H:%M") if has_time(value) else shown(value, zone)

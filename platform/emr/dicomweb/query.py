"""QIDO-RS query strings as `Matching` (PS3.18 section 8.3.4). What is not understood is refused, never ignored."""

import dataclasses
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from emr.imaging.facts import is_uid
from emr.imaging.matching import MAX_RESULTS, Matching, Span
from emr.kernel.errors import Malformed

_TAGS: Final = {
    "00080016": "SOPClassUID",
    "00080018": "SOPInstanceUID",
    "00080020": "StudyDate",
    "00080030": "StudyTime",
    "00080050": "AccessionNumber",
    "00080060": "Modality",
    "00080061": "ModalitiesInStudy",
    "00080090": "ReferringPhysicianName",
    "00100010": "PatientName",
    "00100020": "PatientID",
    "0020000D": "StudyInstanceUID",
    "0020000E": "SeriesInstanceUID",
    "00200010": "StudyID",
    "00200011": "SeriesNumber",
    "00200013": "InstanceNumber",
}
_STUDY: Final = frozenset(
    {"StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "ReferringPhysicianName"}
    | {"PatientName", "PatientID", "StudyInstanceUID", "StudyID"}
)
_SERIES: Final = _STUDY | {"Modality", "SeriesInstanceUID", "SeriesNumber"}
_INSTANCE: Final = _SERIES | {"SOPClassUID", "SOPInstanceUID", "InstanceNumber"}
KEYS: Final = {"study": _STUDY, "series": _SERIES, "instance": _INSTANCE}
"""The attributes that may be matched at each level."""

_LONGEST: Final = 2000


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A search at one level. fields: tags that `includefield` asks for; `all` when it asks for everything."""

    matching: Matching
    fields: frozenset[str]


def read_query(level: str, pairs: Iterable[tuple[str, str]]) -> Query:
    """Raises Malformed naming the parameter, never its value."""
    found: dict[str, Any] = {"limit": MAX_RESULTS}
    fields: set[str] = set()
    for name, value in pairs:
        if len(value) > _LONGEST or not value.isprintable():
            raise _refused(name, "is too long or holds characters that no value has")
        if name == "includefield":
            fields.update(_field(name, one) for one in value.split(","))
            continue
        key = _TAGS.get(name.upper(), name)
        if key not in _READERS or (key in _TAGS.values() and key not in KEYS[level]):
            raise _refused(name, f"is not understood for searches at {level} level")
        target, read = _READERS[key]
        if target in found and target != "limit":
            raise _refused(name, "comes twice")
        found[target] = read(name, value)
    return Query(Matching(**found), frozenset(fields))


def _refused(name: str, why: str) -> Malformed:
    shown = name if re.fullmatch(r"[A-Za-z0-9.]{1,64}", name) else "a parameter"
    return Malformed("qido-parameter", f"{shown} {why}", location=shown)


def _field(name: str, value: str) -> str:
    if value == "all" or re.fullmatch(r"[0-9A-Fa-f]{8}|[A-Z][A-Za-z0-9]{1,63}", value):
        return value
    raise _refused(name, "names no attribute")


def _text(_name: str, value: str) -> str:
    return value.strip()


def _uids(name: str, value: str) -> tuple[str, ...]:
    uids = tuple(one for one in re.split(r"[,\\]", value.strip()) if one)
    if not all(is_uid(one) for one in uids):
        raise _refused(name, "holds something that is not a UID")
    return uids


def _codes(_name: str, value: str) -> tuple[str, ...]:
    return tuple(one.strip().upper() for one in re.split(r"[,\\]", value) if one.strip())


def _number(name: str, value: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", value.strip()):
        raise _refused(name, "is not a whole number")
    return int(value)


def _count(name: str, value: str) -> int:
    number = _number(name, value)
    if number < 0:
        raise _refused(name, "is negative")
    return number


def _limit(name: str, value: str) -> int:
    return min(_count(name, value), MAX_RESULTS)


def _switch(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise _refused(name, "is neither true nor false")
    return value == "true"


def _dates(name: str, value: str) -> Span | None:
    return _span(name, value, r"[0-9]{8}", (8, "0", "0"))


def _times(name: str, value: str) -> Span | None:
    return _span(name, re.sub(r"\.[0-9]+", "", value), r"([0-9]{2}){1,3}", (6, "0", "9"))


def _span(name: str, value: str, form: str, pad: tuple[int, str, str]) -> Span | None:
    low, dash, high = value.strip().partition("-")
    high = high if dash else low
    if not low and not high:
        return None
    if any(end and not re.fullmatch(form, end) for end in (low, high)):
        raise _refused(name, "is not a date, a time or a range of them")
    width, first, last = pad
    return Span(low.ljust(width, first) if low else "", high.ljust(width, last) if high else "")


_READERS: Final[dict[str, tuple[str, Callable[[str, str], Any]]]] = {
    "limit": ("limit", _limit),
    "offset": ("offset", _count),
    "fuzzymatching": ("fuzzy", _switch),
    "StudyInstanceUID": ("studies", _uids),
    "SeriesInstanceUID": ("series", _uids),
    "SOPInstanceUID": ("instances", _uids),
    "SOPClassUID": ("sop_classes", _uids),
    "PatientID": ("patient_id", _text),
    "PatientName": ("patient_name", _text),
    "AccessionNumber": ("accession", _text),
    "StudyID": ("study_number", _text),
    "ReferringPhysicianName": ("referrer", _text),
    "StudyDate": ("date", _dates),
    "StudyTime": ("time", _times),
    "ModalitiesInStudy": ("modalities", _codes),
    "Modality": ("modality", _codes),
    "SeriesNumber": ("series_number", _number),
    "InstanceNumber": ("number", _number),
}

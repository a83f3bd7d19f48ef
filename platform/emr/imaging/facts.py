"""What the index keeps of an instance, in DICOM's own terms (PS3.3 annex C); `attributes` reads it from a header."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Identity:
    """The four UIDs that every stored instance has: at most 64 characters, digits and dots (PS3.5 section 9)."""

    study: str
    series: str
    instance: str
    sop_class: str


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """Patient and study level, as written by the device. Dates are None when absent or unreadable."""

    patient_id: str
    patient_name: str
    birth_date: dt.date | None
    sex: str
    date: dt.date | None
    time: dt.time | None
    accession: str
    description: str
    study_id: str
    referrer: str


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    modality: str
    number: int | None
    description: str
    body_part: str
    started: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the index keeps as columns, of one instance."""

    identity: Identity
    study: StudyFacts
    series: SeriesFacts
    number: int | None
    frames: int


def is_uid(text: str) -> bool:
    """Whether a text is a UID (PS3.5 section 9)."""
    return 0 < len(text) <= 64 and _UID.fullmatch(text) is not None

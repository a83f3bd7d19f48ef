"""What to look for in the image index, at any level (PS3.4 annex C.2.2.2; PS3.18 section 10.6)."""

from dataclasses import dataclass

from emr.kernel.text import fold

MAX_RESULTS = 5000


@dataclass(frozen=True, slots=True)
class Span:
    """An inclusive range of DICOM dates or times as written; an empty end is open."""

    low: str = ""
    high: str = ""


@dataclass(frozen=True, slots=True)
class Matching:
    """Keys that are None or empty match everything. Texts may hold the wildcards `*` and `?`.

    Names are compared without accents and case. patients: ids of Patient resources. modalities: studies that hold one
    of them; modality: series that are of one of them.
    """

    studies: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    patient_id: str = ""
    patient_name: str = ""
    accession: str = ""
    study_number: str = ""
    referrer: str = ""
    date: Span | None = None
    time: Span | None = None
    modalities: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    series_number: int | None = None
    sop_classes: tuple[str, ...] = ()
    number: int | None = None
    unmatched: bool = False
    fuzzy: bool = False
    limit: int = MAX_RESULTS
    offset: int = 0


def name_key(name: str) -> str:
    """A person's name as the index keeps it: folded, the components of PS3.5 section 6.2.1 parted by one space."""
    return fold(name.replace("^", " ").replace("=", " "))


def like(pattern: str) -> str | None:
    """A LIKE pattern (its escape is the backslash) for DICOM wildcards; None when equality will do."""
    if "*" not in pattern and "?" not in pattern:
        return None
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")

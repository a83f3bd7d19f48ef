"""What the archive keeps of a file that has come in. `parse` reads it, in a process apart or in that of devices.

Nothing here needs the library that reads DICOM, which would take 45 MiB of each process that loads it.
"""

import base64
import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emr.imaging.facts import Facts, Identity, SeriesFacts, StudyFacts
from emr.imaging.picture import Picture, picture_from_json

STUDY_TAGS = (
    *("00080020", "00080030", "00080050", "00080090", "00080201", "00081030"),
    *("00100010", "00100020", "00100021", "00100030", "00100040", "0020000D", "00200010"),
)
SERIES_TAGS = (
    *("00080021", "00080031", "00080060", "00080070", "00081010", "0008103E", "00180015"),
    *("0020000E", "00200011", "00200060", "00400244", "00400245"),
)
INSTANCE_TAGS = (
    *("00080008", "00080016", "00080018", "00080023", "00080033", "00200013", "00280008", "00280010", "00280011"),
    *("00280100", "00420010"),
)
"""What QIDO-RS answers at each level beside what is counted (PS3.18 section 10.6.3)."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """A value that is served from where it lies and never loaded: offset and length in bytes from the file's start."""

    tag: int
    vr: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """digest: SHA-256 (hex) of the transfer syntax and the dataset, without the file meta information, which each
    carrier writes anew. metadata: the DICOM JSON model (PS3.18 annex F) without bulk data, as zlib-compressed UTF-8.
    series_attributes, instance_attributes: what searches answer, in the same model.
    """

    facts: Facts
    syntax: str
    digest: str
    size: int
    picture: Picture | None
    bulk: tuple[Bulk, ...]
    metadata: bytes
    series_attributes: dict[str, Any]
    instance_attributes: dict[str, Any]
    document: str | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"metadata": base64.b64encode(self.metadata).decode("ascii")}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that has come in and been read."""

    path: Path
    parsed: Parsed


def parsed_from_json(kept: Mapping[str, Any]) -> Parsed:
    """The inverse of `as_json`, after dates have become texts."""
    facts = kept["facts"]
    study, series = facts["study"], facts["series"]
    return Parsed(
        facts=Facts(
            identity=Identity(**facts["identity"]),
            study=StudyFacts(
                **study
                | {"birth_date": _moment(dt.date, study["birth_date"])}
                | {"date": _moment(dt.date, study["date"]), "time": _moment(dt.time, study["time"])}
            ),
            series=SeriesFacts(**series | {"started": _moment(dt.datetime, series["started"])}),
            number=facts["number"],
            frames=facts["frames"],
        ),
        syntax=kept["syntax"],
        digest=kept["digest"],
        size=kept["size"],
        picture=picture_from_json(kept["picture"]) if kept["picture"] else None,
        bulk=tuple(Bulk(**each) for each in kept["bulk"]),
        metadata=base64.b64decode(kept["metadata"]),
        series_attributes=kept["series_attributes"],
        instance_attributes=kept["instance_attributes"],
        document=kept["document"],
    )


def _moment(kind: type[dt.date] | type[dt.time], text: str | None) -> Any:
    return None if text is None else kind.fromisoformat(text)

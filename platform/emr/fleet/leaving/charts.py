"""Each patient's chart in short, for the reader: lines under a few headings, gathered and put in order on disk."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from emr.definitions.compartment import patients_of
from emr.fleet.leaving.layout import WORKING
from emr.fleet.leaving.words import codes, concept, day, identifiers, names, result, text, values
from emr.kernel.text import fold

Json = dict[str, Any]

_MAKE: Final = """
CREATE TABLE patients (id TEXT PRIMARY KEY, name TEXT, folded TEXT, gender TEXT, born TEXT, codes TEXT);
CREATE TABLE lines (patient TEXT, kind TEXT, day TEXT, line TEXT);
CREATE TABLE contents (name TEXT PRIMARY KEY, path TEXT);
CREATE TABLE images (study TEXT, path TEXT, place TEXT);
"""
_INDEX: Final = "CREATE INDEX lines_patient ON lines (patient, kind, day DESC)"
_INDEX_IMAGES: Final = "CREATE INDEX images_study ON images (study, place)"
_PATIENT: Final = "INSERT OR REPLACE INTO patients VALUES (?, ?, ?, ?, ?, ?)"
_LINE: Final = "INSERT INTO lines VALUES (?, ?, ?, ?)"
_CONTENT: Final = "INSERT OR REPLACE INTO contents VALUES (?, ?)"
_IMAGE: Final = "INSERT INTO images VALUES (?, ?, ?)"
_FIND_CONTENT: Final = "SELECT path FROM contents WHERE name = ?"
_FIND_IMAGES: Final = "SELECT path FROM images WHERE study = ? ORDER BY place"
_PATIENTS: Final = "SELECT id, name, folded, gender, born, codes FROM patients ORDER BY id"
_LINES: Final = "SELECT kind, line FROM lines WHERE patient = ? ORDER BY kind, day DESC"
_SHOWN: Final = 1000
"""Lines of one heading that the reader shows of one patient; all of them are in the tables and in the FHIR files."""


class _Kind(NamedTuple):
    """A heading of the chart: the day of a line, its words, and what stands beside them."""

    heading: str
    day: Callable[[Json], str]
    said: Callable[[Json], str]
    beside: Callable[[Json], str]


_KINDS: Final[dict[str, _Kind]] = {
    "AllergyIntolerance": _Kind("allergies", text("recordedDate"), concept("code"), text("criticality")),
    "Condition": _Kind("conditions", text("onsetDateTime", "recordedDate"), concept("code"), codes("code")),
    "MedicationRequest": _Kind(
        "medicines", text("authoredOn"), concept("medicationCodeableConcept"), text("dosageInstruction.text")
    ),
    "Encounter": _Kind("encounters", text("period.start"), concept("reasonCode"), text("class.display", "class.code")),
    "Observation": _Kind(
        "results", text("effectiveDateTime", "effectivePeriod.start", "issued"), concept("code"), result
    ),
    "Procedure": _Kind(
        "procedures", text("performedDateTime", "performedPeriod.start"), concept("code"), codes("code")
    ),
    "Immunization": _Kind("immunizations", text("occurrenceDateTime"), concept("vaccineCode"), text("lotNumber")),
    "DiagnosticReport": _Kind("reports", text("effectiveDateTime", "issued"), concept("code"), text("conclusion")),
    "Composition": _Kind("notes", text("date"), text("title"), concept("type")),
}


class Charts:
    """The lines of all charts in a file of their own; memory does not grow with them."""

    def __init__(self, root: Path) -> None:
        self._path = root / WORKING
        self._path.unlink(missing_ok=True)
        self._store = sqlite3.connect(self._path, isolation_level=None)
        for pragma in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -16000"):
            self._store.execute(pragma)
        self._store.executescript(_MAKE)
        self._store.execute("BEGIN")

    def content(self, name: str, path: str) -> None:
        """Where the bytes of an object lie."""
        self._store.execute(_CONTENT, (name, path))

    def image(self, study: str, path: str, place: str) -> None:
        """One image of a study, by the id of the ImagingStudy; `place` sorts it."""
        self._store.execute(_IMAGE, (study, path, place))

    def path_of(self, name: str) -> str | None:
        """Where the bytes of an object lie, if they are here."""
        row = self._store.execute(_FIND_CONTENT, (name,)).fetchone()
        return row[0] if row else None

    def images_done(self) -> None:
        """All images were told."""
        self._store.execute(_INDEX_IMAGES)

    def add(self, resource: Json) -> None:
        """A resource's line in the charts of its patients."""
        kind = resource["resourceType"]
        if kind == "Patient":
            self._patient(resource)
            return
        told = self._told(kind, resource)
        if told is not None:
            heading, when, line = told
            packed = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
            for patient in patients_of(kind, resource):
                self._store.execute(_LINE, (patient, heading, when, packed))

    def _patient(self, resource: Json) -> None:
        name, known = names()(resource), identifiers(resource)
        row = resource["id"], name, fold(name), resource.get("gender", ""), resource.get("birthDate", ""), known
        self._store.execute(_PATIENT, row)

    def _told(self, kind: str, resource: Json) -> tuple[str, str, list[Any]] | None:
        if kind == "DocumentReference":
            when = text("date")(resource)
            said = text("description", "content.attachment.title")(resource) or concept("type")(resource)
            urls = [str(each) for each in values(resource, "content.attachment.url")]
            paths = [self.path_of(each.removeprefix("Binary/")) for each in urls if each.startswith("Binary/")]
            return "documents", when, [day(when), said, concept("type")(resource), [each for each in paths if each]]
        if kind == "ImagingStudy":
            when = text("started")(resource)
            paths = [row[0] for row in self._store.execute(_FIND_IMAGES, (resource["id"],))]
            said = text("description")(resource) or text("modality.code")(resource)
            return "images", when, [day(when), said, text("modality.code")(resource), paths]
        if kind not in _KINDS:
            return None
        of = _KINDS[kind]
        when = of.day(resource)
        return of.heading, when, [day(when), of.said(resource), of.beside(resource)]

    def patients(self) -> Iterator[tuple[list[str], dict[str, list[Any]]]]:
        """Each patient (id, name, folded name, gender, day of birth, numbers) with the lines of the chart."""
        self._store.execute("COMMIT")
        self._store.execute(_INDEX)
        for row in self._store.execute(_PATIENTS):
            chart: dict[str, list[Any]] = {}
            for heading, line in self._store.execute(_LINES, (row[0],)):
                lines = chart.setdefault(heading, [])
                if len(lines) < _SHOWN:
                    lines.append(json.loads(line))
            yield list(row), chart

    def close(self) -> None:
        """Forget the file."""
        self._store.close()
        self._path.unlink(missing_ok=True)

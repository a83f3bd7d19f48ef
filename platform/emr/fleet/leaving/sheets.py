"""Tables for a spreadsheet: what a director opens first. UTF-8 with a byte-order mark, commas, one line a resource.

A cell that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV injection); a plain number
stays a number.
"""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TextIO

from emr.fleet.leaving.layout import FileFact
from emr.fleet.leaving.shelf import fact_of
from emr.fleet.leaving.words import Column, address, codes, concept, identifiers, names, result, target, text

Json = dict[str, Any]
ROWS: Final = 1_000_000
"""A spreadsheet takes 1,048,576 rows; what is more goes on in the next file."""
_NUMBER: Final = re.compile(r"[+-]?\d{1,15}([.,]\d{1,15})?")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


class Sheet(NamedTuple):
    """A table: its file, and for each column its heading and where its text comes from."""

    file: str
    columns: Sequence[tuple[str, Column]]


_ID: Final[tuple[str, Column]] = ("Mã", text("id"))
_PATIENT: Final[tuple[str, Column]] = ("Mã người bệnh", target("subject"))
_PATIENT_TOO: Final[tuple[str, Column]] = ("Mã người bệnh", target("patient"))
_ENCOUNTER: Final[tuple[str, Column]] = ("Mã lượt khám", target("encounter"))
_STATUS: Final[tuple[str, Column]] = ("Trạng thái", text("status"))

SHEETS: Final[dict[str, Sheet]] = {
    "Patient": Sheet("patients", (
        _ID, ("Họ tên", names()), ("Giới tính", text("gender")), ("Ngày sinh", text("birthDate")),
        ("Các mã số", identifiers), ("Điện thoại", text("telecom.value")), ("Địa chỉ", address),
        ("Đã mất", text("deceasedDateTime")),
    )),
    "Encounter": Sheet("encounters", (
        _ID, _PATIENT, ("Loại", text("class.display", "class.code")), _STATUS, ("Bắt đầu", text("period.start")),
        ("Kết thúc", text("period.end")), ("Lý do", concept("reasonCode")), ("Khoa", text("location.location.display")),
        ("Người khám", text("participant.individual.display")),
    )),
    "Observation": Sheet("results", (
        _ID, _PATIENT, _ENCOUNTER, ("Lúc", text("effectiveDateTime", "effectivePeriod.start", "issued")),
        ("Mã xét nghiệm", codes("code")), ("Tên", concept("code")), ("Kết quả", result),
        ("Nhận định", concept("interpretation")), _STATUS,
    )),
    "Condition": Sheet("conditions", (
        _ID, _PATIENT, _ENCOUNTER, ("Mã bệnh", codes("code")), ("Tên bệnh", concept("code")),
        ("Tình trạng", concept("clinicalStatus")), ("Bắt đầu", text("onsetDateTime")),
        ("Ghi nhận", text("recordedDate")),
    )),
    "AllergyIntolerance": Sheet("allergies", (
        _ID, _PATIENT_TOO, ("Tác nhân", concept("code")), ("Mức nguy cơ", text("criticality")),
        ("Biểu hiện", concept("reaction.manifestation")), ("Ghi nhận", text("recordedDate")),
    )),
    "MedicationRequest": Sheet("prescriptions", (
        _ID, _PATIENT, _ENCOUNTER, ("Ngày kê", text("authoredOn")), ("Thuốc", concept("medicationCodeableConcept")),
        ("Cách dùng", text("dosageInstruction.text")), _STATUS, ("Người kê", text("requester.display")),
    )),
    "Procedure": Sheet("procedures", (
        _ID, _PATIENT, _ENCOUNTER, ("Lúc", text("performedDateTime", "performedPeriod.start")), ("Mã", codes("code")),
        ("Thủ thuật", concept("code")), _STATUS,
    )),
    "Immunization": Sheet("immunizations", (
        _ID, _PATIENT_TOO, ("Ngày", text("occurrenceDateTime")), ("Vắc xin", concept("vaccineCode")),
        ("Số lô", text("lotNumber")), _STATUS,
    )),
    "DiagnosticReport": Sheet("reports", (
        _ID, _PATIENT, _ENCOUNTER, ("Lúc", text("effectiveDateTime", "issued")), ("Tên", concept("code")),
        ("Kết luận", text("conclusion")), _STATUS,
    )),
    "DocumentReference": Sheet("documents", (
        _ID, _PATIENT, ("Ngày", text("date")), ("Loại", concept("type")), ("Tiêu đề", text("content.attachment.title")),
        ("Tệp", text("content.attachment.url")), _STATUS,
    )),
    "ImagingStudy": Sheet("imaging", (
        _ID, _PATIENT, ("Bắt đầu", text("started")), ("Loại máy", text("modality.code")),
        ("Mô tả", text("description")),
        ("Số chuỗi", text("numberOfSeries")), ("Số ảnh", text("numberOfInstances")),
    )),
    "ServiceRequest": Sheet("orders", (
        _ID, _PATIENT, _ENCOUNTER, ("Lúc", text("authoredOn")), ("Chỉ định", concept("code")), _STATUS,
    )),
    "Practitioner": Sheet("practitioners", (_ID, ("Họ tên", names()), ("Các mã số", identifiers))),
}  # fmt: skip
"""By type of resource. Others have no table: their lines are in `fhir/current`."""


class Sheets:
    """The tables of a package, begun anew."""

    def __init__(self, root: Path, folded: int = ROWS) -> None:
        self._root, self._folded = root, folded
        self._open: dict[str, tuple[str, TextIO, Any]] = {}
        self._rows: dict[str, int] = {}
        self._full: list[FileFact] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_why: object) -> None:
        """Let go of what was cut off."""
        for _, file, _ in self._open.values():
            file.close()

    def add(self, resource: Json) -> None:
        """One row, when there is a table for its type."""
        sheet = SHEETS.get(str(resource.get("resourceType")))
        if sheet is not None:
            self.row(sheet, [of(resource) for _, of in sheet.columns])

    def row(self, sheet: Sheet, cells: Sequence[str]) -> None:
        """One row of any table."""
        if self._rows.get(sheet.file, 0) and self._rows[sheet.file] % self._folded == 0:
            self._end(sheet.file)
        if sheet.file not in self._open:
            self._begin(sheet)
        self._open[sheet.file][2].writerow([guarded(cell) for cell in cells])
        self._rows[sheet.file] = self._rows.get(sheet.file, 0) + 1

    def close(self) -> list[FileFact]:
        """Every table with its digest."""
        for name in list(self._open):
            self._end(name)
        return self._full

    def _begin(self, sheet: Sheet) -> None:
        number = self._rows.get(sheet.file, 0) // self._folded + 1
        path = f"csv/{sheet.file}.csv" if number == 1 else f"csv/{sheet.file}-{number}.csv"
        place = self._root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        file = io.TextIOWrapper(place.open("wb"), "utf-8-sig", newline="")
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([heading for heading, _ in sheet.columns])
        self._open[sheet.file] = path, file, writer

    def _end(self, name: str) -> None:
        path, file, _ = self._open.pop(name)
        file.close()
        rows = self._rows[name] % self._folded or self._folded
        self._full.append(fact_of(self._root, path, rows + 1))


def guarded(cell: str) -> str:
    """The cell as no spreadsheet takes it for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell

"""Views of documents for other pages: the chart's card, a patient's list. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.documents.kinds import KINDS
from emr.documents.resources import DocumentSummary, summary
from emr.documents.service import RETRACTED
from emr.web.i18n import Said, mark
from emr.web.moments import shown

_KIB: Final = 1024
_FORMS: Final = {"application/pdf": "PDF", "image/jpeg": "JPEG", "image/png": "PNG", "image/tiff": "TIFF"}


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One document in a list: `path` and `picture` are below the hospital; `picture` is "" when there is none."""

    id: str
    title: str
    kind: str
    day: str
    author: str
    form: str
    size: Said | None
    pages: Said | None
    path: str
    picture: str


def document_rows(resources: Iterable[Mapping[str, Any]], zone: ZoneInfo) -> tuple[DocumentRow, ...]:
    """Rows from DocumentReference resources in their order; those taken back are left out."""
    return tuple(row_of(summary(each), zone) for each in resources if each.get("status") != RETRACTED)


def row_of(document: DocumentSummary, zone: ZoneInfo) -> DocumentRow:
    """One row."""
    path = f"/documents/{document.id}"
    return DocumentRow(
        id=document.id,
        title=document.title or mark("Tài liệu không tên"),
        kind=document.kind if document.kind != document.title else "",
        day=shown(document.day, zone),
        author=document.author,
        form=_FORMS.get(document.media_type, ""),
        size=_size(document.size),
        pages=Said(mark("{n} trang"), {"n": document.pages}) if document.pages else None,
        path=path,
        picture=f"{path}/pages/1?size=small" if document.media_type in KINDS else "",
    )


def _size(size: int) -> Said | None:
    if not size:
        return None
    if size < _KIB * _KIB:
        return Said(mark("{n} KB"), {"n": max(1, round(size / _KIB))})
    return Said(mark("{n} MB"), {"n": f"{size / _KIB / _KIB:.1f}".replace(".", ",")})

"""What a file is by its first and last bytes; what it is called or said to be is only compared with that. Pure."""

from dataclasses import dataclass
from typing import Final

from emr.documents.errors import DocumentDamaged, DocumentUnsupported, EmptyFile

HEAD_BYTES: Final = 16
TAIL_BYTES: Final = 66_000
_ZIP_END: Final = b"PK\x05\x06"
_ZIP_END_BYTES: Final = 22
_UNSAID: Final = frozenset({"", "application/octet-stream"})
_ALSO: Final = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/tif": "image/tiff",
    "image/x-png": "image/png",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file that is taken: its media type, the name that Pillow has for it (None: a PDF), its file ending."""

    media_type: str
    pillow: str | None
    ending: str


PDF: Final = Kind("application/pdf", None, "pdf")
JPEG: Final = Kind("image/jpeg", "JPEG", "jpg")
PNG: Final = Kind("image/png", "PNG", "png")
TIFF: Final = Kind("image/tiff", "TIFF", "tif")
KINDS: Final = {kind.media_type: kind for kind in (PDF, JPEG, PNG, TIFF)}
_MAGIC: Final = (
    (b"%PDF-", PDF),
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
)


def kind_of(head: bytes, tail: bytes, declared: str) -> Kind:
    """The kind of a file from its first 16 and last 66,000 bytes.

    Raises `EmptyFile`; `DocumentUnsupported` when it is none of ours, is declared as another, or is a ZIP archive at
    the same time; `DocumentDamaged` for a PDF that stops before its end.
    """
    if not head:
        raise EmptyFile
    kind = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if kind is None:
        raise DocumentUnsupported("the content is none of these")
    said = declared.partition(";")[0].strip().lower()
    if said not in _UNSAID and _ALSO.get(said, said) != kind.media_type:
        raise DocumentUnsupported("the content is not of the kind that it is said to be")
    if _ends_as_archive(tail):
        raise DocumentUnsupported("the content is an archive at the same time")
    if kind is PDF:
        _check_end(tail)
    return kind


def _ends_as_archive(tail: bytes) -> bool:
    """Whether a ZIP reader would open this: an end record whose comment reaches exactly to the end."""
    at = tail.rfind(_ZIP_END)
    while at >= 0:
        end = at + _ZIP_END_BYTES
        if end <= len(tail) and end + int.from_bytes(tail[end - 2 : end], "little") == len(tail):
            return True
        at = tail.rfind(_ZIP_END, 0, at)
    return False


def _check_end(tail: bytes) -> None:
    """A PDF ends with its end mark (ISO 32000-1, 7.5.5); what follows may be white space and zeros only."""
    _, mark, rest = tail.rpartition(b"%%EOF")
    if not mark:
        raise DocumentDamaged("the end of the PDF is missing")
    if rest.strip(b" \t\r\n\f\0"):
        raise DocumentUnsupported("something else follows the end of the PDF")

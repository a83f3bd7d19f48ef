"""What a file must be to show that a point is done, of hospital and department alike."""

from dataclasses import dataclass
from typing import Final

from emr.kernel.errors import Invalid

LARGEST: Final = 10 << 20
LONGEST_TITLE: Final = 120
FORM_BYTES: Final = 64 << 10
"""Room for the other fields of the form that brings a file."""
_KINDS: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file of a point: its title, its media type, its bytes."""

    title: str
    media_type: str
    content: bytes


def media_type_of(title: str, content: bytes) -> str:
    """What a file is by its bytes. Raises `Invalid` for another kind, and for a title that is none."""
    media_type = next((kind for magic, kind in _KINDS if content.startswith(magic)), None)
    if media_type is None:
        raise Invalid("evidence-kind", "Evidence is a PDF, a PNG or a JPEG.", location="file")
    if not 0 < len(title) <= LONGEST_TITLE:
        raise Invalid("evidence-title", f"A file has a title of at most {LONGEST_TITLE} characters.", location="title")
    return media_type

"""What crosses the border to the process apart: what is wished for, and what is refused there."""

from dataclasses import dataclass
from typing import Final

from emr.documents.errors import DocumentDamaged, DocumentNotFound, DocumentProtected, PictureTooLarge

CROSSING: Final = {
    kind.__name__: kind for kind in (DocumentDamaged, DocumentProtected, PictureTooLarge, DocumentNotFound)
}


@dataclass(frozen=True, slots=True)
class Wish:
    """Which page (from 1), how wide in pixels, turned by how many quarters to the right."""

    page: int
    width: int
    quarters: int = 0

"""Refusals of the documents room.

Invalid ── EmptyFile, DocumentDamaged, DocumentProtected
UnsupportedMedia ── DocumentUnsupported
TooLarge ── DocumentTooLarge, PictureTooLarge
Unavailable ── PressBusy
NotFound ── DocumentNotFound
"""

from typing import Final

from emr.kernel.errors import Invalid, NotFound, TooLarge, Unavailable, UnsupportedMedia

FIELD: Final = "file"


class EmptyFile(Invalid):
    """There is no file, or it has no bytes."""

    def __init__(self) -> None:
        super().__init__("file-empty", "The file is empty.", location=FIELD)


class DocumentDamaged(Invalid):
    """It begins like a PDF or a picture but cannot be read to its end; `why` in a few words."""

    def __init__(self, why: str) -> None:
        super().__init__("file-damaged", f"The file cannot be read: {why}.", location=FIELD)
        self.why = why


class DocumentProtected(Invalid):
    """A PDF that opens with a password only."""

    def __init__(self, why: str = "a password is needed") -> None:
        super().__init__("file-protected", f"The file is protected: {why}.", location=FIELD)
        self.why = why


class DocumentUnsupported(UnsupportedMedia):
    """Not a PDF, JPEG, PNG or TIFF, or something else than what it is said to be."""

    def __init__(self, why: str) -> None:
        super().__init__("file-type-unsupported", f"Only PDF, JPEG, PNG and TIFF are taken: {why}.", location=FIELD)


class DocumentTooLarge(TooLarge):
    """More bytes than an upload may have."""

    def __init__(self, limit: int) -> None:
        super().__init__("file-too-large", f"The file is larger than {limit} bytes.", location=FIELD)


class PictureTooLarge(TooLarge):
    """More pixels or pages than are shown; `why` in a few words."""

    def __init__(self, why: str) -> None:
        super().__init__("picture-too-large", f"The picture is too large to be shown: {why}.", location=FIELD)
        self.why = why


class PressBusy(Unavailable):
    """Too many pages are being looked at, or one takes too long."""

    def __init__(self) -> None:
        super().__init__("pages-busy", "The pages cannot be made at the moment.")


class DocumentNotFound(NotFound):
    """No such document or page in this hospital."""

    def __init__(self, why: str = "") -> None:
        super().__init__("document-not-found", "There is no such document.")
        self.why = why

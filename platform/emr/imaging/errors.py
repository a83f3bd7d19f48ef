"""What the imaging rooms refuse, named by its fact.

Malformed ── NotDicom, BrokenStructure
UnsupportedMedia ── UnsupportedSyntax, NoPicture
Invalid ── BadIdentifier, BadPicture
TooLarge ── HeaderTooLarge, PictureTooLarge
Conflict ── IdentityCollision, PatientMismatch
"""

from emr.kernel.errors import Conflict, Invalid, Malformed, NotFound, TooLarge, Unavailable, UnsupportedMedia


class NotDicom(Malformed):
    """The bytes are not a DICOM file (PS3.10 section 7.1): preamble, prefix or file meta information is missing."""


class BrokenStructure(Malformed):
    """An element says that it is longer than what is there, or sequences are nested too deep or left open."""


class UnsupportedSyntax(UnsupportedMedia):
    """The transfer syntax is one that this archive does not keep."""


class NoPicture(UnsupportedMedia):
    """The instance has no frames that can be shown, such as a report or a document."""


class BadIdentifier(Invalid):
    """A required UID is missing or is no UID."""


class BadPicture(Invalid):
    """The pixel data does not fit its own description, or cannot be decoded."""


class HeaderTooLarge(TooLarge):
    """The elements other than bulk data take more room than a header may."""


class PictureTooLarge(TooLarge):
    """One frame has more pixels than this server decodes."""


class IdentityCollision(Conflict):
    """The SOP Instance UID is already kept with other content."""


class PatientMismatch(Conflict):
    """The study is already kept for another Patient ID."""


class InstanceNotFound(NotFound):
    """No such study, series, instance or frame in this hospital."""


class RenderingBusy(Unavailable):
    """All decoding places are taken, or the decoder had to be stopped."""


class SeriesElsewhere(Conflict):
    """The series is already kept in another study."""


class StudyElsewhere(Conflict):
    """The instance is of another study than the one that was named."""

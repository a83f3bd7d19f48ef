"""What an outcome is called on the wire: statuses that C-STORE and STOW-RS share (PS3.4 table B.2-1, PS3.7 annex C,
PS3.18 table I.2-2).
"""

from emr.imaging.errors import (
    BadIdentifier,
    BadPicture,
    BrokenStructure,
    IdentityCollision,
    NotDicom,
    UnsupportedSyntax,
)
from emr.kernel.errors import Forbidden, Refusal, TooLarge, Unavailable

SUCCESS = 0x0000
_PROCESSING_FAILURE = 0x0110
_REASONS: tuple[tuple[type[Refusal], int], ...] = (
    (IdentityCollision, 0x0111),
    (Forbidden, 0x0124),
    (Unavailable, 0xA700),
    (TooLarge, 0xA700),
    (BadIdentifier, 0xA900),
    (NotDicom, 0xC000),
    (BrokenStructure, 0xC000),
    (BadPicture, 0xC000),
    (UnsupportedSyntax, 0xC122),
)


def failure_reason(refusal: Refusal) -> int:
    """0x0111 duplicate, 0x0124 not authorised, 0xA700 out of resources, 0xA900 no match, 0xC… cannot understand."""
    for kind, reason in _REASONS:
        if isinstance(refusal, kind):
            return reason
    return _PROCESSING_FAILURE

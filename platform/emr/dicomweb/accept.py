"""Which form of answer the caller wants (RFC 9110 section 12.5.1; PS3.18 sections 8.7.4 and 8.7.5)."""

from dataclasses import dataclass

from emr.dicomweb.multipart import DICOM, media_type
from emr.kernel.errors import NotAcceptable

JSON = "application/dicom+json"
OCTETS = "application/octet-stream"
RELATED = "multipart/related"


@dataclass(frozen=True, slots=True)
class Range:
    """One range of an Accept header. syntax: the transfer syntax asked for, '*' for any, '' when none is named."""

    kind: str
    inner: str
    syntax: str
    quality: float


def ranges(header: str | None) -> list[Range]:
    """Best first; an absent header takes everything."""
    found = [_range(text) for text in (header or "*/*").split(",") if text.strip()]
    return sorted((one for one in found if one.quality > 0), key=lambda one: -one.quality)


def _range(text: str) -> Range:
    kind, parameters = media_type(text.strip())
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        quality = 0.0
    return Range(kind, parameters.get("type", "").lower(), parameters.get("transfer-syntax", ""), quality)


def choose(header: str | None, offered: dict[str, str]) -> str:
    """The first of the caller's ranges that `offered` (media type to our name for it) meets. Raises NotAcceptable."""
    for wanted in ranges(header):
        for kind, name in offered.items():
            if wanted.kind in ("*/*", kind) or wanted.kind == kind.split("/")[0] + "/*":
                return name
    raise NotAcceptable("not-acceptable", f"this is answered as {', '.join(offered)}", location="Accept")


def wants_related(header: str | None, inner: str) -> list[Range]:
    """The ranges that multipart/related of `inner` meets, or a bare `inner`, best first. Raises NotAcceptable."""
    fitting = [
        one
        for one in ranges(header)
        if one.kind in ("*/*", inner) or (one.kind in (RELATED, "multipart/*") and one.inner in ("", "*/*", inner))
    ]
    if not fitting:
        raise NotAcceptable(
            "not-acceptable", f'this is answered as multipart/related; type="{inner}"', location="Accept"
        )
    return fitting


def single(wanted: list[Range]) -> bool:
    """Whether the caller would rather have the one part bare than wrapped."""
    return wanted[0].kind in (DICOM, OCTETS)

"""Where things lie in an exit package, and what its files are called. `platform/docs/exit-package.md` in code."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Final

from emr.kernel.errors import Invalid

FORMAT: Final = "emr-exit-package"
VERSION: Final = 1

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig.json"
SUMS: Final = "SHA256SUMS"
SPECIFICATION: Final = "dac-ta.md"
PROGRESS: Final = ".progress.json"
WORKING: Final = ".working.sqlite"

HOSPITAL: Final = "hospital/hospital.json"
MEMBERS: Final = "hospital/members.ndjson"
CONTENTS: Final = "contents/index.ndjson"
ANCHORS: Final = "audit/anchors.ndjson"
CURRENT: Final = "fhir/current"
HISTORY: Final = "fhir/history"
ROWS: Final = "audit/rows"
SEALS: Final = "audit/seals"

_PART: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_DEEPEST: Final = 4
_ENDINGS: Final = {
    "application/dicom": ".dcm",
    "application/pdf": ".pdf",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tif",
    "text/plain": ".txt",
}
"""Whatever else there is gets `.bin`: no page or script of a stranger is opened by a click on its name."""


@dataclass(frozen=True, slots=True)
class FileFact:
    """What the manifest says of one file. `lines`: of NDJSON and CSV; None elsewhere."""

    path: str
    bytes: int
    sha256: str
    lines: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Without what it does not have."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def content_path(name: str, media_type: str) -> str:
    """Where the bytes of an object lie: `name` is its key without the slash, which says nothing about anybody."""
    kind = media_type.partition(";")[0].strip().lower()
    folder = "images" if kind == "application/dicom" else "documents"
    return f"contents/{folder}/{name[:2]}/{name}{_ENDINGS.get(kind, '.bin')}"


def checked_path(path: Any) -> str:
    """The path, when it stays inside the package and has the form of ours. Raises `Invalid`."""
    if isinstance(path, str):
        parts = path.split("/")
        if len(parts) <= _DEEPEST and all(_PART.fullmatch(part) and ".." not in part for part in parts):
            return path
    raise Invalid("package-path", "A path of the package climbs out of it or is not one of ours.", location=str(path))

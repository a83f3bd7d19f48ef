"""The process in which strangers' files are opened: reads one wish a line, answers with one line and perhaps a page.

Started by `press` with nothing of the service in it: no secrets in its environment, no connections, no old memory.
A wish is JSON `{"job", "path", "media_type", "page", "width", "quarters"}`. The answer is `{"pages": n}`, or
`{"bytes": n}` followed by as many bytes, or `{"refused": class name, "why": words}`.
"""

import json
import resource
import sys
from typing import Any, Final

from emr.documents import sheets
from emr.documents.crossing import CROSSING, Wish
from emr.documents.errors import PictureTooLarge

MEMORY_BYTES: Final = 2 << 30


def main() -> None:
    """Serve until the service closes the pipe."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin.buffer:
        said, page = _answer(json.loads(line))
        sys.stdout.buffer.write(json.dumps(said).encode() + b"\n" + page)
        sys.stdout.buffer.flush()


def _answer(wish: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    try:
        if wish["job"] == "examine":
            return {"pages": sheets.examine(wish["path"], wish["media_type"])}, b""
        page = sheets.draw(wish["path"], wish["media_type"], Wish(wish["page"], wish["width"], wish["quarters"]))
    except tuple(CROSSING.values()) as refusal:
        return {"refused": type(refusal).__name__, "why": refusal.why}, b""
    except MemoryError:
        return {"refused": PictureTooLarge.__name__, "why": "it needs more memory than a page may take"}, b""
    return {"bytes": len(page)}, page

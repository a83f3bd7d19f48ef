"""The process apart: takes one frame or file after another on its standard input and answers on its standard output.

Decoders and parsers read what a device sent, so they run here, without secrets and under a limit of memory. `apart`
says how requests and answers lie on the pipe.
"""

import datetime as dt
import json
import resource
import sys
from pathlib import Path
from typing import Any, BinaryIO, Final

from emr.imaging.apart import ANSWER, CROSSING, LENGTH
from emr.imaging.parse import parse
from emr.imaging.picture import picture_from_json
from emr.imaging.render import decode, render
from emr.imaging.wishes import Window, Wish
from emr.kernel.errors import Refusal

MEMORY: Final = 2 * 1024 * 1024 * 1024
READY: Final = b"R"
_NOT_ENOUGH: Final = ["BadPicture", "dicom-undecodable", "the frame needs too much memory", None]


def main() -> None:
    """Serve until the standard input ends."""
    # Of data, and not of addresses: a file that is walked through is mapped, and may be larger.
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source, out = sys.stdin.buffer, sys.stdout.buffer
    out.write(READY)
    out.flush()
    while head := source.read(LENGTH.size):
        request = json.loads(source.read(*LENGTH.unpack(head)))
        parts = [source.read(size) for size in request["parts"]]
        _answer(out, request, parts)


def _answer(out: BinaryIO, request: dict[str, Any], parts: list[bytes]) -> None:
    try:
        refused, content = 0, _read(request) if "path" in request else _draw(request, parts)
    except tuple(CROSSING.values()) as refusal:
        refused, content = 1, _told(refusal)
    except MemoryError:
        refused, content = 1, json.dumps(_NOT_ENOUGH).encode()
    out.write(ANSWER.pack(refused, len(content)))
    out.write(content)
    out.flush()


def _told(refusal: Refusal) -> bytes:
    return json.dumps([type(refusal).__name__, refusal.code, refusal.message, refusal.location]).encode()


def _read(request: dict[str, Any]) -> bytes:
    return json.dumps(parse(Path(request["path"])).as_json(), default=_written).encode()


def _written(value: object) -> str:
    assert isinstance(value, dt.date | dt.time)
    return value.isoformat()


def _draw(request: dict[str, Any], parts: list[bytes]) -> bytes:
    picture = picture_from_json(request["picture"])
    wish = request["wish"]
    if wish is None:
        return decode(picture, parts).tobytes()
    window = Window(**wish.pop("window")) if wish["window"] else wish.pop("window")
    return render(picture, parts, Wish(window=window, **wish))


if __name__ == "__main__":
    main()

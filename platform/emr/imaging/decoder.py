"""The decoding process: takes one frame after another on its standard input and answers on its standard output.

Decoders are C libraries that read what a device sent, so they run here, without secrets and under a limit of memory.
A request is a length (4 bytes, big endian), JSON of that length, and then the parts whose sizes the JSON names. An
answer is one byte (0: bytes follow, 1: JSON of a refusal's code and message follows), a length (4 bytes) and that.
"""

import json
import resource
import struct
import sys
from typing import Any, BinaryIO, Final

from emr.imaging.errors import BadPicture, PictureTooLarge
from emr.imaging.picture import picture_from_json
from emr.imaging.render import Window, Wish, decode, render

MEMORY: Final = 2 * 1024 * 1024 * 1024
READY: Final = b"R"
LENGTH: Final = struct.Struct(">L")
ANSWER: Final = struct.Struct(">BL")


def main() -> None:
    """Serve until the standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
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
        refused, content = 0, _draw(request, parts)
    except (BadPicture, PictureTooLarge) as refusal:
        refused, content = 1, json.dumps([refusal.code, refusal.message]).encode()
    except MemoryError:
        refused, content = 1, json.dumps(["dicom-undecodable", "the frame needs too much memory"]).encode()
    out.write(ANSWER.pack(refused, len(content)))
    out.write(content)
    out.flush()


def _draw(request: dict[str, Any], parts: list[bytes]) -> bytes:
    picture = picture_from_json(request["picture"])
    wish = request["wish"]
    if wish is None:
        return decode(picture, parts).tobytes()
    window = Window(**wish.pop("window")) if wish["window"] else wish.pop("window")
    return render(picture, parts, Wish(window=window, **wish))


if __name__ == "__main__":
    main()

"""Files of lines that only grow, so that a writer that was killed goes on behind the last line that it kept.

A stem such as `fhir/current/Patient` becomes `fhir/current/Patient.0001.ndjson` and, each time that the file has
`ROTATED` bytes, the next number.
"""

import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from emr.fleet.leaving.layout import FileFact

ROTATED: Final = 512 << 20
_BUFFER: Final = 64 << 10
_READ: Final = 1 << 20


@dataclass(slots=True)
class _Growing:
    path: str
    file: BinaryIO
    number: int
    bytes: int = 0
    lines: int = 0
    digest: Any = field(default_factory=sha256)

    def fact(self) -> FileFact:
        return FileFact(self.path, self.bytes, self.digest.hexdigest(), self.lines)


class Shelf:
    """The files under `root` that grow in one phase of an export."""

    def __init__(self, root: Path, kept: dict[str, Any] | None = None) -> None:
        self._root = root
        self._open: dict[str, _Growing] = {}
        self._full: list[FileFact] = []
        self.written = 0
        """Bytes since the last checkpoint."""
        for stem, (number, size, lines) in (kept or {}).get("open", {}).items():
            self._open[stem] = self._again(stem, number, size, lines)
        self._full = [FileFact(**each) for each in (kept or {}).get("full", ())]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of what a phase that was cut off has left open."""
        for growing in self._open.values():
            growing.file.close()

    def add(self, stem: str, *pieces: bytes) -> None:
        """One line, of pieces that are written one after the other."""
        growing = self._open.get(stem)
        if growing is None:
            growing = self._open[stem] = self._first(stem, 1)
        for piece in (*pieces, b"\n"):
            growing.file.write(piece)
            growing.digest.update(piece)
            growing.bytes += len(piece)
            self.written += len(piece)
        growing.lines += 1
        if growing.bytes >= ROTATED:
            _close(growing.file)
            self._full.append(growing.fact())
            self._open[stem] = self._first(stem, growing.number + 1)

    def checkpoint(self) -> dict[str, Any]:
        """What a later `Shelf` needs to go on from here; all of it is on the disk."""
        for growing in self._open.values():
            growing.file.flush()
            os.fsync(growing.file.fileno())
        self.written = 0
        return {
            "open": {stem: [each.number, each.bytes, each.lines] for stem, each in self._open.items()},
            "full": [each.as_json() for each in self._full],
        }

    def close(self) -> list[FileFact]:
        """End the phase: every file with its digest."""
        for growing in self._open.values():
            _close(growing.file)
        facts = [*self._full, *(growing.fact() for growing in self._open.values())]
        self._open = {}
        return facts

    def _first(self, stem: str, number: int) -> _Growing:
        path = f"{stem}.{number:04}.ndjson"
        place = self._root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return _Growing(path, place.open("wb", buffering=_BUFFER), number)

    def _again(self, stem: str, number: int, size: int, lines: int) -> _Growing:
        """The file as it was at the checkpoint: what came after is cut off."""
        path = f"{stem}.{number:04}.ndjson"
        file = (self._root / path).open("r+b", buffering=_BUFFER)
        file.truncate(size)
        digest = sha256()
        while piece := file.read(_READ):
            digest.update(piece)
        file.seek(0, os.SEEK_END)
        return _Growing(path, file, number, size, lines, digest)


def put_file(root: Path, path: str, content: bytes, lines: int | None = None) -> FileFact:
    """A small file at once: there whole or not at all."""
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(place)
    return FileFact(path, len(content), sha256(content).hexdigest(), lines)


def fact_of(root: Path, path: str, lines: int | None = None) -> FileFact:
    """What is to say of a file that stands."""
    digest, size = sha256(), 0
    with (root / path).open("rb") as file:
        while piece := file.read(_READ):
            digest.update(piece)
            size += len(piece)
    return FileFact(path, size, digest.hexdigest(), lines)


def _close(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()

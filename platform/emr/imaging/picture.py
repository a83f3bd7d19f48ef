"""How the pixels of one instance are laid out: enough to fetch one frame by its byte range and to show it.

A `Picture` is made once, when the instance is stored, and kept with its index row, so that showing frame 700 of a loop
reads that frame and nothing else.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from emr.imaging.errors import InstanceNotFound, NoPicture
from emr.imaging.syntaxes import NATIVE


@dataclass(frozen=True, slots=True)
class Pixels:
    """The Image Pixel module (PS3.3 section C.7.6.3)."""

    rows: int
    columns: int
    samples: int
    photometric: str
    planar: int
    allocated: int
    stored: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Look:
    """From stored values to shown values: modality rescale and VOI windows (PS3.3 sections C.11.1, C.11.2).

    palette: per colour the three numbers of its descriptor and its table in base64; empty when there is none.
    """

    slope: float
    intercept: float
    windows: tuple[tuple[float, float], ...]
    padding: int | None
    palette: tuple[tuple[tuple[int, ...], str], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """offset, length: of the pixel data in the stored file. parts: per frame its ranges (offset, length); empty for
    native pixel data, and for encapsulated data whose frames cannot be told apart.
    """

    syntax: str
    pixels: Pixels
    look: Look
    frames: int
    offset: int
    length: int
    parts: tuple[tuple[tuple[int, int], ...], ...]

    def ranges(self, frame: int) -> tuple[tuple[int, int], ...]:
        """Byte ranges (offset, length) of frame `frame`, counted from 1. Raises InstanceNotFound, NoPicture."""
        if not 1 <= frame <= self.frames:
            raise InstanceNotFound("not-found", "no such frame")
        if self.syntax in NATIVE:
            size = frame_bits(self.pixels)
            if size % 8:
                raise NoPicture("dicom-no-picture", "frames that do not end on whole bytes are not taken apart")
            return ((self.offset + (frame - 1) * size // 8, size // 8),)
        if not self.parts:
            raise NoPicture("dicom-no-picture", "the frames of the compressed pixel data cannot be told apart")
        return self.parts[frame - 1]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def picture_from_json(kept: Mapping[str, Any]) -> Picture:
    look = kept["look"]
    return Picture(
        syntax=kept["syntax"],
        pixels=Pixels(**kept["pixels"]),
        look=Look(
            slope=look["slope"],
            intercept=look["intercept"],
            windows=tuple((center, width) for center, width in look["windows"]),
            padding=look["padding"],
            palette=tuple((tuple(descriptor), table) for descriptor, table in look["palette"]),
        ),
        frames=kept["frames"],
        offset=kept["offset"],
        length=kept["length"],
        parts=tuple(tuple((offset, length) for offset, length in parts) for parts in kept["parts"]),
    )


def frame_bits(pixels: Pixels) -> int:
    """Size of one native frame in bits. YBR_FULL_422 shares its colour between two pixels."""
    samples = 2 if pixels.photometric == "YBR_FULL_422" else pixels.samples
    return pixels.rows * pixels.columns * samples * pixels.allocated

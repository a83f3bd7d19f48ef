"""Reads from the header of an instance how its pixels are laid out."""

import base64
import itertools

from pydicom.dataset import Dataset

from emr.imaging.attributes import PARSER_FAILURES, numbers, text, whole
from emr.imaging.errors import BadPicture
from emr.imaging.picture import Look, Picture, Pixels, frame_bits
from emr.imaging.scan import Buffer, Structure
from emr.imaging.syntaxes import NATIVE

_PALETTE = ("Red", "Green", "Blue")
_PALETTE_LIMIT = 128 * 1024


def picture_of(header: Dataset, structure: Structure, data: Buffer) -> Picture | None:
    """None for an instance without pixel data. Raises BadPicture when the pixel data does not fit its description."""
    value = structure.pixels
    if value is None or "Rows" not in header:
        return None
    pixels = _pixels(header)
    frames = max(whole(header, "NumberOfFrames") or 1, 1)
    if structure.syntax in NATIVE:
        expected = (frame_bits(pixels) * frames + 7) // 8
        if value.length < expected:
            raise BadPicture(
                "dicom-pixel-length", "the pixel data is shorter than rows x columns", location="(7FE0,0010)"
            )
        parts: tuple[tuple[tuple[int, int], ...], ...] = ()
    else:
        if len(structure.fragments) - 1 < frames:
            raise BadPicture("dicom-pixel-length", "fewer fragments than frames", location="(7FE0,0010)")
        parts = _frame_parts(structure, frames, data)
    return Picture(structure.syntax, pixels, _look(header), frames, value.offset, value.length, parts)


def _pixels(header: Dataset) -> Pixels:
    def need(keyword: str, low: int, high: int) -> int:
        value = whole(header, keyword)
        if value is None or not low <= value <= high:
            raise BadPicture("dicom-pixel-module", f"{keyword} is missing or out of range", location=keyword)
        return value

    allocated = need("BitsAllocated", 1, 64)
    if allocated != 1 and allocated % 8:
        raise BadPicture("dicom-pixel-module", "BitsAllocated is neither 1 nor whole bytes", location="BitsAllocated")
    return Pixels(
        rows=need("Rows", 1, 65535),
        columns=need("Columns", 1, 65535),
        samples=need("SamplesPerPixel", 1, 4),
        photometric=text(header, "PhotometricInterpretation") or "MONOCHROME2",
        planar=whole(header, "PlanarConfiguration") or 0,
        allocated=allocated,
        stored=whole(header, "BitsStored") or allocated,
        signed=whole(header, "PixelRepresentation") == 1,
    )


def _look(header: Dataset) -> Look:
    rescale = _with(header, "RescaleSlope", "PixelValueTransformationSequence")
    window = _with(header, "WindowCenter", "FrameVOILUTSequence")
    centers, widths = numbers(window, "WindowCenter"), numbers(window, "WindowWidth")
    return Look(
        slope=(numbers(rescale, "RescaleSlope") or (1.0,))[0] or 1.0,
        intercept=(numbers(rescale, "RescaleIntercept") or (0.0,))[0],
        windows=tuple((center, width) for center, width in zip(centers, widths, strict=False) if width >= 1),
        padding=whole(header, "PixelPaddingValue"),
        palette=_palette(header),
    )


def _with(header: Dataset, keyword: str, sequence: str) -> Dataset:
    """Where an attribute stands: at the top, or in the functional groups of an enhanced object (PS3.3 C.7.6.16)."""
    if keyword in header:
        return header
    try:
        for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
            inner = header[groups].value[0].get(sequence) if header.get(groups) else None
            if inner and isinstance(inner[0], Dataset):
                return inner[0]
    except PARSER_FAILURES:
        return header
    return header


def _palette(header: Dataset) -> tuple[tuple[tuple[int, ...], str], ...]:
    found = []
    for colour in _PALETTE:
        descriptor = numbers(header, f"{colour}PaletteColorLookupTableDescriptor")
        table = header.get(f"{colour}PaletteColorLookupTableData")
        if len(descriptor) != 3 or not isinstance(table, bytes) or len(table) > _PALETTE_LIMIT:
            return ()
        found.append((tuple(int(number) for number in descriptor), base64.b64encode(table).decode()))
    return tuple(found)


def _frame_parts(structure: Structure, frames: int, data: Buffer) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Which fragments make which frame (PS3.5 section A.4). Empty when nothing says so."""
    table, *fragments = structure.fragments
    ranges = [(fragment.offset, fragment.length) for fragment in fragments]
    if frames == 1:
        return (tuple(ranges),)
    if len(ranges) == frames:
        return tuple((one,) for one in ranges)
    if table.length != 4 * frames:
        return ()
    starts = memoryview(bytes(data[table.offset : table.offset + table.length])).cast("I")
    origin = ranges[0][0] - 8
    marks = {offset - 8 - origin: at for at, (offset, _) in enumerate(ranges)}
    if any(start not in marks for start in starts) or list(starts) != sorted(set(starts)):
        return ()
    edges = [marks[start] for start in starts] + [len(ranges)]
    return tuple(tuple(ranges[low:high]) for low, high in itertools.pairwise(edges))

"""One frame to one JPEG or PNG: decode, rescale, window, scale. Pure; runs in a decoding process (see `renderer`).

Source: PS3.3 sections C.7.6.3 (pixels), C.11.1 (modality rescale), C.11.2 (VOI window); PS3.18 section 8.3.5.
"""

import base64
import io
import math
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import UID

from emr.imaging.attributes import PARSER_FAILURES
from emr.imaging.errors import BadPicture
from emr.imaging.picture import Picture, Pixels
from emr.imaging.syntaxes import NATIVE, RLE_LOSSLESS
from emr.imaging.wishes import Window, Wish, check_size

Array = np.ndarray[Any, np.dtype[Any]]

_PLUGINS = {
    "1.2.840.10008.1.2.4.50": "pillow",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
}
"""Decoders by transfer syntax; for the others whichever there is (GDCM for lossless JPEG and JPEG-LS)."""


def render(picture: Picture, parts: list[bytes], wish: Wish) -> bytes:
    """`parts`: the bytes of the frame's ranges, in order. Raises BadPicture, PictureTooLarge."""
    check_size(picture)
    image = Image.fromarray(_shown(picture, decode(picture, parts), wish.window))
    image = _fit(image, wish)
    out = io.BytesIO()
    if wish.form == "png":
        image.save(out, "PNG", compress_level=3)
    else:
        image.save(out, "JPEG", quality=wish.quality)
    return out.getvalue()


def decode(picture: Picture, parts: list[bytes]) -> Array:
    """Stored values as (rows, columns) or (rows, columns, 3); colour is RGB. Raises BadPicture."""
    native = picture.syntax in NATIVE
    if not native and picture.syntax != RLE_LOSSLESS:
        _check_inner_size(b"".join(parts[:2]), picture.pixels)
    data = b"".join(parts) if native else encapsulate([b"".join(parts)], has_bot=False)
    try:
        decoded, _ = get_decoder(UID(picture.syntax)).as_array(data, index=0, raw=False, **_options(picture))
    except (*PARSER_FAILURES, RuntimeError) as failure:
        raise BadPicture("dicom-undecodable", "the frame cannot be decoded") from failure
    return np.asarray(decoded)


def _options(picture: Picture) -> dict[str, Any]:
    pixels = picture.pixels
    return {
        "rows": pixels.rows,
        "columns": pixels.columns,
        "samples_per_pixel": pixels.samples,
        "photometric_interpretation": pixels.photometric,
        "planar_configuration": pixels.planar,
        "bits_allocated": pixels.allocated,
        "bits_stored": pixels.stored,
        "pixel_representation": int(pixels.signed),
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
        "pixel_vr": "OB" if pixels.allocated <= 8 else "OW",
        "decoding_plugin": _PLUGINS.get(picture.syntax, ""),
    }


def _check_inner_size(start: bytes, pixels: Pixels) -> None:
    """The compressed stream has a size of its own; it must be the one that was checked."""
    try:
        with Image.open(io.BytesIO(start)) as image:
            size = image.size
    except (UnidentifiedImageError, *PARSER_FAILURES, Image.DecompressionBombError):
        return
    if size != (pixels.columns, pixels.rows):
        raise BadPicture("dicom-pixel-length", "the compressed frame is not of the size that the header says")


def _shown(picture: Picture, values: Array, window: Window | None) -> Array:
    if values.ndim == 3:
        return _colour(values, picture.pixels)
    if picture.pixels.photometric == "PALETTE COLOR" and picture.look.palette:
        return _palette(values, picture)
    look = picture.look
    scaled = values.astype(np.float32) * np.float32(look.slope) + np.float32(look.intercept)
    chosen = window or _own_window(picture, values, scaled)
    grey = _apply(scaled, chosen)
    if picture.pixels.photometric == "MONOCHROME1":
        grey = 1.0 - grey
    return np.asarray(np.rint(grey * 255.0).astype(np.uint8))


def _colour(values: Array, pixels: Pixels) -> Array:
    if values.dtype != np.uint8:
        values = (values.astype(np.float32) * (255.0 / (2**pixels.stored - 1))).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(values[:, :, :3])


def _palette(values: Array, picture: Picture) -> Array:
    lookup = Dataset()
    for colour, (descriptor, table) in zip(("Red", "Green", "Blue"), picture.look.palette, strict=True):
        setattr(lookup, f"{colour}PaletteColorLookupTableDescriptor", list(descriptor))
        setattr(lookup, f"{colour}PaletteColorLookupTableData", base64.b64decode(table))
    try:
        coloured = apply_color_lut(values, lookup)
    except PARSER_FAILURES as failure:
        raise BadPicture("dicom-palette", "the colour table does not fit the pixels") from failure
    return np.asarray(coloured if coloured.dtype == np.uint8 else (coloured >> 8).astype(np.uint8))


def _own_window(picture: Picture, values: Array, scaled: Array) -> Window:
    if picture.look.windows:
        center, width = picture.look.windows[0]
        return Window(center, width)
    counted = scaled if picture.look.padding is None else scaled[values != picture.look.padding]
    if not counted.size:
        counted = scaled
    low, high = (float(value) for value in np.percentile(counted, (0.5, 99.5)))
    return Window((low + high) / 2, max(high - low, 1.0), "linear-exact")


def _apply(values: Array, window: Window) -> Array:
    """0.0 to 1.0 (PS3.3 section C.11.2.1.2 and C.11.2.1.3)."""
    center, width = window.center, window.width
    if window.shape == "sigmoid":
        exponent = np.clip(-4.0 * (values - center) / width, -60.0, 60.0)
        return np.asarray(1.0 / (1.0 + np.exp(exponent)))
    if window.shape == "linear-exact" or width <= 1.0:
        return np.asarray(np.clip((values - center) / max(width, 1e-6) + 0.5, 0.0, 1.0))
    return np.asarray(np.clip((values - (center - 0.5)) / (width - 1.0) + 0.5, 0.0, 1.0))


def _fit(image: Image.Image, wish: Wish) -> Image.Image:
    if wish.width is None or wish.height is None:
        return image
    factor = min(wish.width / image.width, wish.height / image.height)
    size = (max(1, math.floor(image.width * factor)), max(1, math.floor(image.height * factor)))
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)

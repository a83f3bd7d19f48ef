"""How a picture should come, read from query parameters (PS3.18 section 8.3.5) and refused where it makes no sense."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from emr.imaging.errors import PictureTooLarge
from emr.imaging.picture import Picture
from emr.kernel.errors import Malformed

MAX_PIXELS = 64 * 1024 * 1024
MAX_SIDE = 4096
THUMBNAIL = 128

PRESETS: dict[str, tuple[float, float]] = {
    "soft-tissue": (40.0, 400.0),
    "lung": (-600.0, 1500.0),
    "mediastinum": (50.0, 350.0),
    "bone": (480.0, 2500.0),
    "brain": (40.0, 80.0),
    "abdomen": (60.0, 400.0),
}
"""Window centre and width in Hounsfield units; they mean something for CT only."""


@dataclass(frozen=True, slots=True)
class Window:
    """VOI window in rescaled units. shape: of PS3.3 section C.11.2.1.3."""

    center: float
    width: float
    shape: Literal["linear", "linear-exact", "sigmoid"] = "linear"


@dataclass(frozen=True, slots=True)
class Wish:
    """How a frame should come. width, height: the box in pixels to fit into; None keeps the frame's own size.

    window: None uses the file's own, or the range of the values where it has none. quality: of JPEG, 1-100.
    """

    form: Literal["jpeg", "png"] = "jpeg"
    window: Window | None = None
    width: int | None = None
    height: int | None = None
    quality: int = 90


def check_size(picture: Picture) -> None:
    """Before anything is read or decoded. Raises PictureTooLarge."""
    pixels = picture.pixels
    if pixels.rows * pixels.columns * pixels.samples > MAX_PIXELS:
        raise PictureTooLarge("dicom-picture-too-large", f"a frame has more than {MAX_PIXELS} samples")


_SHAPES = ("linear", "linear-exact", "sigmoid")


def read_wish(form: str, parameters: Mapping[str, str]) -> Wish:
    """`viewport=width,height`, `window=centre,width,function` or the name of a preset, `quality=1…100`.

    Raises Malformed for anything else, naming the parameter.
    """
    if unknown := set(parameters) - set(_READERS):
        raise _refused(min(unknown)[:64] if all(name.isidentifier() for name in unknown) else "query")
    values: dict[str, object] = {}
    for name, text in parameters.items():
        values |= _READERS[name](text)
    return Wish(form="png" if form == "png" else "jpeg", **values)  # type: ignore[arg-type]


def _refused(name: str) -> Malformed:
    return Malformed("rendered-parameter", f"{name} is not understood", location=name)


def _viewport(text: str) -> dict[str, object]:
    sides = text.split(",")
    if len(sides) != 2 or not all(side.isdecimal() and 1 <= int(side) <= MAX_SIDE for side in sides):
        raise _refused("viewport")
    return {"width": int(sides[0]), "height": int(sides[1])}


def _window(text: str) -> dict[str, object]:
    if text in PRESETS:
        return {"window": Window(*PRESETS[text])}
    center, width, shape = (*text.split(","), "linear", "", "")[:3] if text.count(",") < 3 else ("", "", "")
    try:
        window = Window(float(center), float(width), cast("Literal['linear']", shape))
    except ValueError as error:
        raise _refused("window") from error
    if shape not in _SHAPES or not 1e-6 <= window.width <= 1e6 or not abs(window.center) <= 1e6:
        raise _refused("window")
    return {"window": window}


def _quality(text: str) -> dict[str, object]:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise _refused("quality")
    return {"quality": int(text)}


_READERS: Mapping[str, Callable[[str], dict[str, object]]] = {
    "viewport": _viewport,
    "window": _window,
    "quality": _quality,
}

"""How a picture should come, read from query parameters (PS3.18 section 8.3.5) and refused where it makes no sense."""

from collections.abc import Callable, Mapping
from typing import Literal, cast

from emr.imaging.render import MAX_SIDE, PRESETS, Window, Wish
from emr.kernel.errors import Malformed

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

"""Functions on text and conversions (http://hl7.org/fhirpath/N1/#string-manipulation)."""

import functools
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import jsonschema_rs

from emr.definitions.fhirpath.items import Items, Unknown, one, plain
from emr.definitions.fhirpath.syntax import Unreadable

Plain = Callable[..., Any]


@functools.lru_cache(maxsize=2_000)
def pattern(text: str) -> Callable[[str], bool]:
    """A search for a regular expression in linear time, whatever the expression and the text.

    Expressions come with packages and texts from clients, so backtracking would let either stop the server.
    Raises `Unreadable` for an expression that cannot be searched that way (look-around, back references).
    """
    try:
        found = jsonschema_rs.Draft202012Validator(
            {"type": "string", "pattern": text}, pattern_options=jsonschema_rs.RegexOptions()
        )
    except ValueError:
        raise Unreadable("a regular expression that needs backtracking is not supported") from None
    return found.is_valid


def _substring(text: str, start: int, length: int | None = None) -> str | None:
    if not 0 <= start < len(text):
        return None
    return text[start:] if length is None else text[start : start + max(length, 0)]


def _matches(text: str, wanted: str) -> bool:
    try:
        return pattern(wanted)(text)
    except Unreadable as error:
        raise Unknown(str(error)) from None


def _whole(text: str, wanted: str) -> bool:
    return _matches(text, f"^(?:{wanted})$")


_TEXTS: Final[dict[str, tuple[Plain, int, int]]] = {
    "startsWith": (str.startswith, 1, 1),
    "endsWith": (str.endswith, 1, 1),
    "contains": (str.__contains__, 1, 1),
    "indexOf": (str.find, 1, 1),
    "upper": (str.upper, 0, 0),
    "lower": (str.lower, 0, 0),
    "trim": (str.strip, 0, 0),
    "length": (len, 0, 0),
    "substring": (_substring, 1, 2),
    "replace": (str.replace, 2, 2),
    "matches": (_matches, 1, 1),
    "matchesFull": (_whole, 1, 1),
    "toChars": (list, 0, 0),
    "split": (str.split, 1, 1),
}
"""Function on a string, fewest and most arguments."""


def _integer(value: Any) -> int | None:
    if type(value) is bool:
        return int(value)
    if type(value) is int:
        return value
    return int(value) if type(value) is str and value.lstrip("+-").isascii() and value.lstrip("+-").isdigit() else None


def _decimal(value: Any) -> Decimal | int | None:
    if isinstance(value, int | Decimal):
        return int(value) if type(value) is bool else value
    try:
        return Decimal(value) if type(value) is str else None
    except InvalidOperation:
        return None


def _text(value: Any) -> str | None:
    if type(value) is bool:
        return "true" if value else "false"
    return str(getattr(value, "text", value)) if isinstance(value, str | int | Decimal) else None


def _boolean(value: Any) -> bool | None:
    if type(value) is bool:
        return value
    return {"true": True, "t": True, "yes": True, "y": True, "1": True, "1.0": True, "false": False, "f": False,
            "no": False, "n": False, "0": False, "0.0": False}.get(str(value).lower())  # fmt: skip


_CONVERSIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "Integer": _integer,
    "Decimal": _decimal,
    "String": _text,
    "Boolean": _boolean,
}


def text_function(name: str, count: int) -> Callable[[Items, list[Items]], Items] | None:
    """The function of this name with so many arguments, on a collection of at most one; None when there is none."""
    if name.startswith(("to", "convertsTo")) and (
        convert := _CONVERSIONS.get(name.removeprefix("convertsTo").removeprefix("to"))
    ):
        return _converting(convert, answer=name.startswith("to"))
    known = _TEXTS.get(name)
    if known is None:
        return None
    function, least, most = known
    if not least <= count <= most:
        raise Unreadable(f"{name} does not take {count} arguments")

    def run(items: Items, given: list[Items]) -> Items:
        text = plain(one(items))
        values = [plain(one(each)) for each in given]
        if text is None or None in values:
            return []
        if type(text) is not str:
            raise Unknown(f"{name} is about text")
        result = function(text, *values)
        return [] if result is None else result if type(result) is list else [result]

    return run


def _converting(convert: Callable[[Any], Any], *, answer: bool) -> Callable[[Items, list[Items]], Items]:
    def run(items: Items, _given: list[Items]) -> Items:
        item = one(items)
        if item is None:
            return []
        result = convert(plain(item))
        if not answer:
            return [result is not None]
        return [] if result is None else [result]

    return run

"""How a value of each data type becomes what the search index holds."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Any, Final

from emr.definitions.dates import FAR_FUTURE, FAR_PAST, Range, range_of
from emr.definitions.values import (
    Date,
    Emit,
    Identified,
    IndexValue,
    Json,
    Link,
    Named,
    OfType,
    String,
    Token,
    Uri,
    Words,
    target_of,
)
from emr.kernel.text import fold

_NAME_PARTS: Final = ("text", "family", "given", "prefix", "suffix")
_ADDRESS_PARTS: Final = ("text", "line", "city", "district", "state", "country", "postalCode")


def emit_coding(value: Json, path: str, out: list[IndexValue]) -> None:
    code = value.get("code")
    if type(code) is str:
        system = value.get("system")
        out.append(Token(path, system, code))
    if display := value.get("display"):
        out.append(Words(path, display))


def emit_concept(value: Json, path: str, out: list[IndexValue]) -> None:
    if text := value.get("text"):
        out.append(Words(path, text))
    for coding in value.get("coding", ()):
        emit_coding(coding, path, out)


def emit_identifier(value: Json, path: str, out: list[IndexValue]) -> None:
    text = value.get("value")
    if type(text) is str:
        out.append(Token(path, value.get("system"), text))
    _emit_type(value, text, path, out)


def emit_identified(value: Json, path: str, out: list[IndexValue]) -> None:
    text = value.get("value")
    if type(text) is str:
        out.append(Identified(path, value.get("system"), text))
    _emit_type(value, text, path, out)


def _emit_type(value: Json, text: Any, path: str, out: list[IndexValue]) -> None:
    kind = value.get("type")
    if kind is None:
        return
    if kind.get("text"):
        out.append(Words(path, kind["text"]))
    if type(text) is not str:
        return
    for coding in kind.get("coding", ()):
        code = coding.get("code")
        if type(code) is str:
            out.append(OfType(path, coding.get("system"), code, text))


def emit_contact(value: Json, path: str, out: list[IndexValue]) -> None:
    text = value.get("value")
    if type(text) is str:
        out.append(Token(path, None, text))


def emit_boolean(value: Any, path: str, out: list[IndexValue]) -> None:
    out.append(Token(path, None, "true" if value else "false"))


def emit_plain(value: Any, path: str, out: list[IndexValue]) -> None:
    out.append(Token(path, None, value))


def emit_code(systems: dict[str, frozenset[str]]) -> Emit:
    """A `code` whose required value set says which system each of its codes is from."""
    implied = {code: system for system, codes in systems.items() for code in codes}

    def emit(value: Any, path: str, out: list[IndexValue]) -> None:
        out.append(Token(path, implied.get(value), value))

    return emit


def emit_string(value: Any, path: str, out: list[IndexValue]) -> None:
    text = fold(value)
    out.append(String(path, text, value))


def emit_parts(parts: tuple[str, ...]) -> Emit:
    """Every string of a HumanName or an Address."""

    def emit(value: Json, path: str, out: list[IndexValue]) -> None:
        for part in parts:
            held = value.get(part)
            if type(held) is str:
                emit_string(held, path, out)
            elif held:
                for item in held:
                    if type(item) is str:
                        emit_string(item, path, out)

    return emit


def emit_uri(value: Any, path: str, out: list[IndexValue]) -> None:
    out.append(Uri(path, value))


def emit_reference(value: Json, path: str, out: list[IndexValue]) -> None:
    named = value.get("identifier")
    if named and type(named.get("value")) is str:
        out.append(Named(path, named.get("system"), named["value"]))
    text = value.get("reference")
    if type(text) is not str or text.startswith("#"):
        return
    target = target_of(value)
    out.append(Link(path, *target, None) if target else Link(path, None, None, text))


def emit_canonical(value: Any, path: str, out: list[IndexValue]) -> None:
    """A canonical with a version is found with and without it."""
    written = dict.fromkeys((value, value.partition("|")[0]))
    out.extend([Link(path, None, None, url) for url in written])


def emit_date(zone: tzinfo) -> Emit:
    def emit(value: Any, path: str, out: list[IndexValue]) -> None:
        low, high = range_of(value, zone)
        out.append(Date(path, low, high))

    return emit


def emit_period(zone: tzinfo) -> Emit:
    def emit(value: Json, path: str, out: list[IndexValue]) -> None:
        found = _period(value, zone)
        out.append(Date(path, *found))

    return emit


def emit_timing(zone: tzinfo) -> Emit:
    """The outer bounds of a schedule: its events and its bounding period."""

    def emit(value: Json, path: str, out: list[IndexValue]) -> None:
        ranges = list(_timing(value, zone))
        if ranges:
            low, high = min(each.low for each in ranges), max(each.high for each in ranges)
            out.append(Date(path, low, high))

    return emit


def _period(value: Json, zone: tzinfo) -> Range:
    start, end = value.get("start"), value.get("end")
    low = range_of(start, zone).low if type(start) is str else FAR_PAST
    high = range_of(end, zone).high if type(end) is str else FAR_FUTURE
    return Range(low, high)


def _timing(value: Json, zone: tzinfo) -> Iterator[Range]:
    for event in value.get("event", ()):
        if type(event) is str:
            yield range_of(event, zone)
    bounds = value.get("repeat", {}).get("boundsPeriod")
    if bounds:
        yield _period(bounds, zone)


PARTS: Final[dict[str, tuple[str, ...]]] = {"HumanName": _NAME_PARTS, "Address": _ADDRESS_PARTS}

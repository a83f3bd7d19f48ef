"""What the search index holds of a resource, and how each data type is turned into it."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from typing import Any, Final, NamedTuple

from emr.definitions.dates import FAR_FUTURE, FAR_PAST, Range, range_of
from emr.kernel.text import fold

Json = dict[str, Any]


class Token(NamedTuple):
    """A code with its system, None where the element has none; the implied system of a `code` is given."""

    param: str
    system: str | None
    code: str


class String(NamedTuple):
    """value: folded (`emr.kernel.text.fold`), for search. raw: as sent, for `:exact`."""

    param: str
    value: str
    raw: str


class Date(NamedTuple):
    """Moments from low up to, not including, high; UTC."""

    param: str
    low: datetime
    high: datetime


class Link(NamedTuple):
    """A link to `target_type/target_id` on this server, or else the address as sent in `url`."""

    param: str
    target_type: str | None
    target_id: str | None
    url: str | None


class Uri(NamedTuple):
    """An address as sent."""

    param: str
    url: str


class Identifier(NamedTuple):
    """A business identifier in full."""

    system: str | None
    value: str


IndexValue = Token | String | Date | Link | Uri
Emit = Callable[[Any, tuple[str, ...], list[IndexValue]], None]
"""Adds the index values of one element for each of the parameter names."""

_RELATIVE = re.compile(
    r"([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?", re.ASCII
).fullmatch
_NAME_PARTS: Final = ("text", "family", "given", "prefix", "suffix")
_ADDRESS_PARTS: Final = ("text", "line", "city", "district", "state", "country", "postalCode")


def target_of(reference: Json) -> tuple[str, str] | None:
    """(type, id) of a relative reference, whatever version it names."""
    text = reference.get("reference")
    match = _RELATIVE(text) if type(text) is str else None
    return (match.group(1), match.group(2)) if match else None


def target_type(reference: Json) -> str | None:
    """The type that a reference says it points to: by its text, else by its `type`."""
    target = target_of(reference)
    said = target[0] if target else reference.get("type")
    return said if type(said) is str else None


def emit_coding(value: Json, names: tuple[str, ...], out: list[IndexValue]) -> None:
    code = value.get("code")
    if type(code) is str:
        system = value.get("system")
        out.extend([Token(name, system, code) for name in names])


def emit_concept(value: Json, names: tuple[str, ...], out: list[IndexValue]) -> None:
    for coding in value.get("coding", ()):
        emit_coding(coding, names, out)


def emit_identifier(value: Json, names: tuple[str, ...], out: list[IndexValue]) -> None:
    text = value.get("value")
    if type(text) is str:
        out.extend([Token(name, value.get("system"), text) for name in names])


def emit_contact(value: Json, names: tuple[str, ...], out: list[IndexValue]) -> None:
    text = value.get("value")
    if type(text) is str:
        out.extend([Token(name, None, text) for name in names])


def emit_boolean(value: Any, names: tuple[str, ...], out: list[IndexValue]) -> None:
    out.extend([Token(name, None, "true" if value else "false") for name in names])


def emit_plain(value: Any, names: tuple[str, ...], out: list[IndexValue]) -> None:
    out.extend([Token(name, None, value) for name in names])


def emit_code(systems: dict[str, frozenset[str]]) -> Emit:
    """A `code` whose required value set says which system each of its codes is from."""
    implied = {code: system for system, codes in systems.items() for code in codes}

    def emit(value: Any, names: tuple[str, ...], out: list[IndexValue]) -> None:
        out.extend([Token(name, implied.get(value), value) for name in names])

    return emit


def emit_string(value: Any, names: tuple[str, ...], out: list[IndexValue]) -> None:
    text = fold(value)
    out.extend([String(name, text, value) for name in names])


def emit_parts(parts: tuple[str, ...]) -> Emit:
    """Every string of a HumanName or an Address."""

    def emit(value: Json, names: tuple[str, ...], out: list[IndexValue]) -> None:
        for part in parts:
            held = value.get(part)
            if type(held) is str:
                emit_string(held, names, out)
            elif held:
                for item in held:
                    if type(item) is str:
                        emit_string(item, names, out)

    return emit


def emit_uri(value: Any, names: tuple[str, ...], out: list[IndexValue]) -> None:
    out.extend([Uri(name, value) for name in names])


def emit_reference(value: Json, names: tuple[str, ...], out: list[IndexValue]) -> None:
    text = value.get("reference")
    if type(text) is not str or text.startswith("#"):
        return
    match = _RELATIVE(text)
    kind, key, url = (match.group(1), match.group(2), None) if match else (None, None, text)
    out.extend([Link(name, kind, key, url) for name in names])


def emit_canonical(value: Any, names: tuple[str, ...], out: list[IndexValue]) -> None:
    """A canonical with a version is found with and without it."""
    written = dict.fromkeys((value, value.partition("|")[0]))
    out.extend([Link(name, None, None, url) for name in names for url in written])


def emit_date(zone: tzinfo) -> Emit:
    def emit(value: Any, names: tuple[str, ...], out: list[IndexValue]) -> None:
        low, high = range_of(value, zone)
        out.extend([Date(name, low, high) for name in names])

    return emit


def emit_period(zone: tzinfo) -> Emit:
    def emit(value: Json, names: tuple[str, ...], out: list[IndexValue]) -> None:
        found = _period(value, zone)
        out.extend([Date(name, *found) for name in names])

    return emit


def emit_timing(zone: tzinfo) -> Emit:
    """The outer bounds of a schedule: its events and its bounding period."""

    def emit(value: Json, names: tuple[str, ...], out: list[IndexValue]) -> None:
        ranges = list(_timing(value, zone))
        if ranges:
            low, high = min(each.low for each in ranges), max(each.high for each in ranges)
            out.extend([Date(name, low, high) for name in names])

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

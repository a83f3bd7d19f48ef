"""What the search index holds of a resource, and how each data type is turned into it."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, Final, NamedTuple

from emr.definitions.dates import FAR_FUTURE, FAR_PAST, Range, range_of
from emr.kernel.text import fold

Json = dict[str, Any]


class Token(NamedTuple):
    """A code with its system, None where the element has none; the implied system of a `code` is given."""

    path: str
    system: str | None
    code: str


class Identified(NamedTuple):
    """A business identifier that the parameter `identifier` finds."""

    path: str
    system: str | None
    value: str


class OfType(NamedTuple):
    """An identifier together with one coding of its type, for `:of-type`."""

    path: str
    system: str | None
    code: str
    value: str


class String(NamedTuple):
    """value: folded (`emr.kernel.text.fold`), for search. raw: as sent, for `:exact`."""

    path: str
    value: str
    raw: str


class Date(NamedTuple):
    """Moments from low up to, not including, high; UTC."""

    path: str
    low: datetime
    high: datetime


class Link(NamedTuple):
    """A link to `target_type/target_id` on this server, or else the address as sent in `url`."""

    path: str
    target_type: str | None
    target_id: str | None
    url: str | None


class Named(NamedTuple):
    """What a reference says about its target by a business identifier, for `:identifier`."""

    path: str
    system: str | None
    value: str


class Uri(NamedTuple):
    """An address as sent."""

    path: str
    url: str


class Amount(NamedTuple):
    """A number or a quantity: a point, or a range with infinite ends where it is open.

    unit: empty for the value as written, whatever its unit; `=` and the name of base units (`units.canonical`) for the
    value in those; else `system|code`, or `|unit` and `|code` without a system, for the value as written.
    """

    path: str
    low: Decimal
    high: Decimal
    unit: str


class Together(NamedTuple):
    """What stands together in one base element, for composite parameters (`records.keys.composite_key`).

    parts: codes, `system|code`, targets and addresses, in the order of the components. low, high: of a quantity or a
    number, or moments in seconds since 1970; of two numbers, the first and the second. text: a folded string.
    """

    path: str
    parts: tuple[str, ...]
    unit: str
    low: Decimal | None
    high: Decimal | None
    text: str | None


class Words(NamedTuple):
    """The text of a coded element, for `:text`."""

    path: str
    text: str


class Identifier(NamedTuple):
    """A business identifier in full."""

    system: str | None
    value: str


IndexValue = Token | Identified | OfType | String | Date | Link | Named | Uri | Amount | Together | Words
Emit = Callable[[Any, str, list[IndexValue]], None]
"""Adds the index values of one element under its path."""

_PLACE = r"([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?"
_RELATIVE = re.compile(_PLACE, re.ASCII).fullmatch
_ELSEWHERE = re.compile("https?://[^?#]+/" + _PLACE, re.ASCII).fullmatch
_NAME_PARTS: Final = ("text", "family", "given", "prefix", "suffix")
_ADDRESS_PARTS: Final = ("text", "line", "city", "district", "state", "country", "postalCode")


def target_of(reference: Json) -> tuple[str, str] | None:
    """(type, id) of a relative reference, whatever version it names."""
    text = reference.get("reference")
    match = _RELATIVE(text) if type(text) is str else None
    return (match.group(1), match.group(2)) if match else None


def target_type(reference: Json) -> str | None:
    """The type that a reference says it points to: by its text, here or elsewhere, else by its `type`."""
    text = reference.get("reference")
    match = (_RELATIVE(text) or _ELSEWHERE(text)) if type(text) is str else None
    said = match.group(1) if match else reference.get("type")
    return said if type(said) is str else None


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
    match = _RELATIVE(text)
    out.append(Link(path, match.group(1), match.group(2), None) if match else Link(path, None, None, text))


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

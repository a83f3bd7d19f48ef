"""What the search index holds of a resource, and what a reference says it points to."""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

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

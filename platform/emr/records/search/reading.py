"""Values as searches write them, read for each kind of parameter (search.html#ptypes)."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final, cast

from emr.definitions.dates import range_of
from emr.definitions.model import resource_types
from emr.definitions.own import NONE, Known
from emr.definitions.search import SearchParameter
from emr.kernel.text import fold
from emr.records.errors import SearchRefused
from emr.records.search.question import (
    Combined,
    Local,
    Moments,
    Number,
    OfType,
    Prefix,
    Quantity,
    Text,
    Token,
    Uri,
    Value,
)
from emr.records.search.text import split, unescape
from emr.records.stored import is_id

_PREFIX: Final = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[-\d])")
_NUMBER: Final = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?", re.ASCII)
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII)
_TENTH: Final = Decimal("0.1")
_HALF: Final = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Reader:
    """What names and values mean here and now: the hospital's time zone, the moment for `ap`, our own address.

    known: the parameters that may be named.
    """

    zone: tzinfo
    now: datetime
    base_url: str = ""
    known: Known = NONE

    def value(self, parameter: SearchParameter, modifier: str, text: str, name: str) -> Value:
        """One value of a parameter. Raises `SearchRefused` naming `name`."""
        found: Value
        match parameter.kind:
            case "token":
                found = _of_type(text, name) if modifier == "of-type" else _coded(modifier, text, name)
            case "reference":
                found = self._reference(parameter, modifier, text, name)
            case "date":
                found = self.moments(text, name)
            case "number":
                found = number_of(unescape(text), name)
            case "quantity":
                found = quantity_of(text, name)
            case "uri":
                found = Uri(unescape(text))
            case "composite":
                found = self._combined(parameter, text, name)
            case _:
                found = string_of(unescape(text), name, exact=modifier == "exact")
        return found

    def moments(self, text: str, name: str) -> Moments:
        """A date with its prefix (search.html#date)."""
        prefix, rest = prefix_of(unescape(text))
        try:
            low, high = range_of(rest, self.zone)
        except ValueError as error:
            raise SearchRefused("date-form", "The value is not a date.", name) from error
        if prefix == "ap":
            margin = abs(self.now - low) / 10
            low, high = _shifted(low, -margin), _shifted(high, margin)
        return Moments(prefix, low, high)

    def _reference(self, parameter: SearchParameter, modifier: str, text: str, name: str) -> Value:
        if modifier == "identifier":
            named = token_of(text, name)
            if named.code is None:
                raise SearchRefused("token-form", "With :identifier the value is value or system|value.", name)
            return named
        plain = unescape(text)
        own = self.base_url + "/"
        plain = plain.removeprefix(own) if self.base_url else plain
        if _ADDRESS.match(plain):
            if modifier:
                raise SearchRefused("reference-form", f"With :{modifier} the value is an id.", name)
            return Uri(plain)
        kind, slash, key = plain.rpartition("/")
        if not is_id(key) or (slash and kind not in resource_types()):
            raise SearchRefused("reference-form", "A reference is an id, Type/id or an absolute address.", name)
        if slash and modifier in resource_types() and kind != modifier:
            raise SearchRefused("reference-form", f"The value is no {modifier}.", name)
        if slash:
            return Local((kind,) if kind in (parameter.targets or resource_types()) else (), key)
        if modifier in resource_types():
            return Local((modifier,), key)
        return Local(tuple(sorted(parameter.targets or resource_types())), key)

    def _combined(self, parameter: SearchParameter, text: str, name: str) -> Combined:
        parts = split(text, "$")
        components = parameter.composites[0].components
        if len(parts) != len(components):
            rule = f"{parameter.name} has {len(components)} values with $ between them."
            raise SearchRefused("composite-form", rule, name)
        if not all(parts):
            raise SearchRefused("search-value-empty", "A part of the value is empty.", name)
        found = tuple(self.value(each, "", part, name) for each, part in zip(components, parts, strict=True))
        whole_system = any(isinstance(part, Token) and part.code is None for part in found)
        if whole_system and any(each.stored for each in parameter.composites):
            raise SearchRefused("composite-form", f"In {parameter.name} a token names a code.", name)
        return Combined(found)


def prefix_of(value: str) -> tuple[Prefix, str]:
    """The comparison that a value asks for, and the rest (search.html#prefix)."""
    found = _PREFIX.match(value)
    return (cast(Prefix, found[1]), value[2:]) if found else ("eq", value)


def token_of(text: str, name: str) -> Token:
    """`code`, `system|code`, `|code` or `system|` (search.html#token)."""
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) > 2 or not any(parts):
        raise SearchRefused("token-form", "A token is code, system|code, |code or system|.", name)
    if len(parts) == 1:
        return Token(None, parts[0])
    return Token(parts[0], parts[1] or None)


def string_of(text: str, name: str, *, exact: bool = False) -> Text:
    """Text that holds something to look for."""
    if not exact and not fold(text):
        raise SearchRefused("search-value-empty", "The value holds no letter or digit.", name)
    return Text(text)


def number_of(text: str, name: str) -> Number:
    """A number with its prefix and the range that its digits imply (search.html#number).

    `100` stands for [99.5, 100.5), `100.00` for [99.995, 100.005), and `1e2`, as the specification has it, for
    [95, 105): an exponent after a whole mantissa counts one digit more than is written.
    """
    prefix, rest = prefix_of(text)
    if not _NUMBER.fullmatch(rest):
        raise SearchRefused("number-form", "The value is not a number.", name)
    exact = Decimal(rest)
    exponent = cast(int, exact.as_tuple().exponent)
    mantissa, mark, _ = rest.lower().partition("e")
    if mark and "." not in mantissa:
        exponent -= 1
    half = _HALF.scaleb(exponent)
    if prefix == "ap":
        half = max(half, abs(exact) * _TENTH)
    return Number(prefix, exact, exact - half, exact + half)


def quantity_of(text: str, name: str) -> Quantity:
    """`number`, `number|system|code` or `number||code` (search.html#quantity)."""
    parts = [unescape(part) for part in split(text, "|")]
    number = number_of(parts[0], name)
    match parts[1:]:
        case []:
            return Quantity(number, None, None)
        case [system, code] if code:
            return Quantity(number, system or None, code)
        case _:
            raise SearchRefused("quantity-form", "A quantity is number, number|system|code or number||code.", name)


def _coded(modifier: str, text: str, name: str) -> Value:
    if modifier == "text":
        return string_of(unescape(text), name)
    if modifier in ("in", "not-in"):
        return Uri(unescape(text))
    token = token_of(text, name)
    if modifier in ("above", "below") and not (token.system and token.code):
        raise SearchRefused("token-form", f"With :{modifier} the value is system|code.", name)
    return token


def _of_type(text: str, name: str) -> OfType:
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) != 3 or not all(parts):
        raise SearchRefused("token-form", "With :of-type the value is system|code|value.", name)
    return OfType(*parts)


def _shifted(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return moment

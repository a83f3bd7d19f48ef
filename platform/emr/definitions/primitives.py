"""The primitive data types of R4 (https://hl7.org/fhir/R4/datatypes.html#primitive): is a JSON value one of them."""

import binascii
import re
from calendar import monthrange
from collections.abc import Callable
from typing import Any, Final

from emr.kernel.json import Number

MAX_TEXT: Final = 1024 * 1024
"""Characters in a string, the specification's limit."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]{1,9})?"
_DAY = r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_DATE = re.compile(rf"{_DAY}|(?!0000)[0-9]{{4}}(?:-(?:0[1-9]|1[0-2]))?", re.ASCII).fullmatch
_DATE_TIME = re.compile(rf"{_DAY}(?:T{_CLOCK}{_ZONE})?|(?!0000)[0-9]{{4}}(?:-(?:0[1-9]|1[0-2]))?", re.ASCII).fullmatch
_INSTANT = re.compile(rf"{_DAY}T{_CLOCK}{_ZONE}", re.ASCII).fullmatch
_TIME = re.compile(_CLOCK, re.ASCII).fullmatch
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII).fullmatch
_CODE = re.compile(r"\S+(?:[ \t\n\r]\S+)*").fullmatch
_OID = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+", re.ASCII).fullmatch
_UUID = re.compile(r"urn:uuid:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII).fullmatch
_SPACE = re.compile(r"\s")
_INT_MAX: Final = 2**31 - 1

Test = Callable[[Any], bool]


def decoded(text: str) -> bytes | None:
    """The bytes behind a base64Binary (white space between groups is allowed), or None if it is not one."""
    try:
        return binascii.a2b_base64("".join(text.split()) if _SPACE.search(text) else text, strict_mode=True)
    except (binascii.Error, ValueError):
        return None


def _real_day(found: re.Match[str] | None) -> bool:
    if found is None:
        return False
    year, month, day = found.group(1), found.group(2), found.group(3)
    if day is None or (day < "29" and year != "0000"):
        return True
    return year != "0000" and int(day) <= monthrange(int(year), int(month))[1]


def _is_date(value: Any) -> bool:
    return type(value) is str and _real_day(_DATE(value))


def _is_date_time(value: Any) -> bool:
    return type(value) is str and _real_day(_DATE_TIME(value))


def _is_instant(value: Any) -> bool:
    return type(value) is str and _real_day(_INSTANT(value))


def _is_string(value: Any) -> bool:
    return (
        type(value) is str
        and (value.isprintable() or _CONTROL.search(value) is None)
        and not value.isspace()
        and 0 < len(value) <= MAX_TEXT
    )


def _is_uri(value: Any) -> bool:
    if type(value) is not str or not 0 < len(value) <= MAX_TEXT:
        return False
    if value.isprintable():
        return " " not in value  # All other white space is not printable.
    return _SPACE.search(value) is None and _CONTROL.search(value) is None


def _matching(match: Callable[[str], re.Match[str] | None]) -> Test:
    def test(value: Any) -> bool:
        return type(value) is str and match(value) is not None

    return test


def _is_code(value: Any) -> bool:
    if type(value) is str and value.isprintable() and " " not in value:
        return 0 < len(value) <= MAX_TEXT
    return type(value) is str and len(value) <= MAX_TEXT and _CODE(value) is not None and _CONTROL.search(value) is None


def _is_boolean(value: Any) -> bool:
    return type(value) is bool


def _is_decimal(value: Any) -> bool:
    return type(value) is Number or type(value) is int or type(value) is float


def _between(low: int, high: int) -> Test:
    def test(value: Any) -> bool:
        return type(value) is int and low <= value <= high

    return test


def _is_base64(value: Any) -> bool:
    return type(value) is str and value != "" and decoded(value) is not None


TESTS: Final[dict[str, tuple[Test, str]]] = {
    "base64Binary": (_is_base64, "base64 text"),
    "boolean": (_is_boolean, "true or false"),
    "canonical": (_is_uri, "a URI without white space"),
    "code": (_is_code, "a code: no white space at its ends, single spaces inside"),
    "date": (_is_date, "a day of the calendar as YYYY, YYYY-MM or YYYY-MM-DD"),
    "dateTime": (_is_date_time, "a day of the calendar, or a time with seconds and a zone"),
    "decimal": (_is_decimal, "a number"),
    "id": (_matching(_ID), "1 to 64 of A-Z a-z 0-9 - ."),
    "instant": (_is_instant, "a time with seconds and a zone"),
    "integer": (_between(-_INT_MAX - 1, _INT_MAX), "a whole number of 32 bits"),
    "markdown": (_is_string, "text without control characters, not empty"),
    "oid": (_matching(_OID), "urn:oid: and an OID"),
    "positiveInt": (_between(1, _INT_MAX), "a whole number from 1"),
    "string": (_is_string, "text without control characters, not empty"),
    "time": (_matching(_TIME), "a time of day as hh:mm:ss"),
    "unsignedInt": (_between(0, _INT_MAX), "a whole number from 0"),
    "uri": (_is_uri, "a URI without white space"),
    "url": (_is_uri, "a URL without white space"),
    "uuid": (_matching(_UUID), "urn:uuid: and a UUID"),
}
"""Name to the test and to what a message says is expected."""

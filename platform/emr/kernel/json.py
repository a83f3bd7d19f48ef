"""The strict JSON codec: what cannot be kept exactly is refused, and what is kept can be spliced without a rebuild.

Choices, each where the JSON standard (RFC 8259) leaves room:

- Text is UTF-8 without a byte-order mark; NUL and lone surrogates are refused, because no database column holds them.
- A key stands once in an object; the root is an object; nothing follows it.
- An integer becomes `int`. A number with a point or an exponent (and `-0`) becomes `Number`, a `Decimal` that remembers
  its own spelling, so `1.10` and `0.00000100` go out digit for digit and `2.0` never passes for an integer.
- Depth, keys per object, digits and the number of values are bounded, so that 16 MiB of hostile input costs neither
  seconds nor hundreds of megabytes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from json import JSONDecodeError, JSONDecoder
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from secrets import token_hex
from typing import Any, Final, NoReturn, Self

from emr.kernel.errors import Malformed, TooLarge

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_DEPTH: Final = 64
MAX_KEYS: Final = 10_000
MAX_DIGITS: Final = 40
MAX_WEIGHT: Final = 700_000
"""A comma weighs 1 and a bracket 4: about the memory that each costs. 16 MiB of dense FHIR stays below."""

MAX_DECIMALS: Final = 200_000
"""Numbers with a point or an exponent, which cost the most; 16 MiB of Observations hold 80,000."""

RESERVED_SYSTEM: Final = "urn:emr:"
"""Tags under this prefix are the platform's own; one that a client sends is dropped."""
_CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_LESS_THAN_NORMAL: Final = frozenset({"U", "L", "M"})
_SERVERS_OWN: Final = frozenset({"versionId", "lastUpdated", "_versionId", "_lastUpdated"})

_SPACE = re.compile(r"[ \t\n\r]*")
_KEY = re.compile(r'[ \t\n\r]*"[^"\\]*(?:\\.[^"\\]*)*"[ \t\n\r]*:[ \t\n\r]*')
_ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_TEXT = re.compile(rb'"[^"]*"')
_LEVELS: Final = bytes.maketrans(b"[]", b"{}")
_LEVELLESS: Final = bytes(each for each in range(256) if each not in b'[]{}"')
_DECIMAL = re.compile(rb"[:,\[][ \t\n\r]*-?[0-9]+[.eE]")
_MARK: Final = token_hex(8)
"""Known to this process only: no text from outside can pass for a number on its way out."""
_MARKED = re.compile(rf'"\\u0000{_MARK}([-+.0-9eE]+)"')


class Number(Decimal):
    """A JSON number with a point or an exponent; `text` is how it was written."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        number = Decimal.__new__(cls, text)
        number.text = text
        return number

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@dataclass(frozen=True, slots=True)
class Document:
    """An object beside the text it came as, which is empty when it was made by us."""

    value: dict[str, Any]
    text: str = ""


def parse(data: bytes) -> Document:
    """Read one JSON object.

    Raises Malformed with one of the codes `json-empty json-encoding json-syntax json-duplicate-key json-depth
    json-number json-character json-root json-keys`, or TooLarge (`json-size`, `json-values`).
    """
    text = _decoded(data)
    try:
        document = _object(text)
    except JSONDecodeError as error:
        raise Malformed("json-syntax", f"{error.msg} at character {error.pos}.") from None
    except StopIteration as stop:
        raise Malformed("json-syntax", f"A value is missing at character {stop.value}.") from None
    except RecursionError:
        raise _too_deep() from None
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        _refuse_depth(data)
    return document


def compose(value: dict[str, Any]) -> Document:
    """A document made by us: it is written when it is spliced, and never read again."""
    return Document(value)


def loads(data: bytes) -> dict[str, Any]:
    """`parse` for a caller that needs the value only."""
    return parse(data).value


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise TooLarge("json-size", f"A JSON body has at most {MAX_BYTES} bytes.")
    if data.startswith(b"\xef\xbb\xbf"):
        raise Malformed("json-encoding", "The body begins with a byte-order mark; JSON is UTF-8 without one.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("json-encoding", f"The body is not UTF-8: byte {error.start} is wrong.") from None
    weight = (data.count(b"{") + data.count(b"[")) * 4 + data.count(b",")
    if weight > MAX_WEIGHT or (weight > MAX_DECIMALS and sum(1 for _ in _DECIMAL.finditer(data)) > MAX_DECIMALS):
        raise TooLarge("json-values", "The body holds too many values.")
    if b"\\u" in data and any(escape.group(1) for escape in _ESCAPES.finditer(data)):
        raise Malformed("json-character", "A string holds NUL or half of a surrogate pair.")
    return text


def _object(text: str) -> Document:
    begin = _skip(text, 0)
    if begin == len(text):
        raise Malformed("json-empty", "The body is empty.")
    value, end = _SCAN(text, begin)
    if (rest := _skip(text, end)) != len(text):
        raise Malformed("json-syntax", f"Something follows the root value at character {rest}.")
    if type(value) is not dict:
        raise Malformed("json-root", "The root of the body is not an object.")
    return Document(value, text[begin:end])


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        raise _duplicate(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    if len(pairs) > MAX_KEYS:
        raise _too_many_keys()
    return value


_new: Final = Decimal.__new__
"""A million decimals are made in a second; a frame less for each is a quarter of that."""


def _integer(text: str) -> int | Number:
    if len(text) > MAX_DIGITS:
        raise Malformed("json-number", f"A number has at most {MAX_DIGITS} digits.")
    return Number(text) if text == "-0" else int(text)


def _decimal(text: str) -> Number:
    if len(text) > MAX_DIGITS:
        raise Malformed("json-number", f"A number has at most {MAX_DIGITS} characters.")
    number = _new(Number, text)
    number.text = text
    if ("e" in text or "E" in text) and not -308 <= number.adjusted() <= 308:
        raise Malformed("json-number", "A number is out of range.")
    return number


def _constant(text: str) -> NoReturn:
    raise Malformed("json-number", f"{text} is not a JSON number.")


def _duplicate(key: str) -> Malformed:
    return Malformed("json-duplicate-key", "A key stands twice in one object.", location=key[:64])


def _too_many_keys() -> Malformed:
    return Malformed("json-keys", f"An object has at most {MAX_KEYS} keys.")


def _too_deep() -> Malformed:
    return Malformed("json-depth", f"Values are nested more than {MAX_DEPTH} deep.")


def _refuse_depth(data: bytes) -> None:
    """Of what has been read, so that brackets are in pairs: all but brackets and quotes is left out, then texts, and
    then the innermost pairs as often as there are levels. Ten times as fast as walking through the value.
    """
    if b"\\" in data:
        data = _ESCAPED.sub(b"", data)
    # A pair of quotes is an empty text, or the end of one and the beginning of the next; what is inside stays inside.
    data = data.translate(_LEVELS, _LEVELLESS).replace(b'""', b"")
    if b'"' in data:
        data = _TEXT.sub(b"", data)
    for _ in range(MAX_DEPTH):
        if not data:
            return
        data = data.replace(b"{}", b"")
    if data:
        raise _too_deep()


_SCAN: Final = JSONDecoder(
    object_pairs_hook=_unique, parse_float=_decimal, parse_int=_integer, parse_constant=_constant
).scan_once  # type: ignore[attr-defined]


def _mark(value: object) -> str:
    if isinstance(value, Number):
        return f"\0{_MARK}{value.text}"
    if isinstance(value, Decimal) and value.is_finite():
        return f"\0{_MARK}{value}"
    raise TypeError(f"{type(value).__name__} has no place in JSON.")


_ENCODE: Final = c_make_encoder(None, _mark, encode_basestring, None, ":", ",", False, False, False)


def dumps(value: Any) -> bytes:
    """UTF-8 without spaces; decimals as they were written. Raises Malformed for NUL and lone surrogates in strings."""
    text = "".join(_ENCODE(value, 0))
    if "\\u0000" in text:
        text = _MARKED.sub(r"\1", text)
        if any(escape.group(1) for escape in _ESCAPES.finditer(text.encode("utf-8", "replace"))):
            raise Malformed("json-character", "A string holds NUL.")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("json-character", "A string holds half of a surrogate pair.") from None


def splice(document: Document, *, type: str, id: str, version: int, last_updated: datetime) -> bytes:  # noqa: A002
    """The body as it will be stored: `resourceType`, `id`, `meta`, then every other member in the bytes it came with.

    `meta` keeps what a client may say (profile, tag, security, source, extension); `versionId` and `lastUpdated` are
    the server's. Tags of the platform's own systems and labels that make a resource less confidential are dropped.
    White space outside the root object is dropped. A document made by us is written here. Raises Malformed as `dumps`.
    """
    meta = _meta_text(document.value.get("meta"), version, last_updated)
    head = f'{{"resourceType":"{type}","id":"{id}","meta":{meta}'
    if not document.text:
        others = {key: value for key, value in document.value.items() if key not in _PLACED}
        return head.encode("utf-8") + (b"," + dumps(others)[1:] if others else b"}")
    return ",".join([head, *_others(document)]).encode("utf-8") + b"}"


def _meta_text(sent: object, version: int, last_updated: datetime) -> str:
    if not sent:
        return f'{{"versionId":"{version}","lastUpdated":"{instant(last_updated)}"}}'
    return dumps(server_meta(sent, version=version, last_updated=last_updated)).decode("utf-8")


_PASS: Final = JSONDecoder().scan_once  # type: ignore[attr-defined]
"""Finds the end of a value that `_SCAN` has taken before."""
_PLACED: Final = ("resourceType", "id", "meta")


def _others(document: Document) -> Iterator[str]:
    """The text of every member but the three, with the white space around it.

    Members are walked by hand only as far as the last of the three, which are nearly always the first.
    """
    text, keys = document.text, list(document.value)
    walk = max((keys.index(key) + 1 for key in _PLACED if key in document.value), default=0)
    begin = 1
    for key in keys[:walk]:
        found = _KEY.match(text, begin)
        assert found is not None
        end = _skip(text, _PASS(text, found.end())[1])
        if key not in _PLACED:
            yield text[begin:end]
        begin = end + 1
    if walk < len(keys):
        yield text[begin:-1]


def server_meta(sent: object, *, version: int, last_updated: datetime) -> dict[str, Any]:
    """The `meta` of a stored version, from what the client sent and what the server knows."""
    own: dict[str, Any] = {"versionId": str(version), "lastUpdated": instant(last_updated)}
    if not isinstance(sent, dict):
        return own
    for key, value in sent.items():
        if key in {"tag", "security"} and isinstance(value, list):
            kept = [coding for coding in value if not _forged(coding)]
            if kept:
                own[key] = kept
        elif key not in _SERVERS_OWN:
            own[key] = value
    return own


def _forged(coding: object) -> bool:
    if not isinstance(coding, dict):
        return False
    system, code = coding.get("system"), coding.get("code")
    if isinstance(system, str) and system.startswith(RESERVED_SYSTEM):
        return True
    return system == _CONFIDENTIALITY and code in _LESS_THAN_NORMAL


@lru_cache(maxsize=64)
def instant(moment: datetime) -> str:
    """A FHIR instant in UTC; milliseconds, or microseconds when there are any."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds" if utc.microsecond % 1000 else "milliseconds") + "Z"

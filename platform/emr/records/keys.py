"""Keys of the search index: 64 bits of BLAKE2b, keyed for one hospital, of element path and value.

A key tells nothing without the hospital's key, and every lookup in the index is one comparison of integers.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

_SIGN: Final = 1 << 63
_SPAN: Final = 1 << 64
_LOW: Final = (1 << 31) - 1
_WHOLE: Final = 255


def key_of(index_key: bytes, path: str, value: str = "") -> int:
    """The signed 64-bit key of an element's path and a value (RFC 7693)."""
    number = int.from_bytes(blake2b(f"{path}\0{value}".encode(), digest_size=8, key=index_key).digest(), "big")
    return number - _SPAN if number & _SIGN else number


@lru_cache(maxsize=16_384)
def path_key(index_key: bytes, path: str) -> int:
    """The key of a path alone, for tables that hold the value beside it."""
    return key_of(index_key, path)


@lru_cache(maxsize=4_096)
def system_number(index_key: bytes, system: str | None) -> int:
    """What `tokens` holds of a code's system beside the key of path and code: 31 bits, never 0, also of no system."""
    return key_of(index_key, "", system or "") & _LOW or 1


def coded_key(key: int, system: int) -> int:
    """One number for a key and the number of a system, where several pairs are asked for (`search.rows.coded_key`)."""
    return key ^ (system << 32)


def token_value(system: str | None, code: str) -> str:
    """A coded value with its system; without one, the bar stands alone before the code."""
    return f"{system or ''}|{code}"


def lock_number(*names: str) -> int:
    """The number of an advisory lock that stands for these names, of which the first is the hospital's."""
    return int.from_bytes(blake2b("\0".join(names).encode(), digest_size=8).digest(), "big", signed=True)


def held_text(text: str) -> str:
    """An identifier's value or system as it stands in the index: whole, unless it is too long for an index row."""
    if len(text) <= _WHOLE:
        return text
    return text[: _WHOLE - 65] + "#" + blake2b(text.encode(), digest_size=32).hexdigest()


def canonical_unit(unit: str) -> str:
    """The value that a quantity's key has beside its path, where the quantity is held in a canonical unit of UCUM.

    Without a value the key finds it as written, whatever its unit. Units that UCUM does not know are `token_value` of
    system and code, and `token_value(None, unit)` of the unit's text and of its code.
    """
    return f"={unit}"


def composite_key(index_key: bytes, path: str, parts: Sequence[str], unit: str = "") -> int:
    """The key of values that stand together in one element.

    parts: of every token its code or `token_value`, of every reference `Type/id` or the address, of every uri the
    address, in the order of the components. unit: as for a quantity of its own; empty for any unit.
    Dates and numbers stand in `low` and `high`, a string in `value`; of two numbers, which are points, the first in
    `low` and the second in `high`.
    """
    return key_of(index_key, path, "\0".join((*parts, unit)))


def of_type_path(path: str) -> str:
    """Where identifiers stand with their type; the value is `system|code|value`."""
    return path + ":of-type"


def identifier_path(path: str) -> str:
    """Where references stand by the identifier of what they mean; the values are those of a token."""
    return path + ":identifier"


def url_path(path: str) -> str:
    """Where links stand that lead elsewhere; the value is the address."""
    return path + ":url"

"""Keys of the search index: 64 bits of BLAKE2b, keyed for one hospital, of parameter and value.

A key tells nothing without the hospital's key, and every lookup in the index is one comparison of integers.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

_SIGN: Final = 1 << 63
_SPAN: Final = 1 << 64
_WHOLE: Final = 255


def key_of(index_key: bytes, resource_type: str, parameter: str, value: str = "") -> int:
    """The signed 64-bit key of `Type.parameter` and a value (RFC 7693)."""
    text = f"{resource_type}.{parameter}\0{value}".encode()
    number = int.from_bytes(blake2b(text, digest_size=8, key=index_key).digest(), "big")
    return number - _SPAN if number & _SIGN else number


@lru_cache(maxsize=4096)
def parameter_key(index_key: bytes, resource_type: str, parameter: str) -> int:
    """The key of a parameter alone, for tables that hold the value beside it."""
    return key_of(index_key, resource_type, parameter)


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


def link_value(target_type: str, target_id: str) -> str:
    """A local target."""
    return f"{target_type}/{target_id}"

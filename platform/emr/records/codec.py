"""How a body lies in the database: one byte that names the codec, then Zstandard (RFC 8878).

Resources repeat the same names and addresses, so a dictionary of those makes a small body four times smaller and its
compression three times faster. A dictionary is never changed: a better one gets the next number and a codec of its own,
and bodies of before stay readable.
"""

import threading
from functools import cache
from importlib import resources
from typing import Final

import zstandard

PLAIN: Final = b"\x01"
WITH_DICTIONARY_1: Final = b"\x02"
_LEVEL: Final = 6


def pack(body: bytes) -> bytes:
    """The body as it is kept; nothing stays nothing."""
    return WITH_DICTIONARY_1 + _contexts().compressor.compress(body) if body else b""


def unpack(kept: bytes) -> bytes:
    """The body as it was stored, byte for byte. Raises KeyError for a codec that this build does not know."""
    return _contexts().decompressors[kept[:1]].decompress(memoryview(kept)[1:]) if kept else b""


class _Contexts(threading.local):
    """One context for each thread: making one costs more than using it, and two threads may not share one."""

    def __init__(self) -> None:
        dictionary = _dictionary(1)
        self.compressor = zstandard.ZstdCompressor(
            level=_LEVEL, dict_data=dictionary, write_checksum=False, write_dict_id=False
        )
        self.decompressors = {
            PLAIN: zstandard.ZstdDecompressor(),
            WITH_DICTIONARY_1: zstandard.ZstdDecompressor(dict_data=dictionary),
        }


@cache
def _dictionary(number: int) -> zstandard.ZstdCompressionDict:
    content = resources.files("emr.records").joinpath("data", f"bodies-{number}.dict").read_bytes()
    dictionary = zstandard.ZstdCompressionDict(content)
    dictionary.precompute_compress(level=_LEVEL)
    return dictionary


@cache
def _contexts() -> _Contexts:
    return _Contexts()

"""The words of a resource, as its row in the table `words` holds them.

Plain words are found by `_content`; those of the narrative stand behind a sign and are found by `_text` too. Beside
them stand the words of coded elements behind the mark of their path (`:text`), addresses behind the mark of theirs
(`:below`), and the systems in which an element has a code (`system|`) as hashes. No word begins with one of the signs.
"""

import functools
from collections.abc import Iterator
from typing import Any, Final

from emr.definitions.texts import narrative, texts
from emr.definitions.values import IndexValue, Token, Uri, Words
from emr.kernel.text import words
from emr.records.keys import key_of, path_key

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
_MARK_DIGITS: Final = 5
LONGEST_WORD: Final = 60
LONGEST_ADDRESS: Final = 500
_MOST: Final = 400_000
"""Bytes of lexemes in one row; PostgreSQL has room for 1 MiB. The words of a longer text are held up to there."""
_FEW: Final = 150
"""Lexemes that cannot come to as many bytes, however long each is."""
_SHORT: Final = 100
"""Characters of a text that comes again and again, such as a display."""


def short_mark(key: int) -> str:
    """The lowest 30 bits of a key as text of always the same length."""
    return "".join(_DIGITS[key >> 6 * place & 63] for place in range(_MARK_DIGITS))


@functools.lru_cache(maxsize=8_192)
def path_mark(index_key: bytes, path: str) -> str:
    """What stands, after its sign, before the words and addresses of one element."""
    return short_mark(path_key(index_key, path))


def told_lexeme(word: str) -> str:
    """A word of the narrative."""
    return f">{word}"


def coded_lexeme(index_key: bytes, path: str, word: str) -> str:
    """A word in the text of a coded element."""
    return f"~{path_mark(index_key, path)}{word}"


def system_lexeme(index_key: bytes, path: str, system: str) -> str:
    """That an element has a code of a system. Written out, systems would take more room than all words."""
    return f"|{short_mark(key_of(index_key, path, f'{system}|'))}"


def address_lexeme(index_key: bytes, path: str, url: str) -> str:
    """An address, cut where it is too long for a lexeme."""
    return f"^{path_mark(index_key, path)}{url[:LONGEST_ADDRESS]}"


@functools.lru_cache(maxsize=8_192)
def _system(index_key: bytes, path: str, system: str) -> str:
    return _quoted(system_lexeme(index_key, path, system))


@functools.lru_cache(maxsize=8_192)
def _short_coded(index_key: bytes, path: str, text: str) -> dict[str, None]:
    return _coded(index_key, path, text)


def _coded(index_key: bytes, path: str, text: str) -> dict[str, None]:
    """No word has a quotation mark."""
    mark = path_mark(index_key, path)
    return dict.fromkeys([f"'~{mark}{word}'" for word in _words(text)])


class Lexemes:
    """Gathers the lexemes of one resource."""

    def __init__(self, index_key: bytes) -> None:
        self._key = index_key
        self._marked: dict[str, None] = {}
        """In the quotation marks of a `tsvector`; the words in the others stand alone."""
        self._plain: dict[str, None] = {}
        self._told: dict[str, None] = {}

    def add(self, value: IndexValue) -> None:
        """What one index value adds."""
        match value:
            case Token():
                if value.system:
                    self._marked[_system(self._key, value.path, value.system)] = None
            case Words():
                coded = _short_coded if len(value.text) <= _SHORT else _coded
                self._marked.update(coded(self._key, value.path, value.text))
            case Uri():
                self._marked[_quoted(address_lexeme(self._key, value.path, value.url))] = None
            case _:
                pass

    def add_texts(self, resource: dict[str, Any]) -> None:
        """What the resource says to people."""
        self._told.update(dict.fromkeys(_clipped(narrative(resource))))
        for text in texts(resource["resourceType"], resource):
            self._plain.update(dict.fromkeys(_words(text)))

    def content(self) -> str:
        """A `tsvector` as text; empty when there is no word."""
        told = self._told
        parts = [f"'{told_lexeme(word)}'" for word in told]
        parts += self._marked
        parts += [f"'{word}'" for word in self._plain if word not in told]
        return " ".join(parts if len(parts) < _FEW else _within(parts))


def _within(parts: list[str]) -> Iterator[str]:
    room = _MOST
    for part in parts:
        room -= len(part.encode()) + 8
        if room < 0:
            return
        yield part


@functools.lru_cache(maxsize=4_096)
def _short(text: str) -> tuple[str, ...]:
    return tuple(_clipped(text))


def _words(text: str) -> tuple[str, ...] | list[str]:
    """Displays come again and again; long texts do not."""
    return _short(text) if len(text) <= _SHORT else _clipped(text)


def _clipped(text: str) -> list[str]:
    return [word[:LONGEST_WORD] for word in words(text)] if text else []


def _quoted(lexeme: str) -> str:
    if lexeme.isalnum():
        return f"'{lexeme}'"
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"

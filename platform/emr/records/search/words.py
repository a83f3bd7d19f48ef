"""Queries on `words`: full text, the text of coded elements, and what stands there as one word for its beginning."""

from typing import Final
from urllib.parse import urlsplit

from emr.kernel.text import words
from emr.records.keys import path_key
from emr.records.search.question import Scope

_MASK: Final = (1 << 32) - 1


def path_mark(index_key: bytes, path: str) -> str:
    """What stands before the words of one element: eight hexadecimal digits of its path's key."""
    return f"{path_key(index_key, path) & _MASK:08x}"


def plain_text(text: str, scope: Scope) -> str:
    """All words, each as the beginning of a word; of the narrative alone, or anywhere."""
    weight = "A" if scope == "narrative" else ""
    return " & ".join(f"{_quoted(word)}:*{weight}" for word in dict.fromkeys(words(text)))


def coded_text(index_key: bytes, path: str, text: str) -> str:
    """All words in the text of one coded element."""
    mark = path_mark(index_key, path)
    return " & ".join(f"{_quoted(f'{mark}:{word}')}:*" for word in dict.fromkeys(words(text)))


def of_system(index_key: bytes, path: str, system: str) -> str:
    """Any code of a system."""
    return _quoted(f"{path_mark(index_key, path)}|{system}")


def url_below(index_key: bytes, path: str, url: str) -> str:
    """The address itself and everything that begins with it and a slash."""
    stem = url.rstrip("/")
    mark = path_mark(index_key, path)
    return f"{_quoted(f'{mark}^{stem}')} | {_quoted(f'{mark}^{stem}/')}:*"


def at_and_above(url: str) -> list[str]:
    """The address itself, with and without a last slash, and those that it lies below, up to its authority."""
    parts = urlsplit(url)
    floor = len(f"{parts.scheme}://{parts.netloc}") if parts.netloc else len(parts.scheme) + 1
    found = [url]
    stem = url.rstrip("/")
    while len(stem) >= floor and stem:
        found += [stem, stem + "/"]
        stem = stem.rpartition("/")[0].rstrip("/")
    return list(dict.fromkeys(found))


def _quoted(lexeme: str) -> str:
    """A word as `tsquery` takes it whatever it holds."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"

"""Queries on `words`: full text, the text of coded elements, and what stands there as one word for its beginning."""

from urllib.parse import urlsplit

from emr.kernel.text import words
from emr.records.lexemes import LONGEST_ADDRESS, LONGEST_WORD, address_lexeme, coded_lexeme, system_lexeme, told_lexeme
from emr.records.search.question import Scope


def plain_text(text: str, scope: Scope) -> str:
    """All words, each as the beginning of a word; of the narrative alone, or anywhere."""
    told = [f"{_quoted(told_lexeme(word))}:*" for word in _words(text)]
    if scope == "narrative":
        return " & ".join(told)
    return " & ".join(f"({_quoted(word)}:* | {each})" for word, each in zip(_words(text), told, strict=True))


def coded_text(index_key: bytes, path: str, text: str) -> str:
    """All words in the text of one coded element."""
    return " & ".join(f"{_quoted(coded_lexeme(index_key, path, word))}:*" for word in _words(text))


def of_system(index_key: bytes, path: str, system: str) -> str:
    """Any code of a system."""
    return _quoted(system_lexeme(index_key, path, system))


def url_below(index_key: bytes, path: str, url: str) -> str:
    """The address itself and everything that begins with it and a slash."""
    stem = url[: LONGEST_ADDRESS - 1].rstrip("/")
    itself, inside = (_quoted(address_lexeme(index_key, path, each)) for each in (stem, stem + "/"))
    return f"{itself} | {inside}:*"


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


def _words(text: str) -> list[str]:
    """As long as the index holds them, each once."""
    return list(dict.fromkeys(word[:LONGEST_WORD] for word in words(text)))

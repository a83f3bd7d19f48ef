"""How text is compared: without case and accents, `đ` as `d`, one space (platform/docs/search.md, "string")."""

import unicodedata
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any

from emr.definitions import model

_SILENT_TYPES = frozenset(
    {"Age", "ContactPoint", "Count", "Distance", "Duration", "Expression", "Identifier", "Meta", "Money", "Narrative",
     "Period", "Quantity", "Range", "Ratio", "SampledData", "Signature", "SimpleQuantity", "Timing"}
)  # fmt: skip
_SILENT_NAMES = frozenset({"id", "linkId", "reference", "version", "postalCode", "max", "path", "expression"})


def folded(text: str) -> str:
    letters = unicodedata.normalize("NFD", text.lower())
    plain = "".join("d" if letter == "đ" else letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(plain.split())


def words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in folded(text)).split()


def begins_words(asked: str, texts: list[str]) -> bool:
    """Whether every word asked for begins a word of the texts."""
    there = [word for text in texts for word in words(text)]
    return all(any(word.startswith(each) for word in there) for each in words(asked))


class _Plain(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def narrative(resource: dict[str, Any]) -> str:
    """What a person reads in the narrative (search.html#text)."""
    reader = _Plain()
    reader.feed(resource.get("text", {}).get("div", ""))
    return unescape(" ".join(reader.parts))


def human_texts(type_: str, value: dict[str, Any]) -> Iterator[str]:
    """Texts for people, of a resource or a data type (platform/docs/definitions.md, `texts`)."""
    for element in model.type_of(type_).elements.values():
        for member, kind in element.members().items():
            held = value.get(member, [])
            for each in held if isinstance(held, list) else [held]:
                if each is not None and member not in _SILENT_NAMES and kind not in _SILENT_TYPES:
                    yield from _texts_of(kind, each)


def _texts_of(kind: str, value: Any) -> Iterator[str]:
    if kind in ("string", "markdown"):
        yield value
    elif kind == "Resource":
        yield narrative(value)
        yield from human_texts(value["resourceType"], value)
    elif isinstance(value, dict):
        yield from human_texts(kind, value)

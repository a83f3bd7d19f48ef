"""What people read in a resource, for `_text` and `_content` (https://hl7.org/fhir/R4/search.html#text).

That is the narrative, and every element of type `string` or `markdown` that holds words rather than a value of its own
kind: displays, titles, notes, names; not numbers, units, addresses of machines, versions and the like.
"""

import functools
import re
from collections.abc import Iterator
from html import unescape
from typing import Any, Final

from emr.definitions import model

Json = dict[str, Any]

_WORDY: Final = frozenset({"string", "markdown"})
_SILENT: Final = frozenset(
    {"Age", "ContactPoint", "Count", "Distance", "Duration", "Expression", "Identifier", "Meta", "Money", "Narrative",
     "Period", "Quantity", "Range", "Ratio", "SampledData", "Signature", "SimpleQuantity", "Timing"}
)  # fmt: skip
"""Data types in which nobody writes."""
_VALUES: Final = frozenset({"id", "linkId", "reference", "version", "postalCode", "max", "path", "expression"})
"""Elements of type `string` that hold no words."""
_TAG = re.compile(r"<[^>]*>").sub


def narrative(resource: Json) -> str:
    """The text of the narrative without its tags; empty where there is none."""
    text = resource.get("text")
    div = text.get("div") if type(text) is dict else None
    return unescape(_TAG(" ", div)).strip() if type(div) is str else ""


def texts(type_: str, value: Json) -> Iterator[str]:
    """Every other text in a resource or in a value of a data type."""
    members = _members(type_)
    for key, item in value.items():
        kind = members.get(key)
        if kind is None:
            continue
        for each in item if type(item) is list else (item,):
            if type(each) is str:
                yield each
            elif type(each) is dict:
                below = each.get("resourceType") if kind == "Resource" else kind
                if type(below) is str and below in model.types():
                    yield from texts(below, each)
                if kind == "Resource" and (told := narrative(each)):
                    yield told


@functools.cache
def _members(type_: str) -> dict[str, str]:
    """Members that are text, or in which there may be some, with their types."""
    return {
        key: kind
        for element in model.type_of(type_).elements.values()
        for key, kind in element.members().items()
        if key not in _VALUES and (kind in _WORDY or (kind not in _SILENT and _speaks(kind)))
    }


@functools.cache
def _speaks(kind: str) -> bool:
    """Whether there can be text in a type at any depth."""
    if kind == "Resource":
        return True
    seen: set[str] = set()
    waiting = [kind]
    while waiting:
        each = waiting.pop()
        if each in seen or each in _SILENT or model.types()[each]["kind"] == "primitive-type":
            continue
        seen.add(each)
        elements = model.type_of(each).elements.values()
        kinds = {(key, below) for element in elements for key, below in element.members().items() if key != "extension"}
        if any(below in _WORDY and key not in _VALUES for key, below in kinds):
            return True
        waiting.extend(below for _, below in kinds if below != "Resource")
    return False

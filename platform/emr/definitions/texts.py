"""What people read in a resource, for `_text` and `_content` (https://hl7.org/fhir/R4/search.html#text).

That is the narrative, and every element of type `string` or `markdown` that holds words rather than a value of its own
kind: displays, titles, notes, names; not numbers, units, addresses of machines, versions and the like.
"""

import functools
import re
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


def texts(type_: str, value: Json) -> list[str]:
    """Every other text in a resource or in a value of a data type."""
    found: list[str] = []
    _gather(value, _nodes()[type_], found)
    return found


class _Node(dict[str, "_Node | None"]):
    """Members of a type: None where the value is text, else where there may be some below."""

    __slots__ = ("contained",)
    contained: bool


def _gather(value: Json, node: _Node, found: list[str]) -> None:
    for key, item in value.items():
        if key in node:
            below = node[key]
            for each in item if type(item) is list else (item,):
                if below is None:
                    if type(each) is str:
                        found.append(each)
                elif type(each) is dict:
                    if below.contained:
                        _gather_contained(each, found)
                    else:
                        _gather(each, below, found)


def _gather_contained(resource: Json, found: list[str]) -> None:
    """The type is said by the resource; its narrative is a part of what holds it."""
    kind = resource.get("resourceType")
    if type(kind) is str and kind in _nodes():
        _gather(resource, _nodes()[kind], found)
    if told := narrative(resource):
        found.append(told)


@functools.cache
def _nodes() -> dict[str, _Node]:
    """Every type's members; types that hold themselves meet their own node again."""
    nodes = {name: _Node() for name, each in model.types().items() if each["kind"] != "primitive-type"}
    for name, node in nodes.items():
        node.contained = name == "Resource"
        for element in model.type_of(name).elements.values():
            for key, kind in element.members().items():
                if key not in _VALUES and kind in _WORDY:
                    node[key] = None
                elif key not in _VALUES and kind not in _SILENT and _speaks(kind):
                    node[key] = nodes[kind]
    return nodes


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

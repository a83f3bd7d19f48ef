"""Names that entries of a transaction have for each other, replaced by what they will be called here.

Source: https://hl7.org/fhir/R4/http.html#trules, and https://hl7.org/fhir/R4/bundle.html#references for names that are
relative to the entry's own.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any, Final

from emr.definitions import model

Json = dict[str, Any]

_URIS: Final = frozenset({"uri", "url", "canonical", "oid", "uuid"})
_LINK: Final = re.compile(r"""((?:href|src)\s*=\s*["'])([^"']+)(["'])""")
_OWN: Final = re.compile(r"(https?://.+)/[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.-]{1,64}")
_RELATIVE: Final = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.-]{1,64}")
_ENDS: Final = ("/_history/", "|", "#")


def replace_placeholders(resource: Json, addresses: Mapping[str, str], full_url: str | None = None) -> None:
    """Replace, in place, each name that is a key of `addresses`.

    That is in references, in elements of type uri, url, canonical, oid and uuid, and in the links of narratives; a
    version, fragment or history behind a name stays behind it. Identifiers keep theirs. `full_url` is that of the
    resource's entry: when it is an address, relative references are relative to its base.
    """
    if not addresses:
        return
    own = _OWN.fullmatch(full_url or "")
    _walk(resource, resource.get("resourceType", ""), None, _Names(addresses, own[1] if own else None))


class _Names:
    """What is called how."""

    __slots__ = ("_base", "addresses")

    def __init__(self, addresses: Mapping[str, str], base: str | None) -> None:
        self.addresses = addresses
        self._base = base

    def of(self, text: str) -> str | None:
        """The new name of a text; None when it is none of the names."""
        found = self.addresses.get(text)
        if found is not None or not ("/" in text or text.startswith("urn:")):
            return found
        for end in _ENDS:
            if end in text:
                stem, mark, rest = text.partition(end)
                if (known := self.of(stem)) is not None:
                    return known + mark + rest
        if self._base is not None and _RELATIVE.fullmatch(text):
            return self.addresses.get(f"{self._base}/{text}")
        return None


_Keys = tuple[Any, str] | None
"""The members that lead from a resource to one of its objects, the last first."""


def _walk(value: Json, type_: str, keys: _Keys, names: _Names) -> None:
    known = names.addresses
    for key, item in value.items():
        if type(item) is str:
            if key == "div":
                value[key] = _LINK.sub(lambda found: _linked(found, names), item)
            elif "/" not in item and ":" not in item and item not in known:
                continue
            elif (new := names.of(item)) is not None and _holds_names(type_, keys, key):
                value[key] = new
        elif type(item) is dict:
            _descend(item, type_, (keys, key), names)
        elif type(item) is list:
            _walk_list(item, type_, (keys, key), names)


def _walk_list(items: list[Any], type_: str, keys: tuple[_Keys, str], names: _Names) -> None:
    for index, each in enumerate(items):
        if type(each) is dict:
            _descend(each, type_, keys, names)
        elif type(each) is str and (new := names.of(each)) is not None and _holds_names(type_, *keys):
            items[index] = new


def _descend(value: Json, type_: str, keys: _Keys, names: _Names) -> None:
    inner = value.get("resourceType")
    if type(inner) is str:
        _walk(value, inner, None, names)
    else:
        _walk(value, type_, keys, names)


def _linked(found: re.Match[str], names: _Names) -> str:
    return found[1] + (names.of(found[2]) or found[2]) + found[3]


def _holds_names(type_: str, keys: _Keys, member: str) -> bool:
    """Whether this member may hold another resource's name. Asked only where one seems to stand."""
    path: list[str] = []
    while keys is not None:
        keys, key = keys
        path.append(key)
    holder = _type_at(type_, tuple(reversed(path)))
    if holder == "Reference" and member == "reference":
        return True
    return holder not in (None, "Identifier") and _member_type(holder or "", member) in _URIS


@functools.lru_cache(maxsize=4_096)
def _type_at(type_: str, path: tuple[str, ...]) -> str | None:
    found: str | None = type_
    for member in path:
        found = _member_type(found, member) if found is not None else None
    return found


@functools.lru_cache(maxsize=8_192)
def _member_type(type_: str, member: str) -> str | None:
    if member.startswith("_"):
        return "Element"
    elements = model.type_of(type_).elements.values() if type_ in model.types() else ()
    return next((types[member] for types in (element.members() for element in elements) if member in types), None)

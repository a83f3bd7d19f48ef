"""Rules that need more than the element tables: required codes, references, extensions, attachments, contained."""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any, Final

from emr.definitions import model
from emr.definitions.bundles import check_bundle
from emr.definitions.findings import Findings, Path
from emr.definitions.invariants import INVARIANTS, Rule
from emr.definitions.primitives import Test, decoded

Json = dict[str, Any]

_ID = r"[A-Za-z0-9.-]{1,64}"
_RELATIVE = re.compile(rf"([A-Z][A-Za-z]{{1,63}})/{_ID}(?:/_history/{_ID})?", re.ASCII).fullmatch
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]{1,63})\?\S+", re.ASCII).fullmatch
_ABSOLUTE = re.compile(r"(?:https?://[^\s/]+(?:/\S*)?|urn:(?:uuid|oid):\S+)", re.IGNORECASE).fullmatch


def bound_code(value_set: str) -> tuple[Test, str]:
    """The test of a `code` element with a required binding, and what its message says."""
    allowed = frozenset[str]().union(*model.codes(value_set).values())

    def test(value: Any) -> bool:
        return type(value) is str and value in allowed

    return test, f"one of the codes of {value_set}"


def bound_concept(value_set: str) -> Callable[[Any, Path, Findings], None]:
    """A Coding, or one coding of a CodeableConcept, is in the value set; or an extension says why there is none."""
    systems = model.codes(value_set)

    def is_in(coding: Any) -> bool:
        if type(coding) is not dict:
            return False
        system, code = coding.get("system"), coding.get("code")
        return type(system) is str and type(code) is str and code in systems.get(system, ())

    def check(value: Any, path: Path, found: Findings) -> None:
        if type(value) is not dict or is_in(value):
            return
        codings = value.get("coding")
        if type(codings) is list and any(is_in(coding) for coding in codings):
            return
        if codings is None and "code" not in value and "extension" in value:
            return
        found.add("code", f"Expected is one of the codes of {value_set}, with its system.", path)

    return check


def reference_target(targets: frozenset[str]) -> Callable[[Any, Path, Findings], None]:
    """A reference within this server points to one of the types that the element allows."""

    def check(value: Any, path: Path, found: Findings) -> None:
        if type(value) is not dict:
            return
        reference, kind = value.get("reference"), value.get("type")
        if type(reference) is str and (match := _RELATIVE(reference) or _CONDITIONAL(reference)):
            kind = match.group(1)
        if type(kind) is str and kind in model.resource_types() and kind not in targets:
            found.add("reference", "This element does not refer to resources of that type.", path)

    return check


def _reference(value: Json, path: Path, found: Findings) -> None:
    reference = value.get("reference")
    if type(reference) is not str:
        return
    match = _RELATIVE(reference) or _CONDITIONAL(reference)
    if match is not None:
        said = value.get("type")
        if match.group(1) not in model.resource_types():
            found.add("reference", "A reference names a resource type of R4.", (path, "reference", None))
        elif type(said) is str and said in model.resource_types() and said != match.group(1):
            found.add("reference", "The type of a reference and its target differ.", (path, "type", None))
    elif reference.startswith("#"):
        found.fragments.append((reference[1:], path))
    elif not _ABSOLUTE(reference):
        found.add("reference", "A reference is Type/id, #id, or an absolute URL or URN.", (path, "reference", None))


def _extension(value: Json, path: Path, found: Findings) -> None:
    has_value = any(key.startswith(("value", "_value")) for key in value)
    if has_value == ("extension" in value):
        found.add("extension", "An extension has either a value or extensions.", path)


def _attachment(value: Json, path: Path, found: Findings) -> None:
    data = value.get("data")
    if type(data) is not str:
        return
    if "contentType" not in value and "_contentType" not in value:
        found.add("attachment", "Data comes with its content type.", path)
    content = decoded(data)
    if content is None:
        return
    if type(value.get("size")) is int and value["size"] != len(content):
        found.add("attachment", "The size is not that of the data.", (path, "size", None))
    digest = hashlib.sha1(content, usedforsecurity=False).digest()
    if "hash" in value and value["hash"] != base64.b64encode(digest).decode("ascii"):
        found.add("attachment", "The hash is not the SHA-1 of the data.", (path, "hash", None))


def _quantity(value: Json, path: Path, found: Findings) -> None:
    if "code" in value and "system" not in value and "_system" not in value:
        found.add("invariant", "A coded unit names its system (qty-3).", path)


def _simple_quantity(value: Json, path: Path, found: Findings) -> None:
    _quantity(value, path, found)
    if "comparator" in value:
        found.add("invariant", "A simple quantity has no comparator (sqty-1).", path)


def _contact_point(value: Json, path: Path, found: Findings) -> None:
    if "value" in value and "system" not in value and "_system" not in value:
        found.add("invariant", "A contact value names its system (cpt-2).", path)


def _period(value: Json, path: Path, found: Findings) -> None:
    """per-1, as far as the days are written; times of different zones are left to those who know them."""
    start, end = value.get("start"), value.get("end")
    if type(start) is str and type(end) is str:
        digits = min(len(start), len(end), 10)
        if start[:digits] > end[:digits] and not _a_day_apart(start, end):
            found.add("invariant", "A period starts before it ends (per-1).", path)


def _a_day_apart(start: str, end: str) -> bool:
    """With a time of day, the written days of two zones may be in the wrong order though the moments are not."""
    return len(start) > 10 and len(end) > 10 and start[:7] == end[:7] and int(start[8:10]) - int(end[8:10]) == 1


def check_contained(value: Json, path: Path, found: Findings) -> None:
    """The rules of contained resources, and that each local reference has its target."""
    contained = value.get("contained")
    for index, inner in enumerate(contained if type(contained) is list else ()):
        place: Path = (path, "contained", index)
        if type(inner) is not dict:
            continue
        if type(inner.get("id")) is str:
            found.contained.add(inner["id"])
        else:
            found.add("contained", "A contained resource has an id.", place)
        if "contained" in inner:
            found.add("contained", "A contained resource contains no other (dom-2).", place)
        meta = inner.get("meta")
        if type(meta) is dict and meta.keys() & {"versionId", "lastUpdated", "security"}:
            found.add("contained", "A contained resource has no version and no security label (dom-4, dom-5).", place)
    for fragment, owner in found.fragments:
        if fragment and fragment not in found.contained:
            found.add("reference", "A local reference has no contained resource.", (owner, "reference", None))


_RULES: Final[dict[str, Rule]] = {
    "Age": _quantity,
    "Attachment": _attachment,
    "Bundle": check_bundle,
    "ContactPoint": _contact_point,
    "Count": _quantity,
    "Distance": _quantity,
    "Duration": _quantity,
    "Extension": _extension,
    "Period": _period,
    "Quantity": _quantity,
    "Reference": _reference,
    "SimpleQuantity": _simple_quantity,
}


def rules_of(type_: str) -> tuple[Rule, ...]:
    """What is checked of an object of this type after its members."""
    special = (_RULES[type_],) if type_ in _RULES else ()
    return special + INVARIANTS.get(type_, ())

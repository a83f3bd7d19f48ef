"""Rules that need more than the element tables: required codes, references, extensions, attachments, contained."""

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from emr.definitions import model, published
from emr.definitions.bundles import check_bundle
from emr.definitions.findings import Findings, Path
from emr.definitions.invariants import INVARIANTS, Rule
from emr.definitions.primitives import Test, decoded

Json = dict[str, Any]

_DAY: Final = len("2026-01-31")
_ID = r"[A-Za-z0-9.-]{1,64}"
_RELATIVE = re.compile(rf"([A-Z][A-Za-z]{{1,63}})/{_ID}(?:/_history/{_ID})?", re.ASCII).fullmatch
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]{1,63})\?\S+", re.ASCII).fullmatch
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII).fullmatch
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


def target_type(reference: Any) -> str | None:
    """The resource type that a Reference (or a canonical's text) tells of its target; None when it tells none."""
    if type(reference) is not dict:
        return None
    text, kind = reference.get("reference"), reference.get("type")
    if type(text) is str and (match := _RELATIVE(text) or _CONDITIONAL(text)):
        kind = match.group(1)
    return kind if type(kind) is str and kind in model.resource_types() else None


def reference_target(targets: frozenset[str]) -> Callable[[Any, Path, Findings], None]:
    """A reference within this server points to one of the types that the element allows."""

    def check(value: Any, path: Path, found: Findings) -> None:
        kind = target_type(value)
        if kind is not None and kind not in targets:
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


def _money(value: Json, path: Path, found: Findings) -> None:
    """A required binding whose codes are not part of FHIR: the form of ISO 4217 at least."""
    currency = value.get("currency")
    if type(currency) is str and not _CURRENCY(currency):
        found.add("code", "Expected is a currency as three capital letters (ISO 4217).", (path, "currency", None))


def _contact_point(value: Json, path: Path, found: Findings) -> None:
    if "value" in value and "system" not in value and "_system" not in value:
        found.add("invariant", "A contact value names its system (cpt-2).", path)


def _period(value: Json, path: Path, found: Findings) -> None:
    """per-1: moments by when they are, whatever their zones; where one is a day or less, as far as both are written."""
    start, end = value.get("start"), value.get("end")
    if type(start) is str and type(end) is str and _begins_after(start, end):
        found.add("invariant", "A period starts before it ends (per-1).", path)


def _begins_after(start: str, end: str) -> bool:
    if len(start) > _DAY and len(end) > _DAY:
        try:
            return datetime.fromisoformat(start) > datetime.fromisoformat(end)
        except (ValueError, TypeError):
            # A second of 60, which FHIR allows, or no moment at all, which the type says.
            return start[:_DAY] > end[:_DAY] and start[-6:] == end[-6:]
    digits = min(len(start), len(end), _DAY)
    return start[:digits] > end[:digits]


def check_contained(value: Json, path: Path, found: Findings) -> None:
    """The rules of contained resources, and that each local reference has its target (ref-1)."""
    contained = value.get("contained")
    if type(contained) is list:
        named = _local_names(value)
        for index, inner in enumerate(contained):
            if type(inner) is dict:
                _check_inner(inner, named, (path, "contained", index), found)
    for fragment, owner in found.fragments:
        if fragment and fragment not in found.contained:
            found.add("reference", "A local reference has no contained resource.", (owner, "reference", None))


def _check_inner(inner: Json, named: set[str], place: Path, found: Findings) -> None:
    own = inner.get("id")
    if type(own) is not str:
        found.add("contained", "A contained resource has an id.", place)
    elif own in found.contained:
        found.add("contained", "The ids of contained resources differ.", place)
    else:
        found.contained.add(own)
    if not (type(own) is str and own in named) and "" not in _local_names(inner):
        found.add("contained", "A contained resource is referred to, or refers to the one around it (dom-3).", place)
    if "contained" in inner:
        found.add("contained", "A contained resource contains no other (dom-2).", place)
    meta = inner.get("meta")
    if type(meta) is dict and meta.keys() & {"versionId", "lastUpdated", "security"}:
        found.add("contained", "A contained resource has no version and no security label (dom-4, dom-5).", place)


def _local_names(value: Json) -> set[str]:
    """What any text in a resource names with a `#`: references, canonicals, URIs."""
    names: set[str] = set()
    left: list[Any] = [value]
    while left:
        held = left.pop()
        for each in held.values() if type(held) is dict else held:
            if type(each) is str:
                if each.startswith("#"):
                    names.add(each[1:])
            elif type(each) is dict or type(each) is list:
                left.append(each)
    return names


def _distinct_codes(value: Json, path: Path, found: Findings) -> None:
    """csd-1, in linear time."""
    _refuse_twins(value, ("concept", "code"), "The codes of a code system differ (csd-1).", path, found)


def _distinct_links(value: Json, path: Path, found: Findings) -> None:
    """que-2, in linear time."""
    _refuse_twins(value, ("item", "linkId"), "The link ids of a questionnaire differ (que-2).", path, found)


def _refuse_twins(value: Json, names: tuple[str, str], sentence: str, path: Path, found: Findings) -> None:
    branch, name = names
    seen: set[str] = set()
    left = [value]
    while left:
        below = left.pop().get(branch)
        for each in below if type(below) is list else ():
            if type(each) is dict:
                left.append(each)
                if type(each.get(name)) is str and each[name] in seen:
                    found.add("invariant", sentence, path)
                    return
                seen.add(str(each.get(name)))


def _unknown_modifier(value: Json, path: Path, found: Findings) -> None:
    """extensibility.html#modifierExtension: who does not know it may not go on as if it were not there."""
    for index, each in enumerate(value["modifierExtension"] if type(value.get("modifierExtension")) is list else ()):
        if type(each) is dict:
            place: Path = (path, "modifierExtension", index)
            found.warn("extension", "Nothing here understands this modifier: it is kept, not acted on.", place)


_RULES: Final[dict[str, Rule]] = {
    "Age": _quantity,
    "Attachment": _attachment,
    "Bundle": check_bundle,
    "CodeSystem": _distinct_codes,
    "ContactPoint": _contact_point,
    "Count": _quantity,
    "Distance": _quantity,
    "Duration": _quantity,
    "Extension": _extension,
    "Money": _money,
    "Period": _period,
    "Quantity": _quantity,
    "Questionnaire": _distinct_links,
    "Reference": _reference,
    "SimpleQuantity": _simple_quantity,
}


def rules_of(type_: str) -> tuple[Rule, ...]:
    """What is checked of an object of this type after its members."""
    special = (_RULES[type_],) if type_ in _RULES else ()
    return special + INVARIANTS.get(type_, ()) + _published(type_, "error")


def advice_of(type_: str) -> tuple[Rule, ...]:
    """What is only advised: best practice, and what a reader may not understand."""
    special = (_unknown_modifier,) if "modifierExtension" in model.type_of(type_).elements else ()
    return special + _published(type_, "warning")


def _published(type_: str, severity: str) -> tuple[Rule, ...]:
    """With those that a type inherits: an Age keeps what a Quantity keeps (qty-3), a Patient what a DomainResource."""
    base = model.type_of(type_).base
    return published.rules_of(type_, severity) + (_published(base, severity) if base else ())

"""Whether one value of a resource fits one value of a search, kind by kind (search.html#ptypes)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from emr.definitions import model
from tests.conformance.reference import amounts, moments
from tests.conformance.reference.folding import folded
from tests.conformance.reference.path import Node

Code = tuple[str | None, str]
_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]+)?")
_NAME_PARTS = ("text", "family", "given", "prefix", "suffix")
_ADDRESS_PARTS = ("text", "line", "city", "district", "state", "country", "postalCode")


@dataclass
class Asking:
    """What a value means where and when it is asked. value_sets: address to codes. above: code to itself and those that
    it lies under; below: the other way round. targets: where the reference parameter may lead; empty for anywhere.
    """

    now: datetime
    base_url: str
    value_sets: dict[str, set[Code]] = field(default_factory=dict)
    above: dict[Code, set[Code]] = field(default_factory=dict)
    below: dict[Code, set[Code]] = field(default_factory=dict)
    targets: frozenset[str] = frozenset()


def split(text: str, separator: str) -> list[str]:
    """At separators without a backslash before them; escapes stay (search.html#escaping)."""
    parts = [""]
    for piece in re.findall(r"\\.|.", text, re.DOTALL):
        if piece == separator:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def plain(text: str) -> str:
    return re.sub(r"\\([,$|\\])", r"\1", text)


def prefixed(text: str) -> tuple[str, str]:
    found = _PREFIX.fullmatch(text)
    assert found
    return found[1] or "eq", found[2]


def fits(kind: str, node: Node, modifier: str, text: str, asking: Asking) -> bool:
    """One value of a resource against one value asked for, with any modifier that speaks of values."""
    match kind:
        case "token":
            return _token(node, modifier, text, asking)
        case "string":
            return _string(node, modifier, plain(text))
        case "date":
            prefix, rest = prefixed(plain(text))
            asked = moments.span(rest)
            return any(moments.fits(prefix, each, asked, asking.now) for each in moments.spans(node.type, node.value))
        case "number" | "quantity":
            return _amount(node, text)
        case "uri":
            return _uri(node.value, modifier, plain(text))
        case "reference":
            return _reference(node, modifier, text, asking)
    raise AssertionError(kind)


def codes(node: Node) -> list[Code]:
    """What a token is compared with (search.html#token)."""
    value: Any = node.value
    match node.type:
        case "CodeableConcept":
            return [code for coding in value.get("coding", ()) for code in codes(Node("Coding", coding))]
        case "Coding":
            return [(value.get("system"), value["code"])] if "code" in value else []
        case "Identifier":
            return [(value.get("system"), value["value"])] if "value" in value else []
        case "ContactPoint":
            return [(None, value["value"])] if "value" in value else []
        case "boolean":
            return [(None, "true" if value else "false")]
        case "code" if node.binding:
            systems = [system for system, known in model.codes(node.binding).items() if value in known]
            return [(system, value) for system in systems] or [(None, value)]
    return [(None, value)]


def texts(node: Node) -> list[str]:
    """What people read in a coded value."""
    value: Any = node.value
    match node.type:
        case "CodeableConcept":
            here = [value["text"]] if "text" in value else []
            return here + [each["display"] for each in value.get("coding", ()) if "display" in each]
        case "Coding":
            return [value["display"]] if "display" in value else []
        case "Identifier":
            return [value["type"]["text"]] if "text" in value.get("type", {}) else []
    return []


def strings(node: Node) -> Iterator[str]:
    """Each string of a name or an address, or the string itself."""
    parts = {"HumanName": _NAME_PARTS, "Address": _ADDRESS_PARTS}.get(node.type)
    if parts is None:
        yield node.value
        return
    for part in parts:
        held = node.value.get(part, [])
        yield from held if isinstance(held, list) else [held]


def _token(node: Node, modifier: str, text: str, asking: Asking) -> bool:
    if modifier == "of-type":
        return _of_type(node, *map(plain, split(text, "|")))
    here = set(codes(node))
    if modifier in ("in", "not-in"):
        return bool(here & asking.value_sets[plain(text)])
    parts = [plain(each) for each in split(text, "|")]
    if modifier in ("above", "below"):
        known = asking.above if modifier == "above" else asking.below
        return bool(here & known[parts[0], parts[1]])
    return any(_is(each, parts) for each in here)


def _is(code: Code, asked: list[str]) -> bool:
    """`code`, `system|code`, `|code`, `system|`."""
    if len(asked) == 1:
        return code[1] == asked[0]
    return code[0] == (asked[0] or None) and asked[1] in ("", code[1])


def _of_type(node: Node, system: str, code: str, value: str) -> bool:
    kinds = node.value.get("type", {}).get("coding", ())
    return node.value.get("value") == value and any(
        each.get("system") == system and each.get("code") == code for each in kinds
    )


def _string(node: Node, modifier: str, text: str) -> bool:
    here = list(strings(node))
    if modifier == "exact":
        return text in here
    if modifier == "contains":
        return any(folded(text) in folded(each) for each in here)
    return any(folded(each).startswith(folded(text)) for each in here)


def _amount(node: Node, text: str) -> bool:
    first, *unit = [plain(each) for each in split(text, "|")]
    wanted = amounts.asked(*reversed(prefixed(first)))
    stored = amounts.amounts(node.type, node.value)
    if not unit:
        return any(amounts.fits(each, wanted) for each in stored if each.unit == "")
    system, code = unit
    base = [amounts.in_base(each, code) for each in wanted[1:]] if system in ("", amounts.UCUM) else [None]
    if base[0] is not None:
        exact, low, high = (each[1] for each in base if each)
        scaled = amounts.Asked(wanted.prefix, exact, low, high)
        if any(amounts.fits(each, scaled) for each in stored if each.unit == base[0][0]):
            return True
    return any(amounts.fits(each, wanted) for each in stored if each.unit == f"{system}|{code}")


def _uri(value: str, modifier: str, asked: str) -> bool:
    """By whole segments; a slash at the end makes no other address (search.html#uri)."""
    if modifier == "below":
        return _under(value, asked)
    return _under(asked, value) if modifier == "above" else value == asked


def _under(lower: str, upper: str) -> bool:
    return (lower.rstrip("/") + "/").startswith(upper.rstrip("/") + "/")


def _reference(node: Node, modifier: str, text: str, asking: Asking) -> bool:
    """search.html#reference."""
    if node.type in ("canonical", "uri"):
        return plain(text) in (node.value, node.value.partition("|")[0])
    if modifier == "identifier":
        return "identifier" in node.value and _token(Node("Identifier", node.value["identifier"]), "", text, asking)
    asked = plain(text).removeprefix(asking.base_url + "/")
    there = node.value.get("reference")
    if there is None or ":" in asked:
        return there is not None and there == asked
    found = _LOCAL.fullmatch(there)
    if found is None or (asking.targets and found[1] not in asking.targets) or (modifier and found[1] != modifier):
        return False
    return asked in (found[2], f"{found[1]}/{found[2]}")

"""Values of searches made from values of resources: as they are, nearly, or not at all."""

from collections.abc import Callable
from decimal import Decimal
from random import Random

from tests.conformance.reference import kinds, values
from tests.conformance.reference import vocabulary as v
from tests.conformance.reference.amounts import UCUM
from tests.conformance.reference.evaluator import Name, Reference
from tests.conformance.reference.folding import folded, human_texts, narrative, words
from tests.conformance.reference.path import Node

PREFIXES = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap", "", ""]
BASE_URL = "https://bv.example/h/reference/fhir"


def escaped(text: str) -> str:
    return "".join("\\" + letter if letter in "\\,$|" else letter for letter in text)


def value(random: Random, kind: str, node: Node | None, modifier: str, targets: list[str]) -> str:
    """A value for a parameter of a kind, near to `node` when there is one."""
    match kind:
        case "token":
            return _token(random, node, modifier)
        case "string":
            return _string(random, node, modifier)
        case "date":
            return _date(random, node)
        case "number":
            return random.choice(PREFIXES) + _number(random, node)
        case "quantity":
            return _quantity(random, node)
        case "uri":
            return escaped(_uri(random, node))
    return _reference(random, node, modifier, targets)


def of_all(random: Random, name: str, keys: list[Name], reference: Reference, *, depth: int) -> tuple[str, str]:
    """Parameters that every resource has and that no element answers."""
    key = random.choice(keys)
    match name:
        case "_id":
            some = [random.choice(keys)[1] for _ in range(random.choice([1, 1, 3]))]
            return random.choice(["_id", "_id:not"]), ",".join([*some, "nobody"] if random.random() < 0.2 else some)
        case "_lastUpdated":
            moment = reference.held[key].written
            cut = random.choice([4, 7, 10, 16, 19, 23, 26])
            text = moment.isoformat(timespec="microseconds")[:cut] + ("Z" if cut > 10 else "")
            return name, random.choice(PREFIXES) + text
        case "_list":
            return name, random.choice(sorted(key[1] for key in reference.held if key[0] == "List"))
    held = reference.held[key].resource
    there = (
        words(narrative(held)) if name == "_text" else [w for text in human_texts(key[0], held) for w in words(text)]
    )
    some = [_cut(random, each) for each in random.sample(there, min(len(there), random.choice([1, 1, 2])))]
    return name, " ".join(some) or random.choice(["sot", "không có"])


def _cut(random: Random, text: str) -> str:
    """The beginning of a text, as a rule all of it."""
    return text if random.random() < 0.5 else text[: random.randint(1, len(text))].strip() or text


def part(random: Random, kind: str, node: Node | None, targets: list[str]) -> str:
    """A part of a composite; there a token names a code."""
    text = value(random, kind, node, "", targets)
    return text + "a" if kind == "token" and text.endswith("|") else text


def _token(random: Random, node: Node | None, modifier: str) -> str:
    if modifier in ("in", "not-in"):
        return "urn:reference:listed"
    if modifier in ("above", "below"):
        return "urn:his|" + random.choice(sorted(kinds.ABOVE if modifier == "above" else kinds.BELOW))
    if modifier == "text":
        texts = values.texts(node) if node else []
        text = random.choice(texts) if texts else random.choice(v.WORDS)
        return escaped(" ".join(_cut(random, each) for each in random.sample(words(text), len(words(text)))))
    codes = values.codes(node) if node else []
    system, code = random.choice(codes) if codes else (random.choice(v.SYSTEMS), random.choice(v.CODES))
    if random.random() < 0.1:
        system, code = random.choice(
            [(system, random.choice(v.CODES)), (random.choice(v.SYSTEMS), code), (system, code.swapcase())]
        )
    if modifier == "of-type":
        coded = node.value.get("type", {}).get("coding", []) if node else []
        kind = random.choice(
            [each for each in coded if "code" in each and "system" in each] or [{"system": "urn:lis", "code": "a"}]
        )
        return "|".join(map(escaped, (kind["system"], kind["code"], code)))
    forms = [escaped(code), f"{escaped(system or '')}|{escaped(code)}", f"|{escaped(code)}"]
    return random.choice([*forms, f"{escaped(system)}|"] if system else forms)


def _string(random: Random, node: Node | None, modifier: str) -> str:
    texts = list(values.strings(node)) if node else []
    text = random.choice(texts) if texts else random.choice(v.FAMILIES + v.GIVENS + v.CITIES)
    if modifier == "exact":
        return escaped(
            text if random.random() < 0.8 else random.choice([folded(text) or "x", text.upper(), _cut(random, text)])
        )
    if modifier == "contains" and len(text) > 1:
        begin = random.randrange(len(text))
        text = text[begin : begin + random.randint(1, 6)]
    text = _cut(random, text)
    changed = random.choice([text, text, text.upper(), folded(text), text.replace(" ", "  ")])
    return escaped(changed) if folded(changed) else "an"


def _date(random: Random, node: Node | None) -> str:
    there: list[str] = []
    if node is not None:
        _moments(node.value, there)
    text = random.choice(there) if there and random.random() < 0.85 else random.choice(v.DATES + v.TIMES)
    if random.random() < 0.3 and len(text) > 10:
        text = random.choice([text[:10], text[:16] + text[19:][-6:] if text.endswith("00") else text[:16], text[:19]])
    elif random.random() < 0.3:
        text = random.choice([text[:4], text[:7], text[:10]])
    return random.choice(PREFIXES) + (text if "T24" not in text else text[:10])


def _moments(held: object, found: list[str]) -> None:
    if isinstance(held, str):
        if held[:4].isdigit():
            found.append(held)
    elif isinstance(held, dict):
        for each in held.values():
            _moments(each, found)
    elif isinstance(held, list):
        for each in held:
            _moments(each, found)


def _number(random: Random, node: Node | None) -> str:
    there: list[Decimal] = []
    if node is not None:
        _decimals(node.value, there)
    if not there or random.random() < 0.15:
        return str(random.choice(v.NUMBERS + v.FRACTIONS))
    number = random.choice(there)
    step = Decimal(1).scaleb(int(number.as_tuple().exponent))
    moves = [step, step / 2, step / 10, number / 10]
    moved = number + random.choice([Decimal(0), Decimal(1), Decimal(-1)]) * random.choice(moves)
    text = f"{moved:f}"
    return text + ("0" if "." in text else ".0") if random.random() < 0.2 else text


def _decimals(held: object, found: list[Decimal]) -> None:
    if isinstance(held, Decimal | int) and not isinstance(held, bool):
        found.append(Decimal(held))
    elif isinstance(held, dict):
        for each in held.values():
            _decimals(each, found)


def _quantity(random: Random, node: Node | None) -> str:
    number = _number(random, node)
    prefix = random.choice(PREFIXES)
    held = node.value if node else {}
    held = next((held[each] for each in ("low", "high", "origin") if each in held), held)
    code, system, unit = held.get("code"), held.get("system"), held.get("unit")
    forms: list[Callable[[], str]] = [
        lambda: "",
        lambda: f"||{escaped(unit or code or 'mg')}",
        lambda: f"|{UCUM}|{random.choice(v.UNITS)}",
    ]
    if code:
        forms += [lambda: f"|{escaped(system or '')}|{escaped(code)}"] * 3
        forms.append(lambda: f"||{escaped(code)}")
    return prefix + number + random.choice(forms)()


def _uri(random: Random, node: Node | None) -> str:
    text = (
        node.value
        if node is not None and isinstance(node.value, str) and random.random() < 0.8
        else random.choice(v.URLS)
    )
    return str(random.choice([text, text, text.rstrip("/"), text + "/", text.rpartition("/")[0] or text, text + "/b"]))


def _reference(random: Random, node: Node | None, modifier: str, targets: list[str]) -> str:
    held = node.value if node else {}
    if isinstance(held, str):
        return str(random.choice([held, held.partition("|")[0]]))
    if modifier == "identifier":
        named = held.get("identifier")
        return _token(random, Node("Identifier", named) if named else None, "").rstrip("|") or "a"
    text = held.get("reference", random.choice(["Patient/p1", "Practitioner/dr1", *v.ELSEWHERE]))
    if ":" in text:
        return str(text) if not modifier else "p1"
    key = text.partition("/")[2]
    if modifier:
        return str(random.choice([key, f"{modifier}/{key}"]))
    return str(
        random.choice(
            [key, text, text, f"{BASE_URL}/{text}", f"{random.choice(targets or ['Patient'])}/{key}", f"Group/{key}"]
        )
    )

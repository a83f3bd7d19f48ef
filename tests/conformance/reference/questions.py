"""Searches at random: values are drawn from what is there, then kept, cut, shifted or spoilt, so that most hit or just miss."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from emr.definitions.search import SearchParameter, parameters
from tests.conformance.reference import drawing
from tests.conformance.reference.evaluator import COMPARTMENT, Name, Reference, stated_targets
from tests.conformance.reference.path import Node, evaluate
from tests.conformance.reference.resources import NUMBERS

_TYPES = (
    ["Observation"] * 6
    + ["Patient"] * 4
    + ["Condition", "Encounter", "MedicationRequest", "DocumentReference"] * 2
    + [*NUMBERS]
)
_OF_ALL = ["_id", "_lastUpdated", "_tag", "_security", "_source", "_text", "_content", "_list"]
_SORTABLE = {"date", "string", "number", "quantity"}
_CODED = {"CodeableConcept", "Coding", "code"}


@dataclass(frozen=True)
class Query:
    """types: one for a search of a type, several for one of the whole record. patient: asked in its compartment."""

    types: tuple[str, ...]
    criteria: tuple[tuple[str, str], ...]
    controls: tuple[tuple[str, str], ...] = ()
    patient: str | None = None

    def __str__(self) -> str:
        place = f"Patient/{self.patient}/{self.types[0]}" if self.patient else ",".join(self.types)
        return f"{place}?" + "&".join(f"{name}={value}" for name, value in (*self.criteria, *self.controls))


@dataclass
class Asker:
    """Makes searches about what the reference holds."""

    random: Random
    reference: Reference
    _held: dict[str, list[Name]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in sorted(self.reference.held):
            self._held.setdefault(key[0], []).append(key)

    def query(self) -> Query:
        kind = self.random.choice(_TYPES)
        if self.random.random() < 0.04:
            return self.of_several()
        patient = None
        if kind in COMPARTMENT and self.random.random() < 0.06:
            patient = self.random.choice(self._held["Patient"])[1]
        number = self.random.choice([1, 1, 1, 1, 2, 2, 3])
        criteria = tuple(self.criterion(kind) for _ in range(number if patient is None else number - 1))
        return Query((kind,), criteria, tuple(self.controls(kind)), patient)

    def of_several(self) -> Query:
        types = tuple(self.random.sample(["Observation", "Condition", "Encounter", "MedicationRequest", "Patient"], 2))
        shared = ["_lastUpdated", "_tag", "_id", "_content", "identifier"]
        shared += ["subject", "patient"] if "Patient" not in types else []
        name = self.random.choice(shared)
        return Query(types, (self.criterion(types[0], name),), (("_total", "accurate"),))

    def criterion(self, kind: str, name: str = "", depth: int = 0) -> tuple[str, str]:
        """One parameter with its values; or a chain, there or back, to one of another type."""
        chance = self.random.random()
        if not name and depth < 2 and chance < 0.12:
            return self.chain(kind, depth) or self.criterion(kind, "_id")
        if not name and depth < 2 and chance < 0.2:
            return self.back(kind, depth) or self.criterion(kind, "_id")
        known = parameters(kind)
        names = [each for each in known if not each.startswith("_") and not known[each].unsupported]
        name = name or self.random.choice(names * 4 + _OF_ALL)
        if name in _OF_ALL and name not in ("_tag", "_security", "_source"):
            return drawing.of_all(self.random, name, self._held[kind], self.reference, depth=depth)
        return self.about(kind, known[name])

    def about(self, kind: str, known: SearchParameter) -> tuple[str, str]:
        """Values for a parameter, with a modifier that suits what is there."""
        keys = self._held[kind]
        if known.kind == "composite":
            return known.name, ",".join(self.together(keys, known) for _ in range(self.random.choice([1, 1, 2])))
        if not known.name.startswith("_") and self.random.random() < 0.04:
            return f"{known.name}:missing", self.random.choice(["true", "false"])
        nodes = self.values(keys, known.name)
        modifier = self.modifier(kind, known, {each.type for each in nodes} | {each.type for each in known.routes})
        draw = self.drawer(known, modifier, stated_targets(kind, known.name))
        number = 1 if modifier in ("in", "not-in") else self.random.choice([1, 1, 1, 1, 2, 3])
        texts = [draw(self.random.choice(nodes) if nodes else None) for _ in range(number)]
        return f"{known.name}:{modifier}" if modifier else known.name, ",".join(texts)

    def values(self, keys: list[Name], name: str) -> list[Node]:
        some = self.random.sample(keys, min(8, len(keys)))
        return [node for key in some for node in self.reference.nodes(key, name)]

    def drawer(self, known: SearchParameter, modifier: str, targets: frozenset[str]) -> Callable[[Node | None], str]:
        def draw(node: Node | None) -> str:
            return drawing.value(self.random, known.kind, node, modifier, sorted(targets))

        return draw

    def together(self, keys: list[Name], known: SearchParameter) -> str:
        """Parts mostly of one element, now and then of two."""
        parts: list[str] = []
        bases = self.bases(keys, known)
        root, base = self.random.choice(bases) if bases else (None, None)
        for each in known.composites[0].components:
            if bases and self.random.random() < 0.2:
                root, base = self.random.choice(bases)
            nodes = evaluate(each.expression, base, root) if base and root else []
            node = self.random.choice(nodes) if nodes else None
            parts.append(drawing.part(self.random, each.kind, node, sorted(each.targets)))
        return "$".join(parts)

    def bases(self, keys: list[Name], known: SearchParameter) -> list[tuple[Node, Node]]:
        found = []
        for key in self.random.sample(keys, min(8, len(keys))):
            root = Node(key[0], self.reference.held[key].resource)
            found += [(root, base) for base in evaluate(known.expression, root, root)]
        return found

    def modifier(self, kind: str, known: SearchParameter, types: set[str]) -> str:
        """None as a rule (search.html#modifiers)."""
        if self.random.random() < 0.6:
            return ""
        choices = {"string": ["exact", "contains"], "uri": ["above", "below"]}.get(known.kind, [])
        if known.kind == "token":
            choices = ["not"]
            choices += ["text"] if types & {"CodeableConcept", "Coding", "Identifier"} else []
            choices += ["in", "not-in", "above", "below"] if types & _CODED else []
            choices += ["of-type", "of-type"] if "Identifier" in types else []
        if known.kind == "reference" and "canonical" not in types:
            choices = ["identifier", *stated_targets(kind, known.name).intersection(v_types(known))]
        return self.random.choice(choices) if choices else ""

    def chain(self, kind: str, depth: int) -> tuple[str, str] | None:
        name, targets = self.reference_of(kind)
        if not targets:
            return None
        target = self.random.choice(targets)
        inner, text = self.criterion(target, depth=depth + 1)
        several = len(v_types(parameters(kind)[name])) > 1
        return (f"{name}:{target}.{inner}" if several or self.random.random() < 0.5 else f"{name}.{inner}"), text

    def back(self, kind: str, depth: int) -> tuple[str, str] | None:
        for _ in range(20):
            source = self.random.choice([*NUMBERS])
            name, targets = self.reference_of(source)
            if kind in targets:
                inner, text = self.criterion(source, depth=depth + 1)
                return f"_has:{source}:{name}:{inner}", text
        return None

    def reference_of(self, kind: str) -> tuple[str, list[str]]:
        """A reference parameter and where it may lead, of the types that there are."""
        known = [each for each in parameters(kind).values() if each.kind == "reference" and not each.unsupported]
        if not known:
            return "", []
        one = self.random.choice(known)
        return one.name, sorted(v_types(one) & NUMBERS.keys())

    def controls(self, kind: str) -> list[tuple[str, str]]:
        """How many at once, in which order, with what (search.html#return)."""
        found: list[tuple[str, Any]] = []
        if self.random.random() < 0.3:
            found.append(("_count", str(self.random.choice([1, 2, 3, 7]))))
        if self.random.random() < 0.3:
            keys = [each.name for each in parameters(kind).values() if each.kind in _SORTABLE and each.paths]
            keys = self.random.sample(sorted({*keys, "_lastUpdated", "_id"}), self.random.choice([1, 1, 2]))
            found.append(("_sort", ",".join(self.random.choice(["", "-"]) + key for key in keys)))
        if self.random.random() < 0.3:
            found.append(self.random.choice([("_total", "accurate"), ("_summary", "count")]))
        if self.random.random() < 0.12:
            found += self.includes(kind)
        return found

    def includes(self, kind: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        name, targets = self.reference_of(kind)
        if targets:
            found.append(
                ("_include", self.random.choice([f"{kind}:{name}", f"{kind}:{name}:{targets[0]}", f"{kind}:*"]))
            )
        source = self.random.choice([*NUMBERS])
        name, targets = self.reference_of(source)
        if kind in targets:
            found.append(("_revinclude", f"{source}:{name}"))
        if self.random.random() < 0.4:
            found.append(self.random.choice([
                ("_include:iterate", "Encounter:part-of"), ("_include:iterate", "Organization:partof"),
                ("_revinclude:iterate", "Observation:has-member"), ("_include:iterate", "Patient:organization"),
            ]))  # fmt: skip
        return found


def v_types(known: SearchParameter) -> frozenset[str]:
    """Where a reference parameter of this type may lead; the elements allow less than the parameter states."""
    return known.targets or frozenset(NUMBERS)

"""The constraints of R4 as they are published, in FHIRPath, for all that `invariants` and `rules` do not spell out."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from emr.definitions import model
from emr.definitions.fhirpath.compiling import compiled
from emr.definitions.fhirpath.items import Items, Node, Unknown, truth
from emr.definitions.fhirpath.scope import Scope, TooMuch
from emr.definitions.fhirpath.syntax import Unreadable
from emr.definitions.findings import Findings, Path

Json = dict[str, Any]
Rule = Callable[[Json, Path, Findings], None]
Eval = Callable[[Scope, Items], Items]

SPELLED_OUT: Final = frozenset(
    f"{group}-{number}"
    for group, numbers in {
        "ait": "12", "app": "12", "att": "1", "bdl": "1234578", "cmp": "12", "con": "1245", "cpl": "3",
        "cpt": "2", "csd": "1", "dom": "2345", "fhs": "1", "gol": "1", "grp": "1", "imm": "1", "lst": "1",
        "obs": "367", "org": "123", "pat": "1", "per": "1", "ppc": "1", "prr": "1", "qrs": "1", "qty": "3",
        "ref": "1", "rng": "2", "sqty": "1", "txt": "12",
    }.items()
    for number in numbers
) | {"que-2", "que-4", "que-11", "rat-1", *(f"tim-{number}" for number in (1, 2, 4, 5, 6, 7, 8, 9, 10))}  # fmt: skip
"""Keys that have a rule in Python: those of everyday resources, where a microsecond counts, and those whose published
expression takes quadratic time. `inv-1` is the key of two constraints and is spelled out for `Parameters` only."""


EXPRESSIONS_MOST: Final = 100_000
"""Expressions that one validation asks, at about 10 µs each; the largest profiles that are published need 20,000."""


class Constraint(NamedTuple):
    """A condition that an object keeps. expression: FHIRPath. at: the element that it is about, or empty."""

    key: str
    severity: str
    human: str
    expression: str
    at: str = ""


def of_type(name: str) -> Iterator[Constraint]:
    """All published constraints about objects of a type."""
    for entry in model.content("constraints").get(name, ()):
        yield Constraint(entry["key"], entry["severity"], entry["human"], entry["expression"], entry.get("at", ""))


def spelled_out(name: str, key: str) -> bool:
    """Whether a constraint of a type has a rule of its own."""
    return key in SPELLED_OUT or (key == "inv-1" and name == "Parameters.parameter")


def rules_of(name: str, severity: str) -> tuple[Rule, ...]:
    """The constraints of a type with this severity, `error` or `warning`, as rules."""
    return tuple(
        rule(constraint, name)
        for constraint in of_type(name)
        if constraint.severity == severity and not spelled_out(name, constraint.key)
    )


def rule(constraint: Constraint, kind: str) -> Rule:
    """A constraint about objects of a type as a rule. Raises `Unreadable` for what is not supported."""
    evaluate = compiled(constraint.expression)
    if constraint.at:
        return _about_element(constraint, evaluate, kind)

    def check(value: Json, path: Path, found: Findings) -> None:
        judge(constraint, evaluate, Node(value, kind), path, found)

    return check


def judge(constraint: Constraint, evaluate: Eval, node: Node, path: Path, found: Findings) -> None:
    """Ask a constraint about a place; what cannot be told is said, never taken for kept."""
    found.asked[0] += 1
    if found.asked[0] > EXPRESSIONS_MOST:
        if found.asked[0] == EXPRESSIONS_MOST + 1:
            found.add("invariant", "The resource is too large for its constraints to be checked.", path)
        return
    try:
        kept = truth(evaluate(Scope(found.root, found.resource, node), [node]))
    except TooMuch:
        found.add("invariant", f"{constraint.key} cannot be checked: the resource is too large for it.", path)
    except (Unknown, Unreadable) as reason:
        found.warn("not-checked", f"{constraint.key} could not be checked: {reason}.", path)
    else:
        if not kept:
            say = found.add if constraint.severity == "error" else found.warn
            say("invariant", f"{constraint.human.rstrip('.')} ({constraint.key}).", path)


def _about_element(constraint: Constraint, evaluate: Eval, kind: str) -> Rule:
    element = model.type_of(kind).elements[constraint.at]
    members = element.members()

    def check(value: Json, path: Path, found: Findings) -> None:
        for key, type_ in members.items():
            held = value.get(key)
            for index, item in enumerate(held if type(held) is list else [held]):
                if item is not None:
                    place: Path = (path, constraint.at, index if type(held) is list else None)
                    judge(constraint, evaluate, Node(item, type_), place, found)

    return check

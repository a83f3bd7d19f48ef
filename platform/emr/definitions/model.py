"""The compiled element tables, read once and on demand."""

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

Kind = Literal["resource", "complex-type", "primitive-type", "backbone"]

FHIR_VERSION: Final = "4.0.1"
UNBOUNDED: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type.

    name: without `[x]`. types: data types, or the dotted path of a nested element. targets: resource types that a
    reference may point to, empty for any. binding: URL of a required value set whose codes are all known.
    """

    name: str
    types: tuple[str, ...]
    choice: bool
    least: int
    most: int
    targets: frozenset[str]
    binding: str | None
    summary: bool

    @property
    def many(self) -> bool:
        return self.most > 1

    def members(self) -> dict[str, str]:
        """JSON member names to their data types: one, or one per type of a choice."""
        if not self.choice:
            return {self.name: self.types[0]}
        return {self.name + _suffix(type_): type_ for type_ in self.types}


@dataclass(frozen=True, slots=True)
class Type:
    """A resource or data type with the elements it inherits, in the order of the specification."""

    name: str
    kind: Kind
    base: str | None
    abstract: bool
    elements: dict[str, Element]


@functools.cache
def types() -> dict[str, dict[str, Any]]:
    return content("types")


@functools.cache
def resource_types() -> frozenset[str]:
    """The resource types that can be stored; `Resource` and `DomainResource` are not among them."""
    return frozenset(
        name for name, each in types().items() if each["kind"] == "resource" and not each.get("abstract", False)
    )


@functools.cache
def type_of(name: str) -> Type:
    """A type by name, `Patient`, `HumanName`, `Patient.contact`. Raises KeyError."""
    compiled = types()[name]
    inherited = type_of(compiled["base"]).elements if compiled["base"] else {}
    own = {_bare(key): _element(key, entry) for key, entry in compiled["elements"].items()}
    return Type(name, compiled["kind"], compiled["base"], compiled.get("abstract", False), {**inherited, **own})


@functools.cache
def codes(value_set: str) -> dict[str, frozenset[str]]:
    """System to codes of a required value set."""
    return {system: frozenset(each) for system, each in content("codes")[value_set].items()}


@functools.cache
def content(name: str) -> dict[str, Any]:
    """One compiled file of `data/`, without its header."""
    text = resources.files("emr.definitions").joinpath("data", f"{name}.json").read_bytes()
    compiled: dict[str, Any] = json.loads(text)["content"]
    return compiled


def _suffix(type_: str) -> str:
    """`valueQuantity` also where the profile SimpleQuantity is asked for."""
    return "Quantity" if type_ == "SimpleQuantity" else type_[0].upper() + type_[1:]


def _bare(key: str) -> str:
    return key.removesuffix("[x]")


def _element(key: str, entry: dict[str, Any]) -> Element:
    most = entry.get("max", 1)
    return Element(
        name=_bare(key),
        types=tuple(entry["types"]),
        choice=key.endswith("[x]"),
        least=entry.get("min", 0),
        most=UNBOUNDED if most == "*" else most,
        targets=frozenset(entry.get("targets", ())),
        binding=entry.get("binding"),
        summary=entry.get("summary", False),
    )

"""What a profile says about each element, as a tree: the differentials of a chain of profiles put upon each other."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from emr.definitions import model
from emr.definitions.published import Constraint

Json = dict[str, Any]

ABSENT: Final = object()
"""No value; `null` is none either, but `false` and `0` are."""
CORE: Final = "http://hl7.org/fhir/StructureDefinition/"
_SEGMENT = re.compile(r"([^:]+)(?::(.+))?", re.DOTALL).fullmatch
_DEEPEST: Final = 30
_EVERYWHERE: Final = frozenset({"ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "dom-6"})


class Unusable(ValueError):
    """The StructureDefinition cannot be compiled; the argument says why, in one sentence."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One type that an element may have; profiles that its values keep one of; what a reference may point to."""

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slicing:
    """How the values of an element are told apart. discriminators: pairs of type and path."""

    discriminators: tuple[tuple[str, str], ...]
    rules: str = "open"
    ordered: bool = False


@dataclass(slots=True)
class Demand:
    """What is said about one element, or one slice of it. kind: the type in which its children are looked up."""

    name: str
    kind: str = ""
    least: int | None = None
    most: int | None = None
    kinds: tuple[Kind, ...] = ()
    fixed: Any = ABSENT
    pattern: Any = ABSENT
    binding: tuple[str, str] | None = None
    longest: int | None = None
    lowest: Any = ABSENT
    highest: Any = ABSENT
    slicing: Slicing | None = None
    constraints: dict[str, Constraint] = field(default_factory=dict)
    children: dict[str, "Demand"] = field(default_factory=dict)
    slices: dict[str, "Demand"] = field(default_factory=dict)

    def walk(self) -> Iterator["Demand"]:
        """Itself and all below."""
        yield self
        for each in (*self.children.values(), *self.slices.values()):
            yield from each.walk()


def demands_of(chain: Sequence[Json]) -> Demand:
    """The tree of a profile from its StructureDefinitions, the farthest base first.

    The differential is used, or the snapshot of one that has no differential. Raises `Unusable`.
    """
    root = Demand(chain[0]["type"], kind=chain[0]["type"])
    for structure in chain:
        for element in elements_of(structure):
            _put(_find(root, element), element)
    return root


def elements_of(structure: Json) -> Iterable[Json]:
    """The elements that say something: of the differential, else of the snapshot."""
    for part in ("differential", "snapshot"):
        held = structure.get(part)
        if type(held) is dict and held.get("element"):
            return list(held["element"])
    return []


def _find(root: Demand, element: Json) -> Demand:
    """The place of an element in the tree, made where nothing was said about it before."""
    _, *segments = (element.get("id") or _id_of(element)).split(".")
    at = root
    if len(segments) > _DEEPEST:
        raise Unusable(f"an element is nested more than {_DEEPEST} deep")
    for segment in segments:
        match = _SEGMENT(segment)
        if match is None:
            raise Unusable(f"the element {segment[:64]} has no name")
        name, part = match.groups()
        at = _below(at, name, element)
        for own in part.split("/") if part else ():
            at = _slice(at, own)
    return at


def _id_of(element: Json) -> str:
    path: str = element["path"]
    return f"{path}:{element['sliceName']}" if "sliceName" in element else path


def _below(above: Demand, name: str, element: Json) -> Demand:
    bare = name.removesuffix("[x]")
    kind = above.kind or _only_kind(above)
    if kind not in model.types():
        raise Unusable(f"the type of what is above {element['path']} is not known")
    elements = model.type_of(kind).elements
    if bare in elements:
        return above.children.setdefault(bare, Demand(bare, kind=_kind(elements[bare])))
    for choice in elements.values():
        if choice.choice and bare in choice.members():
            whole = above.children.setdefault(choice.name, Demand(choice.name))
            return _slice(whole, bare, choice.members()[bare])
    raise Unusable(f"R4 has no element {element['path']}")


def _kind(element: model.Element) -> str:
    return "" if element.choice or element.types[0] == "Resource" else element.types[0]


def _slice(above: Demand, name: str, kind: str = "") -> Demand:
    """A slice of a choice is named by its member, so its name tells its type."""
    if name not in above.slices:
        made = above.slices[name] = Demand(above.name, kind=kind or above.kind)
        made.kinds = (Kind(kind),) if kind else ()
    return above.slices[name]


def _only_kind(demand: Demand) -> str:
    codes = {each.code for each in demand.kinds}
    return codes.pop() if len(codes) == 1 else ""


def _put(demand: Demand, element: Json) -> None:
    if "min" in element:
        demand.least = element["min"]
    if "max" in element:
        demand.most = model.UNBOUNDED if element["max"] == "*" else int(element["max"])
    if kinds := _kinds(element):
        demand.kinds = kinds
        only = _only_kind(demand)
        demand.kind = only if not demand.kind or only in model.resource_types() else demand.kind
    _put_values(demand, element)
    demand.longest = element.get("maxLength", demand.longest)
    if "valueSet" in element.get("binding", {}):
        demand.binding = (element["binding"]["strength"], element["binding"]["valueSet"])
    if "slicing" in element:
        demand.slicing = _slicing(element["slicing"])
    for each in element.get("constraint", ()):
        if each["key"] not in _EVERYWHERE:
            said = Constraint(each["key"], each["severity"], each["human"], each.get("expression", ""))
            demand.constraints[said.key] = said


_VALUES: Final = {"fixed": "fixed", "pattern": "pattern", "minValue": "lowest", "maxValue": "highest"}


def _put_values(demand: Demand, element: Json) -> None:
    for key, value in element.items():
        for stem, name in _VALUES.items():
            if key.startswith(stem):
                setattr(demand, name, value)


def _kinds(element: Json) -> tuple[Kind, ...]:
    return tuple(
        Kind(each["code"], tuple(each.get("profile", ())), tuple(each.get("targetProfile", ())))
        for each in element.get("type", ())
        if not each["code"].startswith("http://hl7.org/fhirpath/")
    )


def _slicing(given: Json) -> Slicing:
    found = tuple((each["type"], each["path"]) for each in given.get("discriminator", ()))
    return Slicing(found, given.get("rules", "open"), given.get("ordered") is True)

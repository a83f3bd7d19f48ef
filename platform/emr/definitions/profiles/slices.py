"""Slices of an element: which value is in which, how many of each, and in what order (profiling.html#slicing)."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from emr.definitions import model
from emr.definitions.fhirpath.items import Node
from emr.definitions.fhirpath.syntax import Unreadable
from emr.definitions.findings import Findings, Path
from emr.definitions.profiles.demands import Demand, Slicing
from emr.definitions.profiles.matching import Known, Match, matcher

Place = tuple[Node, Path]
Check = Callable[[Node, Path, Findings], None]
_BY_URL: Final = Slicing((("value", "url"),))
_BY_TYPE: Final = Slicing((("type", "$this"),))


class Compiler(Protocol):
    """What a slice needs of the compiler of its profile."""

    url: str
    known: Known
    unchecked: list[str]

    def whole(self, demand: Demand) -> Check: ...


class _Slice:
    """One slice: who belongs to it, how many there are, and what each keeps."""

    def __init__(self, compiler: Compiler, name: str, demand: Demand, slicing: Slicing) -> None:
        self.name = name
        self.least = demand.least or 0
        self.most = model.UNBOUNDED if demand.most is None else demand.most
        self.match: Match = matcher(demand, slicing.discriminators, compiler.known)
        self.check = compiler.whole(demand)
        if demand.slices:
            compiler.unchecked.append(f"the slices of the slice {name}")


def check_slices(
    compiler: Compiler, element: model.Element, demand: Demand
) -> Callable[[list[Place], Path, Findings], None] | None:
    """The check of all values of an element; None when the slices cannot be told apart here, which is then listed."""
    slicing = _slicing(element, demand)
    try:
        slices = [_Slice(compiler, name, each, slicing) for name, each in demand.slices.items()]
    except Unreadable as reason:
        compiler.unchecked.append(f"the slices of {element.name}: {reason}")
        return None
    url = compiler.url

    def check(held: list[Place], path: Path, found: Findings) -> None:
        chosen = [_chosen(slices, node, found) for node, _ in held]
        for (node, place), own in zip(held, chosen, strict=True):
            if own is not None:
                own.check(node, place, found)
        for each in slices:
            count = sum(own is each for own in chosen)
            if count < each.least:
                found.add("required", f"{url} asks for {each.least} of the slice {each.name} here.", path)
            if count > each.most:
                found.add("cardinality", f"{url} takes {each.most} of the slice {each.name} here.", path)
        _check_rules(slicing, [None if own is None else slices.index(own) for own in chosen], (url, held), found)

    return check


def _slicing(element: model.Element, demand: Demand) -> Slicing:
    if demand.slicing is not None and demand.slicing.discriminators:
        return demand.slicing
    if element.name in ("extension", "modifierExtension"):
        return _BY_URL
    if element.choice:
        return _BY_TYPE
    return demand.slicing or Slicing(())


def _chosen(slices: Sequence[_Slice], node: Node, found: Findings) -> _Slice | None:
    return next((each for each in slices if each.match(node, found)), None)


def _check_rules(slicing: Slicing, numbers: list[int | None], said: tuple[str, list[Place]], found: Findings) -> None:
    url, held = said
    last = -1
    ended = False
    for number, (_, place) in zip(numbers, held, strict=True):
        if number is None:
            ended = True
            if slicing.rules == "closed":
                found.add("slice", f"{url} takes nothing here that is in none of its slices.", place)
        else:
            if ended and slicing.rules == "openAtEnd":
                found.add("slice", f"{url} takes what is in none of its slices at the end only.", place)
            if slicing.ordered and number < last:
                found.add("slice", f"{url} takes its slices here in their order.", place)
            last = max(last, number)

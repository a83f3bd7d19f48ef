"""The index values of a valid resource, found in one walk along a tree of the members that any parameter looks at."""

import functools
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.definitions import values
from emr.definitions.composites import both_present, emit_together
from emr.definitions.emitters import emitter
from emr.definitions.own import NONE, Own
from emr.definitions.routes import First, Route, Step, Target
from emr.definitions.search import SearchParameter, number_of, parameters
from emr.definitions.unasked import emit_here, reference_steps, unasked_path
from emr.definitions.values import Emit, Identifier, IndexValue, Token
from emr.definitions.walk import holds

Json = dict[str, Any]

HO_CHI_MINH_CITY: Final = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True, slots=True)
class Indexed:
    """values: each once, in no particular order. present: the numbers of the parameters that have a value at all."""

    values: list[IndexValue]
    present: set[int]


@dataclass(slots=True)
class _Emitter:
    """Emits values under a path. present: of every value. narrowed: of references to one type."""

    emit: Emit
    path: str
    present: tuple[int, ...] = ()
    narrowed: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class _Node:
    """What to do with a value: follow members, follow conditions, hand it to emitters."""

    members: dict[str, "_Node"] = field(default_factory=dict)
    conditions: list[tuple[Step, "_Node"]] = field(default_factory=list)
    emitters: list[_Emitter] = field(default_factory=list)

    def next(self, step: Step) -> "_Node":
        if isinstance(step, str):
            return self.members.setdefault(step, _Node())
        for condition, node in self.conditions:
            if condition == step:
                return node
        node = _Node()
        self.conditions.append((step, node))
        return node

    def emitter(self, emit: Emit, path: str) -> _Emitter:
        for known in self.emitters:
            if known.emit is emit:
                return known
        self.emitters.append(_Emitter(emit, path))
        return self.emitters[-1]


def extract(type: str, resource: Json, zone: tzinfo = HO_CHI_MINH_CITY, own: Own = NONE) -> Indexed:  # noqa: A002
    """Index values of every supported parameter of the type, by the path of their element, and links to what no
    parameter asks for. `own`: what the hospital has of its own beside the parameters of R4.

    The resource has passed `validate`, and its `meta` is the server's. Dates without a zone are taken in `zone`, the
    hospital's. `_id` and `_lastUpdated` are left to the store, which knows them.
    """
    found = Indexed([], set())
    _walk(resource, _tree(type, zone), found)
    if type in own.by_type:
        _walk(resource, _own_tree(type, zone, own), found)
    if type == "Patient":
        deceased = resource.get("deceasedBoolean", "deceasedDateTime" in resource)
        found.values.append(Token("Patient.deceased", None, "true" if deceased else "false"))
        found.present.add(number_of("deceased"))
    found.present.update(emit_together(type, resource, zone, found.values))
    found.present.update(both_present(type, found.present))
    return Indexed(list(dict.fromkeys(found.values)), found.present)


def identifiers(resource: Json) -> list[Identifier]:
    """The business identifiers of a valid resource, each once."""
    held = resource.get("identifier", ())
    return list(
        dict.fromkeys(
            Identifier(each.get("system"), each["value"])
            for each in (held if isinstance(held, list) else [held])
            if "value" in each
        )
    )


@functools.lru_cache(maxsize=1_000)
def _own_tree(type_: str, zone: tzinfo, own: Own) -> _Node:
    """Small beside R4's, of which one serves all hospitals."""
    root = _Node()
    for each in own.by_type[type_].values():
        for route in each.routes:
            _plant(root, each, route, zone)
    return root


@functools.cache
def _tree(type_: str, zone: tzinfo) -> _Node:
    root = _Node()
    for each in parameters(type_).values():
        if each.name in {"_id", "_lastUpdated"}:
            continue
        if not each.unsupported:
            for route in each.routes:
                _plant(root, each, route, zone)
    for steps in reference_steps(type_):
        _plant_reference(root, steps, unasked_path(type_))
    return root


def _plant_reference(root: _Node, steps: tuple[str, ...], path: str) -> None:
    node = root
    for step in steps:
        node = node.next(step)
    if not node.emitters:
        node.emitter(emit_here, path)


def _plant(root: _Node, each: SearchParameter, route: Route, zone: tzinfo) -> None:
    """Parameters that ask for one element share its rows; a condition on what a reference points to makes no other."""
    *way, last = route.steps
    node = root
    for step in way if isinstance(last, Target) else route.steps:
        node = node.next(step)
    shared = node.emitter(emitter(each, route, zone), route.path)
    if isinstance(last, Target):
        shared.narrowed = (*shared.narrowed, (last.type, each.number))
    elif each.number not in shared.present:
        shared.present = (*shared.present, each.number)


def _walk(value: Json, node: _Node, found: Indexed) -> None:
    """Follows the members that are both in the resource and in the tree."""
    members = node.members
    for key, item in value.items():
        below = members.get(key)
        if below is None:
            continue
        if type(item) is list:
            for each in item:
                if each is not None:
                    _visit(each, below, found)
            _visit_first(item, below, found)
        else:
            _visit(item, below, found)


def _visit(value: Any, node: _Node, found: Indexed) -> None:
    for each in node.emitters:
        each.emit(value, each.path, found.values)
        found.present.update(each.present)
        if each.narrowed:
            kind = values.target_type(value)
            found.present.update([number for narrowed, number in each.narrowed if narrowed == kind])
    if node.members and type(value) is dict:
        _walk(value, node, found)
    for condition, below in node.conditions:
        if type(value) is dict and holds(condition, value):
            _visit(value, below, found)


def _visit_first(items: list[Any], node: _Node, found: Indexed) -> None:
    for condition, below in node.conditions:
        if isinstance(condition, First) and items:
            _visit(items[0], below, found)

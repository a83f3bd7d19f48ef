"""Element tables turned into one small function per member, so that validating is a walk over what is there.

A shape is compiled when its type is first met, and kept.
"""

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, Final

from emr.definitions import model, narrative
from emr.definitions.findings import Findings, Path
from emr.definitions.invariants import Rule
from emr.definitions.primitives import MAX_TEXT, TESTS, Test
from emr.definitions.rules import advice_of, bound_code, bound_concept, check_contained, reference_target, rules_of

Json = dict[str, Any]
Check = Callable[[Any, Path, Findings], None]
Slot = Callable[[Any, Json, Path, Findings], None]


class Shape:
    """What an object of one type may and must have."""

    __slots__ = ("advice", "choices", "name", "rules", "slots")

    def __init__(self, type_: model.Type) -> None:
        self.name = type_.name
        self.slots: dict[str, Slot] = {"resourceType": _ignore} if type_.kind == "resource" else {}
        self.choices: tuple[tuple[str, frozenset[str]], ...] = tuple(
            (element.name, frozenset(element.members())) for element in type_.elements.values() if element.choice
        )
        self.rules = (*_demanding(type_), *_choosing(self.choices), *rules_of(type_.name))
        self.advice = advice_of(type_.name)

    def check(self, value: Any, path: Path, found: Findings) -> None:
        if type(value) is not dict:
            found.add("wrong-type", "An object is expected here.", path)
            return
        if not value:
            found.add("empty", "An object without members is not allowed.", path)
        slots = self.slots
        for key, item in value.items():
            slot = slots.get(key)
            if slot is None:
                self._refuse_key(key, path, found)
            else:
                slot(item, value, path, found)
        for rule in self.rules:
            rule(value, path, found)
        if found.thorough:
            for rule in self.advice:
                rule(value, path, found)

    def _refuse_key(self, key: str, path: Path, found: Findings) -> None:
        for name, group in self.choices:
            if key.startswith(name) and key[len(name) : len(name) + 1].isupper() and key not in group:
                found.add("choice", "This element has no such type here.", (path, key, None))
                return
        found.add("unknown-element", f"{self.name} has no such element.", (path, key, None))


def _demanding(type_: model.Type) -> Iterator[Rule]:
    """What must be there, for a type of which something must."""
    must = tuple((each.name, tuple(each.members())) for each in type_.elements.values() if each.least)

    def rule(value: Json, path: Path, found: Findings) -> None:
        for name, keys in must:
            if keys[0] not in value and not any(key in value or f"_{key}" in value for key in keys):
                found.add("required", "This element is required.", (path, name, None))

    if must:
        yield rule


def _choosing(choices: tuple[tuple[str, frozenset[str]], ...]) -> Iterator[Rule]:
    """One type of each choice, for a type that has choices."""

    def rule(value: Json, path: Path, found: Findings) -> None:
        for name, group in choices:
            if not group.isdisjoint(value) and len(value.keys() & group) > 1:
                found.add("choice", "Only one type of this element may be there.", (path, name, None))

    if choices:
        yield rule


_SHAPES: Final[dict[str, Shape]] = {}
_COMPILING: Final = Lock()


def shape_of(name: str) -> Shape:
    """The shape of a type; the first call compiles it with all that it reaches, and shows only complete ones."""
    shape = _SHAPES.get(name)
    if shape is None:
        with _COMPILING:
            made: dict[str, Shape] = {}
            shape = _compile(name, made)
            _SHAPES.update(made)
    return shape


def _compile(name: str, made: dict[str, Shape]) -> Shape:
    shape = _SHAPES.get(name) or made.get(name)
    if shape is None:
        type_ = model.type_of(name)
        shape = made[name] = Shape(type_)
        for element in type_.elements.values():
            for key, kind in element.members().items():
                shape.slots.update(_slots(element, key, kind, made))
    return shape


def check_resource(value: Any, path: Path, found: Findings) -> None:
    """A resource inside another: its type is what it says."""
    name = value.get("resourceType") if type(value) is dict else None
    if type(name) is not str or name not in model.resource_types():
        found.add("resource-type", "A resource names its type, one of R4.", path)
        return
    scoped = found.within(value)
    shape_of(name).check(value, path, scoped)
    check_contained(value, path, scoped)


def _check_contained(value: Any, path: Path, found: Findings) -> None:
    """A contained resource: its local references are those of the resource around it."""
    name = value.get("resourceType") if type(value) is dict else None
    if type(name) is not str or name not in model.resource_types():
        found.add("resource-type", "A resource names its type, one of R4.", path)
        return
    found.resource = value
    shape_of(name).check(value, path, found)
    found.resource = found.root


def _ignore(_value: Any, _owner: Json, _path: Path, _found: Findings) -> None:
    """`resourceType` has been looked at before the shape was chosen."""


def _slots(element: model.Element, key: str, kind: str, made: dict[str, Shape]) -> dict[str, Slot]:
    """The member of an element, and for a primitive its companion too."""
    if kind == "xhtml":
        return {key: _one(element.name, _check_div)}
    if kind not in TESTS:
        check = _complex(element, kind, made)
        return {key: _many(element, check) if element.many else _one(element.name, check)}
    test, expected = bound_code(element.binding) if kind == "code" and element.binding else TESTS[kind]
    companion = _compile("Element", made).check
    if element.many:
        return {
            key: _many_primitives(element.name, test, expected),
            f"_{key}": _many_companions(element.name, companion),
        }
    return {key: _one_primitive(element.name, test, expected), f"_{key}": _one(element.name, companion)}


def _complex(element: model.Element, kind: str, made: dict[str, Shape]) -> Check:
    if kind == "Resource":
        return _check_contained if element.name == "contained" else check_resource
    check = _compile(kind, made).check
    if element.binding and kind in {"Coding", "CodeableConcept"}:
        return _both(check, bound_concept(element.binding))
    if kind == "Reference" and element.targets:
        return _both(check, reference_target(element.targets))
    return check


def _both(first: Check, second: Check) -> Check:
    def check(value: Any, path: Path, found: Findings) -> None:
        first(value, path, found)
        second(value, path, found)

    return check


def _one(name: str, check: Check) -> Slot:
    def slot(value: Any, _owner: Json, path: Path, found: Findings) -> None:
        if type(value) is list:
            found.add("cardinality", "This element is not a list.", (path, name, None))
        else:
            check(value, (path, name, None), found)

    return slot


def _many(element: model.Element, check: Check) -> Slot:
    name, most = element.name, element.most

    def slot(value: Any, _owner: Json, path: Path, found: Findings) -> None:
        if not _is_list(value, (path, name, None), found):
            return
        if len(value) > most:
            found.add("cardinality", f"This element may be there {most} times.", (path, name, None))
        for index, item in enumerate(value):
            check(item, (path, name, index), found)

    return slot


def _one_primitive(name: str, test: Test, expected: str) -> Slot:
    def slot(value: Any, _owner: Json, path: Path, found: Findings) -> None:
        if not test(value):
            _explain(value, expected, (path, name, None), found)

    return slot


def _many_primitives(name: str, test: Test, expected: str) -> Slot:
    def slot(value: Any, owner: Json, path: Path, found: Findings) -> None:
        if not _is_list(value, (path, name, None), found):
            return
        for index, item in enumerate(value):
            if item is None:
                _check_gap(owner.get(f"_{name}"), index, (path, name, index), found)
            elif not test(item):
                _explain(item, expected, (path, name, index), found)

    return slot


def _check_gap(companions: Any, index: int, path: Path, found: Findings) -> None:
    """A null in a list of primitives stands for a value that has only an id or extensions."""
    if type(companions) is not list or index >= len(companions) or companions[index] is None:
        found.add("empty", "A null stands only where the companion list has something.", path)


def _many_companions(name: str, check: Check) -> Slot:
    def slot(value: Any, owner: Json, path: Path, found: Findings) -> None:
        if not _is_list(value, (path, f"_{name}", None), found):
            return
        values = owner.get(name)
        if type(values) is list and len(values) != len(value):
            found.add("cardinality", "The list and its companion are of one length.", (path, name, None))
        for index, item in enumerate(value):
            if item is not None:
                check(item, (path, name, index), found)
            elif type(values) is not list:
                found.add("empty", "A null stands only where the companion list has something.", (path, name, index))

    return slot


def _is_list(value: Any, path: Path, found: Findings) -> bool:
    if type(value) is not list:
        found.add("cardinality", "This element is a list.", path)
        return False
    if not value:
        found.add("empty", "An empty list is not allowed.", path)
    return True


def _explain(value: Any, expected: str, path: Path, found: Findings) -> None:
    if type(value) is list:
        found.add("cardinality", "This element is not a list.", path)
    elif type(value) is str and len(value) > MAX_TEXT:
        found.add("too-long", f"A text has at most {MAX_TEXT} characters.", path)
    elif value == "":
        found.add("empty", "An empty text is not allowed.", path)
    else:
        found.add("code" if expected.startswith("one of the codes") else "format", f"Expected is {expected}.", path)


def _check_div(value: Any, path: Path, found: Findings) -> None:
    if type(value) is not str:
        found.add("wrong-type", "A narrative is text.", path)
    elif len(value) > MAX_TEXT:
        found.add("too-long", f"A narrative has at most {MAX_TEXT} characters.", path)
    elif fault := narrative.fault(value):
        found.add("narrative", fault, path)

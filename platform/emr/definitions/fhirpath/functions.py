"""Functions on collections (http://hl7.org/fhirpath/N1/#functions and FHIR R4, fhirpath.html#functions)."""

from collections.abc import Callable
from typing import Any, Final

from emr.definitions import narrative
from emr.definitions.fhirpath.items import (
    Items,
    Node,
    Unknown,
    Value,
    child,
    children,
    descendants,
    has_value,
    is_kind,
    one,
    plain,
    root_of,
    same,
    truth,
)
from emr.definitions.fhirpath.scope import Scope
from emr.definitions.model import resource_types

Eval = Callable[[Scope, Items], Items]
Function = Callable[[Scope, Items, list[Eval]], Items]


def _holds(scope: Scope, criterion: Eval, item: Value, index: int) -> bool:
    return truth(criterion(scope.at(item, index), [item])) is True


def _where(scope: Scope, items: Items, given: list[Eval]) -> Items:
    return [item for index, item in enumerate(items) if _holds(scope, given[0], item, index)]


def _exists(scope: Scope, items: Items, given: list[Eval]) -> Items:
    return [bool(_where(scope, items, given) if given else items)]


def _all(scope: Scope, items: Items, given: list[Eval]) -> Items:
    return [all(_holds(scope, given[0], item, index) for index, item in enumerate(items))]


def _select(scope: Scope, items: Items, given: list[Eval]) -> Items:
    return [each for index, item in enumerate(items) for each in given[0](scope.at(item, index), [item])]


def _repeat(scope: Scope, items: Items, given: list[Eval]) -> Items:
    found: Items = []
    fresh = items
    while fresh := [each for each in _select(scope, fresh, given) if not _among(scope, each, found)]:
        found.extend(fresh)
    return found


def _among(scope: Scope, item: Value, others: Items) -> bool:
    scope.spend(len(others))
    return any(same(item, other) for other in others)


def distinct(items: Items) -> Items:
    """Each value once, in the order in which it came."""
    found: Items = []
    seen: set[Any] = set()
    for item in items:
        value = plain(item)
        if type(value) is str:
            if value not in seen:
                seen.add(value)
                found.append(item)
        elif not any(same(item, old) for old in found):
            found.append(item)
    return found


def _within(items: Items, others: Items) -> bool:
    return all(any(same(item, other) for other in others) for item in items)


def _other(combine: Callable[[Items, Items], Items]) -> Function:
    def run(scope: Scope, items: Items, given: list[Eval]) -> Items:
        others = given[0](scope, scope.this)
        scope.spend(len(items) * len(others))
        return combine(items, others)

    return run


def _plainly(function: Callable[[Items], Items]) -> Function:
    return lambda _scope, items, _given: function(items)


def _booleans(function: Callable[[list[bool]], bool]) -> Function:
    return lambda _scope, items, _given: [function([plain(item) is True for item in items])]


def _iif(scope: Scope, items: Items, given: list[Eval]) -> Items:
    if truth(given[0](scope, items)) is True:
        return given[1](scope, items)
    return given[2](scope, items) if len(given) > 2 else []


def _slice(scope: Scope, given: list[Eval]) -> int:
    number = plain(one(given[0](scope, scope.this)))
    if type(number) is not int:
        raise Unknown("a number of items was expected")
    return max(number, 0)


def _extension(scope: Scope, items: Items, given: list[Eval]) -> Items:
    url = plain(one(given[0](scope, scope.this)))
    return [
        each for item in items for each in child(item, "extension")
        if type(each.value) is dict and each.value.get("url") == url
    ]  # fmt: skip


def _not(items: Items) -> Items:
    value = truth(items)
    return [] if value is None else [not value]


def _single(items: Items) -> Items:
    one(items)
    return items


def _resolve(scope: Scope, items: Items, _given: list[Eval]) -> Items:
    """A contained resource itself; of what lies elsewhere only the type, where the reference tells it."""
    return [found for item in items if (found := _target(scope, plain(item))) is not None]


def _target(scope: Scope, value: Any) -> Node | None:
    reference = value.get("reference") if type(value) is dict else value
    if type(reference) is not str:
        raise Unknown("it looks at a resource that a reference does not name")
    if reference.startswith("#"):
        around = scope.root
        if reference == "#":
            return root_of(around)
        held = around.get("contained") if type(around) is dict else None
        return next(
            (root_of(each) for each in held or () if type(each) is dict and each.get("id") == reference[1:]), None
        )
    for part in reversed(reference.split("/_history/")[0].split("?")[0].split("/")):
        if part in resource_types():
            return Node({"resourceType": part}, part, elsewhere=True)
    said = value.get("type") if type(value) is dict else None
    if type(said) is str and said in resource_types():
        return Node({"resourceType": said}, said, elsewhere=True)
    raise Unknown("it looks at a resource whose type a reference does not tell")


def _narrative(items: Items) -> Items:
    return [all(type(plain(item)) is str and narrative.fault(plain(item)) is None for item in items)]


FUNCTIONS: Final[dict[str, tuple[Function, int, int]]] = {
    "exists": (_exists, 0, 1),
    "empty": (_plainly(lambda items: [not items]), 0, 0),
    "not": (_plainly(_not), 0, 0),
    "all": (_all, 1, 1),
    "allTrue": (_booleans(all), 0, 0),
    "anyTrue": (_booleans(any), 0, 0),
    "allFalse": (_booleans(lambda found: not any(found)), 0, 0),
    "anyFalse": (_booleans(lambda found: not all(found)), 0, 0),
    "count": (_plainly(lambda items: [len(items)]), 0, 0),
    "where": (_where, 1, 1),
    "select": (_select, 1, 1),
    "repeat": (_repeat, 1, 1),
    "first": (_plainly(lambda items: items[:1]), 0, 0),
    "last": (_plainly(lambda items: items[-1:]), 0, 0),
    "tail": (_plainly(lambda items: items[1:]), 0, 0),
    "single": (_plainly(_single), 0, 0),
    "skip": (lambda scope, items, given: items[_slice(scope, given) :], 1, 1),
    "take": (lambda scope, items, given: items[: _slice(scope, given)], 1, 1),
    "distinct": (_plainly(distinct), 0, 0),
    "isDistinct": (_plainly(lambda items: [len(distinct(items)) == len(items)]), 0, 0),
    "union": (_other(lambda items, others: distinct([*items, *others])), 1, 1),
    "combine": (_other(lambda items, others: [*items, *others]), 1, 1),
    "intersect": (_other(lambda items, others: distinct([each for each in items if _within([each], others)])), 1, 1),
    "exclude": (_other(lambda items, others: [each for each in items if not _within([each], others)]), 1, 1),
    "subsetOf": (_other(lambda items, others: [_within(items, others)]), 1, 1),
    "supersetOf": (_other(lambda items, others: [_within(others, items)]), 1, 1),
    "hasValue": (_plainly(lambda items: [len(items) == 1 and has_value(items[0])]), 0, 0),
    "getValue": (_plainly(lambda items: items if len(items) == 1 and has_value(items[0]) else []), 0, 0),
    "children": (_plainly(lambda items: [each for item in items for each in children(item)]), 0, 0),
    "descendants": (_plainly(lambda items: list(descendants(items))), 0, 0),
    "iif": (_iif, 2, 3),
    "trace": (_plainly(lambda items: items), 1, 2),
    "extension": (_extension, 1, 1),
    "resolve": (_resolve, 0, 0),
    "htmlChecks": (_plainly(_narrative), 0, 0),
}
"""Function, fewest and most arguments; an argument is evaluated by the function that it is given to."""


def of_kind(items: Items, wanted: str) -> Items:
    """`ofType`: those of a type."""
    return [item for item in items if is_kind(item, wanted)]

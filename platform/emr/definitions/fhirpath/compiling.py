"""A tree turned into one closure per operation, so that asking again costs only what is there to ask."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from emr.definitions import model
from emr.definitions.fhirpath.functions import FUNCTIONS, Eval, of_kind
from emr.definitions.fhirpath.items import (
    Items,
    child,
    is_kind,
    one,
    plain,
    root_of,
    truth,
)
from emr.definitions.fhirpath.operators import LOGIC, OPERATORS, number
from emr.definitions.fhirpath.scope import Scope
from emr.definitions.fhirpath.syntax import Tree, Unreadable, parse
from emr.definitions.fhirpath.texts import text_function

_CONSTANTS: Final = {
    "ucum": "http://unitsofmeasure.org",
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}


_VARIABLES: Final[dict[str, Eval]] = {
    "resource": lambda scope, _items: [root_of(scope.resource)],
    "rootResource": lambda scope, _items: [root_of(scope.root)],
    "context": lambda scope, _items: [scope.context],
}


@lru_cache(maxsize=5_000)
def compiled(expression: str) -> Eval:
    """The closure of an expression. Raises `Unreadable`."""
    return _compile(parse(expression))


def _compile(tree: Tree) -> Eval:
    return _MAKERS[tree[0]](tree)


def _literal(tree: Tree) -> Eval:
    value = [tree[1]]
    return lambda _scope, _items: value


def _name(tree: Tree) -> Eval:
    name = tree[1]
    if name[:1].isupper() and name in model.types():
        return lambda _scope, items: [item for item in items if is_kind(item, name)]
    return lambda _scope, items: [each for item in items for each in child(item, name)] if items else items


def _dot(tree: Tree) -> Eval:
    left, right = _compile(tree[1]), _compile(tree[2])

    def run(scope: Scope, items: Items) -> Items:
        return right(scope, left(scope, items))

    return _once(tree, run) if _fixed(tree) else run


def _fixed(tree: Tree) -> bool:
    """Whether a path begins at a variable and takes nothing from where it is asked."""
    match tree:
        case ("dot", left, right):
            plainly = right[0] == "name" or (right[0] == "call" and all(each[0] == "lit" for each in right[2]))
            return plainly and _fixed(left)
        case ("var", name):
            return name in _VARIABLES
        case _:
            return False


def _once(tree: Tree, run: Eval) -> Eval:
    number = id(tree)

    def kept(scope: Scope, items: Items) -> Items:
        found = scope.kept.get(number)
        if found is None:
            found = scope.kept[number] = run(scope, items)
        return found

    # The tree is held, so that its identity is not given to another one.
    kept.tree = tree  # type: ignore[attr-defined]
    return kept


def _at(tree: Tree) -> Eval:
    left, index = _compile(tree[1]), _compile(tree[2])

    def run(scope: Scope, items: Items) -> Items:
        found, number = left(scope, items), plain(one(index(scope, scope.this)))
        return found[number : number + 1] if type(number) is int and number >= 0 else []

    return run


def _variable(tree: Tree) -> Eval:
    name = tree[1]
    if name in _CONSTANTS:
        return _literal(("lit", _CONSTANTS[name]))
    if name.startswith("vs-"):
        return _literal(("lit", f"http://hl7.org/fhir/ValueSet/{name[3:]}"))
    if name.startswith("ext-"):
        return _literal(("lit", f"http://hl7.org/fhir/StructureDefinition/{name[4:]}"))
    if name not in _VARIABLES:
        raise Unreadable(f"%{name} is not known")
    return _VARIABLES[name]


def _call(tree: Tree) -> Eval:
    _, name, arguments = tree
    if name in ("is", "as", "ofType"):
        return _typed(name, arguments)
    given = [_compile(each) for each in arguments]
    if known := FUNCTIONS.get(name):
        function, least, most = known
        if not least <= len(given) <= most:
            raise Unreadable(f"{name} does not take {len(given)} arguments")
        return lambda scope, items: function(scope, items, given)
    if on_text := text_function(name, len(given)):
        return lambda scope, items: on_text(items, [each(scope, scope.this) for each in given])
    raise Unreadable(f"the function {name} is not supported")


def _typed(name: str, arguments: list[Tree]) -> Eval:
    if len(arguments) != 1:
        raise Unreadable(f"{name} takes a type")
    wanted = _type_name(arguments[0])
    if name == "is":
        return lambda _scope, items: [is_kind(one(items), wanted)] if items else []
    # `as` on several items filters in the constraints of R4 (dom-3), so it is not refused.
    return lambda _scope, items: of_kind(items, wanted)


def _type_name(tree: Tree) -> str:
    if tree[0] == "name":
        return str(tree[1])
    if tree[0] == "dot" and tree[1][0] == "name" and tree[2][0] == "name":
        return f"{tree[1][1]}.{tree[2][1]}"
    raise Unreadable("a type was expected")


def _is(tree: Tree) -> Eval:
    inner, wanted = _compile(tree[1]), tree[2]

    def run(scope: Scope, items: Items) -> Items:
        found = inner(scope, items)
        return [is_kind(one(found), wanted)] if found else []

    return run


def _as(tree: Tree) -> Eval:
    inner, wanted = _compile(tree[1]), tree[2]
    return lambda scope, items: of_kind(inner(scope, items), wanted)


def _minus(tree: Tree) -> Eval:
    inner = _compile(tree[1])

    def run(scope: Scope, items: Items) -> Items:
        value = plain(one(inner(scope, items)))
        return [] if value is None else [-number(value)]

    return run


_FEW: Final = 8


def _operator(tree: Tree) -> Eval:
    _, symbol, *sides = tree
    left, right = _compile(sides[0]), _compile(sides[1])
    if symbol in LOGIC:
        return _logical(symbol, left, right)
    apply = OPERATORS[symbol]

    def run(scope: Scope, items: Items) -> Items:
        first, second = left(scope, items), right(scope, items)
        if len(first) + len(second) > _FEW:
            scope.spend(len(first) + len(second))
        return apply(first, second)

    return run


def _logical(symbol: str, left: Eval, right: Eval) -> Eval:
    combine, settles = LOGIC[symbol]

    def run(scope: Scope, items: Items) -> Items:
        first = truth(left(scope, items))
        if first is settles and settles is not None:
            return [symbol != "and"]
        value = combine(first, truth(right(scope, items)))
        return [] if value is None else [value]

    return run


_MAKERS: Final[dict[str, Callable[[Tree], Eval]]] = {
    "lit": _literal,
    "none": lambda _tree: lambda _scope, _items: [],
    "name": _name,
    "call": _call,
    "dot": _dot,
    "at": _at,
    "var": _variable,
    "this": lambda _tree: lambda scope, _items: scope.this,
    "number": lambda _tree: lambda scope, _items: [scope.index],
    "minus": _minus,
    "is": _is,
    "as": _as,
    "op": _operator,
}

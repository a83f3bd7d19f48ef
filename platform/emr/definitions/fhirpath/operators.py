"""What the operators do with two sides: logic of three values, equality, order, arithmetic (FHIRPath 2.0, 6)."""

from collections.abc import Callable
from decimal import Decimal, DivisionByZero, InvalidOperation
from typing import Any, Final

from emr.definitions.fhirpath.functions import distinct
from emr.definitions.fhirpath.items import Items, Unknown, compare, equal, one, plain, same

Truth = bool | None


def _and(left: Truth, right: Truth) -> Truth:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _or(left: Truth, right: Truth) -> Truth:
    if left or right:
        return True
    return None if left is None or right is None else False


def _xor(left: Truth, right: Truth) -> Truth:
    return None if left is None or right is None else left is not right


def _implies(left: Truth, right: Truth) -> Truth:
    if left is False or right is True:
        return True
    return None if left is None or right is None else False


LOGIC: Final[dict[str, tuple[Callable[[Truth, Truth], Truth], Truth]]] = {
    "and": (_and, False),
    "or": (_or, True),
    "implies": (_implies, False),
    "xor": (_xor, None),
}
"""Operator, and the value of its left side that settles it (`implies` is then true)."""


def number(value: Any) -> Any:
    """A value to calculate with. Raises `Unknown` for anything else."""
    if type(value) is bool or not isinstance(value, int | Decimal):
        raise Unknown("a number was expected")
    return value


def _equals(left: Items, right: Items) -> Items:
    if not left or not right:
        return []
    if len(left) != len(right):
        return [False]
    found = [equal(*pair) for pair in zip(left, right, strict=True)]
    if False in found:
        return [False]
    return [] if None in found else [True]


def _differs(left: Items, right: Items) -> Items:
    return [not plain(each) for each in _equals(left, right)]


def _loosely(value: Any) -> Any:
    return " ".join(value.lower().split()) if type(value) is str else value


def _alike(left: Items, right: Items) -> Items:
    rest = [_loosely(plain(each)) for each in right]
    if len(left) != len(rest):
        return [False]
    for item in left:
        found = next((index for index, other in enumerate(rest) if same(_loosely(plain(item)), other)), None)
        if found is None:
            return [False]
        del rest[found]
    return [True]


def _ordered(fits: Callable[[int], bool]) -> Callable[[Items, Items], Items]:
    def run(left: Items, right: Items) -> Items:
        if not left or not right:
            return []
        sign = compare(one(left), one(right))
        return [] if sign is None else [fits(sign)]

    return run


def _in(left: Items, right: Items) -> Items:
    return [any(same(one(left), each) for each in right)] if left else []


def _concatenated(left: Items, right: Items) -> Items:
    return ["".join(str(plain(one(side))) if side else "" for side in (left, right))]


def _arithmetic(calculate: Callable[[Any, Any], Any]) -> Callable[[Items, Items], Items]:
    def run(left: Items, right: Items) -> Items:
        if not left or not right:
            return []
        first, last = plain(one(left)), plain(one(right))
        try:
            return [
                calculate(first, last) if type(first) is str is type(last) else calculate(number(first), number(last))
            ]
        except (ZeroDivisionError, DivisionByZero, InvalidOperation):
            return []
        except TypeError:
            raise Unknown("it calculates with what is no number") from None

    return run


OPERATORS: Final[dict[str, Callable[[Items, Items], Items]]] = {
    "=": _equals,
    "!=": _differs,
    "~": _alike,
    "!~": lambda left, right: [not _alike(left, right)[0]],
    "<": _ordered(lambda sign: sign < 0),
    "<=": _ordered(lambda sign: sign <= 0),
    ">": _ordered(lambda sign: sign > 0),
    ">=": _ordered(lambda sign: sign >= 0),
    "in": _in,
    "contains": lambda left, right: _in(right, left),
    "|": lambda left, right: distinct([*left, *right]),
    "&": _concatenated,
    "+": _arithmetic(lambda first, last: first + last),
    "-": _arithmetic(lambda first, last: first - last),
    "*": _arithmetic(lambda first, last: first * last),
    "/": _arithmetic(lambda first, last: Decimal(first) / Decimal(last)),
    "div": _arithmetic(lambda first, last: int(Decimal(first) / Decimal(last))),
    "mod": _arithmetic(lambda first, last: Decimal(first) % Decimal(last)),
}

"""Units of UCUM (https://ucum.org/ucum): what a code means in base units, so that 1 g/L and 100 mg/dL are found alike.

Factors are exact fractions. A result is rounded once, to 28 digits, so amounts that are equal stay equal. Temperatures
become kelvin; units on a logarithmic or other scale (pH, bel) have no factor and are left as written, as are codes that
are not of UCUM. What UCUM counts as one of nothing (international units, colony-forming units, fields of view) is a
base of its own: nobody can convert it.
"""

import functools
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Context, Decimal
from fractions import Fraction
from typing import Final

from emr.definitions import model

SYSTEM: Final = "http://unitsofmeasure.org"

_LONGEST: Final = 64
_MOST: Final = 30
_EXACT: Final = Context(prec=400, Emin=-9_999, Emax=9_999)
_ROUNDED: Final = Context(prec=28, Emin=-9_999, Emax=9_999)
_PART = re.compile(r"(?:\[[^\]]*\]|[^][./(){}])+").match
_EXPONENT = re.compile(r"(.+?)([+-]?\d+)").fullmatch
_ANNOTATION = re.compile(r"\{[^{}]*\}").match
_OFFSETS: Final = {
    "Cel": (Fraction(1), Fraction("273.15")),
    "[degF]": (Fraction(5, 9), Fraction("459.67") * Fraction(5, 9)),
    "[degRe]": (Fraction(5, 4), Fraction("273.15")),
}
"""Scales of temperature: kelvin to a degree, and the kelvin at zero degrees."""


@dataclass(frozen=True, slots=True)
class Unit:
    """factor: how many of `name` one of it is. offset: how many of `name` none of it is; only of temperatures.
    name: base units with their exponents, `g.m-3`; empty where there are none, as of `%`.
    """

    factor: Fraction
    name: str
    offset: Fraction = Fraction(0)


class UnknownUnit(ValueError):
    """A code that is not of UCUM, or that is not a factor of base units."""


def canonical(value: Decimal, code: str) -> tuple[Decimal, str] | None:
    """A value in base units, and their name; None where the code has none."""
    unit = unit_of(code)
    if unit is None:
        return None
    numerator, denominator = unit.factor.numerator, unit.factor.denominator
    whole = _EXACT.multiply(value, numerator)
    if unit.offset:
        none = unit.offset * denominator
        whole = _EXACT.add(whole, _EXACT.divide(Decimal(none.numerator), none.denominator))
    return _ROUNDED.divide(whole, denominator), unit.name


@functools.lru_cache(maxsize=2_048)
def unit_of(code: str) -> Unit | None:
    """What a code stands for; None for what is not of UCUM, or is not a factor of base units."""
    if code in _OFFSETS:
        factor, offset = _OFFSETS[code]
        return Unit(factor, "K", offset)
    try:
        return _Reader(code).read() if 0 < len(code) <= _LONGEST else None
    except UnknownUnit:
        return None


@dataclass(slots=True)
class _Product:
    factor: Fraction = Fraction(1)
    bases: Counter[str] = field(default_factory=Counter)

    def times(self, other: "_Product", exponent: int) -> None:
        if abs(exponent) > _MOST:
            raise UnknownUnit(str(exponent))
        self.factor *= other.factor**exponent
        for base, power in other.bases.items():
            self.bases[base] += power * exponent


class _Reader:
    """A recursive descent over the grammar of UCUM, §2: terms of components with `.` and `/`, from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self) -> Unit:
        found = self.product()
        powers = sorted((base, power) for base, power in found.bases.items() if power)
        return Unit(found.factor, ".".join(base if power == 1 else f"{base}{power}" for base, power in powers))

    def product(self) -> _Product:
        found = self._term()
        if self._at != len(self._text):
            raise UnknownUnit(self._text)
        return found

    def _term(self) -> _Product:
        found = _Product()
        sign = -1 if self._skip("/") else 1
        while True:
            found.times(self._component(), sign)
            if self._skip("."):
                sign = 1
            elif self._skip("/"):
                sign = -1
            else:
                return found

    def _component(self) -> _Product:
        if self._skip("("):
            found = self._term()
            if not self._skip(")"):
                raise UnknownUnit(self._text)
            self._annotation()
            return found
        part = _PART(self._text, self._at)
        if part is None:
            if not self._annotation():
                raise UnknownUnit(self._text)
            return _Product()
        self._at = part.end()
        self._annotation()
        return _simple(part[0])

    def _annotation(self) -> bool:
        """Text in braces means nothing: `{score}` is one."""
        found = _ANNOTATION(self._text, self._at)
        if found:
            self._at = found.end()
        return found is not None

    def _skip(self, letter: str) -> bool:
        here = self._text.startswith(letter, self._at)
        self._at += here
        return here


def _simple(text: str) -> _Product:
    if text.isascii() and text.isdigit():
        # UCUM's numbers are positive (section 8): nothing is measured in noughts, nor in parts of them.
        if not int(text):
            raise UnknownUnit(text)
        return _Product(Fraction(int(text)))
    raised = _EXPONENT(text)
    found = _Product()
    if text in _units() or raised is None:
        found.times(_atom(text), 1)
    else:
        found.times(_atom(raised[1]), int(raised[2][:4]))
    return found


@functools.cache
def _units() -> dict[str, tuple[int, str, str]]:
    return {code: (each[0], each[1], each[2]) for code, each in model.content("units")["units"].items()}


@functools.cache
def _prefixes() -> dict[str, Fraction]:
    return {code: Fraction(value) for code, value in model.content("units")["prefixes"].items()}


def _atom(code: str) -> _Product:
    """A unit, or a metric one with a prefix."""
    if code in _units():
        return _defined(code)
    for prefix in (code[:1], code[:2]):
        metric = _units().get(code[len(prefix) :])
        if prefix in _prefixes() and metric and metric[0]:
            found = _Product(_prefixes()[prefix])
            found.times(_defined(code[len(prefix) :]), 1)
            return found
    raise UnknownUnit(code)


@functools.cache
def _defined(code: str) -> _Product:
    _, factor, expression = _units()[code]
    if not expression:
        return _Product(Fraction(1), Counter({code: 1}))
    made_of = _Reader(expression).product()
    return _Product(Fraction(factor) * made_of.factor, made_of.bases)

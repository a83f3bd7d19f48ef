"""Numbers and quantities (search.html#number, #quantity), in exact fractions.

The units are a table written out by hand from the tables of UCUM: what they are made of, how many base units they are,
and where their zero lies.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

UCUM = "http://unitsofmeasure.org"
_LOW, _HIGH = float("-inf"), float("inf")
Exact = Fraction | float
_MOL = Fraction("6.0221367e23")
_DAY = Fraction(86400)

_UNITS: dict[str, tuple[str, Fraction]] = {
    "g": ("mass", Fraction(1)),
    "kg": ("mass", Fraction(1000)),
    "mg": ("mass", Fraction("0.001")),
    "ug": ("mass", Fraction("0.000001")),
    "m": ("length", Fraction(1)),
    "cm": ("length", Fraction("0.01")),
    "mm": ("length", Fraction("0.001")),
    "s": ("time", Fraction(1)),
    "min": ("time", Fraction(60)),
    "h": ("time", Fraction(3600)),
    "d": ("time", _DAY),
    "wk": ("time", 7 * _DAY),
    "mo": ("time", Fraction("30.4375") * _DAY),
    "a": ("time", Fraction("365.25") * _DAY),
    "mg/dL": ("mass/volume", Fraction(10)),
    "g/L": ("mass/volume", Fraction(1000)),
    "g/dL": ("mass/volume", Fraction(10000)),
    "mmol/L": ("1/volume", _MOL),
    "umol/L": ("1/volume", _MOL / 1000),
    "mm[Hg]": ("pressure", Fraction(133322)),
    "kPa": ("pressure", Fraction(1000000)),
    "/min": ("1/time", Fraction(1) / 60),
    "%": ("1", Fraction("0.01")),
    "1": ("1", Fraction(1)),
    "{score}": ("1", Fraction(1)),
    "Cel": ("temperature", Fraction(1)),
    "K": ("temperature", Fraction(1)),
}


class Amount(NamedTuple):
    """From low to high, both belonging to it. unit: `=dimension`, or how the unit is written; empty for any."""

    low: Exact
    high: Exact
    unit: str = ""


class Asked(NamedTuple):
    """A number as a search writes it: itself and what its digits imply, [low, high)."""

    prefix: str
    exact: Fraction
    low: Fraction
    high: Fraction


def in_base(value: Fraction, code: str) -> tuple[str, Fraction] | None:
    """A number of a UCUM unit in base units."""
    if code not in _UNITS:
        return None
    dimension, factor = _UNITS[code]
    return "=" + dimension, value + Fraction("273.15") if code == "Cel" else value * factor


def asked(text: str, prefix: str) -> Asked:
    """`100` is [99.5, 100.5); `1e2` is [95, 105) (search.html#number)."""
    exact = Fraction(text)
    digits = int(Decimal(text).as_tuple().exponent)
    if "e" in text.lower() and "." not in text:
        digits -= 1
    half = Fraction(10) ** digits / 2
    if prefix == "ap":
        half = max(half, abs(exact) / 10)
    return Asked(prefix, exact, exact - half, exact + half)


def fits(stored: Amount, wanted: Asked) -> bool:
    """platform/docs/search.md, "Prefixes", the column of numbers."""
    low, high, exact = stored.low, stored.high, wanted.exact
    equal = wanted.low <= low < wanted.high and high <= wanted.high
    point = low == high == exact
    return {
        "eq": equal,
        "ne": not equal,
        "gt": high > exact,
        "lt": low < exact,
        "ge": high > exact or point,
        "le": low < exact or point,
        "sa": low > exact,
        "eb": high < exact,
        "ap": low <= wanted.high and high >= wanted.low,
    }[wanted.prefix]


def amounts(kind: str, value: Any) -> list[Amount]:
    """What a value says, in each form in which it may be asked for."""
    if kind == "Range":
        return _between(value.get("low"), value.get("high"))
    if kind == "SampledData":
        return _sampled(value)
    if not isinstance(value, dict):
        return [Amount(Fraction(value), Fraction(value))]
    if kind == "Money":
        value = {**value, "system": "urn:iso:std:iso:4217", "code": value.get("currency")}
    sign = value.get("comparator", "=")
    forms = _forms(value)
    return [
        Amount(_LOW if "<" in sign else number, _HIGH if ">" in sign else number, unit)
        for unit, number in forms.items()
    ]


def _between(low: Any, high: Any) -> list[Amount]:
    """A Range is open where a bound is missing; of bounds in two units only the base units can be compared."""
    lows, highs = _forms(low or {}), _forms(high or {})
    if not low or not lows:
        return [Amount(_LOW, number, unit) for unit, number in highs.items()]
    if not high or not highs:
        return [Amount(number, _HIGH, unit) for unit, number in lows.items()]
    same = (low.get("code"), low.get("unit")) == (high.get("code"), high.get("unit"))
    return [
        Amount(number, highs[unit], unit) for unit, number in lows.items() if unit in highs and (unit != "" or same)
    ]


def _sampled(value: Any) -> list[Amount]:
    """From the least to the greatest sample; L and U are beyond the limits of detection. No range when an end is unknown."""
    origin, factor = value["origin"], Fraction(value.get("factor", 1))
    samples = value.get("data", "").split()
    numbers = [Fraction(each) for each in samples if each not in "LUE"]

    def measured(sample: Any) -> Any:
        return None if sample is None else origin | {"value": Fraction(origin["value"]) + Fraction(sample) * factor}

    low = value.get("lowerLimit") if "L" in samples else min(numbers, default=None)
    high = value.get("upperLimit") if "U" in samples else max(numbers, default=None)
    if low is None or high is None:
        return []
    return _between(measured(low), measured(high))


def _forms(value: Any) -> dict[str, Fraction]:
    """As written whatever the unit; in base units; by code, with and without its system; by unit."""
    if "value" not in value:
        return {}
    number = Fraction(value["value"])
    system, code, unit = value.get("system"), value.get("code"), value.get("unit")
    found = {"": number}
    base = in_base(number, code) if code and system == UCUM else None
    if base:
        found[base[0]] = base[1]
    elif code:
        found[f"{system or ''}|{code}"] = found[f"|{code}"] = number
    if unit and unit != code:
        found[f"|{unit}"] = number
    return found

"""Index values of numbers and quantities (https://hl7.org/fhir/R4/search.html#number, #quantity).

What a resource says is an exact point: the implied precision of a number belongs to the value that is searched for.
A comparator, a Range or sampled data is a range; a bound that excludes its own value (`<`) is held like one that does
not. Numbers beyond 10^±300 are not indexed.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from emr.definitions.units import SYSTEM, canonical
from emr.definitions.values import Amount, IndexValue

Json = dict[str, Any]

CURRENCY: Final = "urn:iso:std:iso:4217"
_FARTHEST: Final = 300
_DIGITS: Final = 200
_OPEN_BELOW: Final = Decimal("-Infinity")
_OPEN_ABOVE: Final = Decimal("Infinity")
_SAMPLE = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,2})?", re.ASCII).fullmatch


def emit_number(value: Any, path: str, out: list[IndexValue]) -> None:
    number = _decimal(value)
    if number is not None:
        out.append(Amount(path, number, number, ""))


def emit_quantity(value: Json, path: str, out: list[IndexValue]) -> None:
    comparator = value.get("comparator", "")
    for unit, number in _forms(value):
        low = _OPEN_BELOW if comparator[:1] == "<" else number
        high = _OPEN_ABOVE if comparator[:1] == ">" else number
        out.append(Amount(path, low, high, unit))


def emit_money(value: Json, path: str, out: list[IndexValue]) -> None:
    currency = value.get("currency")
    emit_quantity({**value, "system": CURRENCY, "code": currency} if currency else value, path, out)


def emit_range(value: Json, path: str, out: list[IndexValue]) -> None:
    """A Range with one bound is open at the other; bounds in two units have no value as written."""
    _emit_between(value.get("low"), value.get("high"), path, out)


def emit_sampled(value: Json, path: str, out: list[IndexValue]) -> None:
    """From the least to the greatest sample; `L` and `U` stand for what is below and above the limits of detection."""
    samples = value.get("data", "").split()
    numbers = [Decimal(sample) for sample in samples if _SAMPLE(sample)]
    low = _limit(value.get("lowerLimit"), _OPEN_BELOW) if "L" in samples else min(numbers, default=None)
    high = _limit(value.get("upperLimit"), _OPEN_ABOVE) if "U" in samples else max(numbers, default=None)
    if low is not None and high is not None:
        _emit_between(_measured(value, low), _measured(value, high), path, out)


def _emit_between(low: Json | None, high: Json | None, path: str, out: list[IndexValue]) -> None:
    lows, highs = dict(_forms(low or {})), dict(_forms(high or {}))
    if low and high and (low.get("code"), low.get("unit")) != (high.get("code"), high.get("unit")):
        lows.pop("", None)
    if lows and highs:
        out.extend([Amount(path, lows[unit], highs[unit], unit) for unit in lows if unit in highs])
    else:
        out.extend([Amount(path, number, _OPEN_ABOVE, unit) for unit, number in lows.items()])
        out.extend([Amount(path, _OPEN_BELOW, number, unit) for unit, number in highs.items()])


def _forms(value: Json) -> Iterator[tuple[str, Decimal]]:
    """Each unit under which a quantity is found, with its value in it (`Amount.unit`)."""
    number = _decimal(value.get("value"))
    if number is None:
        return
    yield "", number
    system, code, unit = value.get("system"), value.get("code"), value.get("unit")
    found = canonical(number, code) if code and system == SYSTEM and number.is_finite() else None
    if found:
        yield f"={found[1]}", found[0]
    elif code:
        yield from dict.fromkeys(((f"{system or ''}|{code}", number), (f"|{code}", number)))
    if unit and unit != code:
        yield f"|{unit}", number


def _decimal(value: Any) -> Decimal | None:
    """A number of JSON, as long as it is one that the index can hold."""
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        return None
    number = Decimal(value)
    if number.is_finite() and (abs(number.adjusted()) > _FARTHEST or len(number.as_tuple().digits) > _DIGITS):
        return None
    return number


def _limit(value: Any, otherwise: Decimal) -> Decimal:
    number = _decimal(value)
    return otherwise if number is None else number


def _measured(value: Json, sample: Decimal) -> Json:
    """A sample in the unit of its origin."""
    origin = value.get("origin", {})
    factor, zero = _limit(value.get("factor"), Decimal(1)), _limit(origin.get("value"), Decimal(0))
    return {**origin, "value": zero + sample * factor}

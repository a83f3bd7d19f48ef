"""Index values of composite parameters whose base element repeats: which values stand together in one of them."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from itertools import islice, product
from typing import Any, Final

from emr.definitions.emitters import emitter
from emr.definitions.routes import Step
from emr.definitions.search import Composite, parameters
from emr.definitions.values import Amount, Date, Emit, IndexValue, Link, String, Together, Token, Uri
from emr.definitions.walk import follow

Json = dict[str, Any]

_MOST: Final = 1_000
"""Rows of one base element; a hundred codes beside a hundred codes are no fact about anybody."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Part:
    """One component: where it lies, and whether that is below the base element or below the resource."""

    sources: tuple[tuple[tuple[Step, ...], Emit], ...]
    outside: bool


@dataclass(frozen=True, slots=True)
class _Stored:
    path: str
    base: tuple[Step, ...]
    parts: tuple[_Part, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Form:
    """One way in which a component can be asked for."""

    part: str | None = None
    unit: str = ""
    low: Decimal | None = None
    high: Decimal | None = None
    text: str | None = None


def emit_together(type_: str, resource: Json, zone: tzinfo, out: list[IndexValue]) -> set[int]:
    """Add what stands together in each base element; the numbers of the parameters that have a value so."""
    present: set[int] = set()
    for each in _stored(type_, zone):
        for base in follow(resource, each.base):
            forms = [list(_forms(resource if part.outside else base, part)) for part in each.parts]
            found = [_together(each.path, row) for row in islice(product(*forms), _MOST)]
            out.extend(found)
            if found:
                present.update(each.numbers)
    return present


def both_present(type_: str, present: set[int]) -> set[int]:
    """The numbers of the composite parameters of which every component has a value in the resource itself."""
    return {number for number, components in _single(type_) if components <= present}


@functools.cache
def _stored(type_: str, zone: tzinfo) -> tuple[_Stored, ...]:
    """Parameters that ask for the same elements share the rows (`component-code-…` and `combo-code-…`)."""
    found: dict[str, _Stored] = {}
    for parameter in parameters(type_).values():
        for each in parameter.composites if parameter.supported else ():
            if each.stored:
                known = found.get(each.path)
                numbers = (*(known.numbers if known else ()), parameter.number)
                found[each.path] = _Stored(each.path, each.base.steps, _parts(each, zone), numbers)
    return tuple(found.values())


@functools.cache
def _single(type_: str) -> tuple[tuple[int, frozenset[int]], ...]:
    return tuple(
        (parameter.number, frozenset(part.number for part in each.components))
        for parameter in parameters(type_).values()
        for each in parameter.composites
        if parameter.supported and not each.stored
    )


def _parts(composite: Composite, zone: tzinfo) -> tuple[_Part, ...]:
    return tuple(
        _Part(
            tuple((route.steps, emitter(each, route, zone)) for route in each.routes), outside=at in composite.outside
        )
        for at, each in enumerate(composite.components)
    )


def _forms(holder: Json, part: _Part) -> Iterator[_Form]:
    found: list[IndexValue] = []
    for steps, emit in part.sources:
        for value in follow(holder, steps):
            emit(value, "", found)
    for each in dict.fromkeys(found):
        yield from _asked(each)


def _asked(value: IndexValue) -> Iterator[_Form]:
    match value:
        case Token():
            yield _Form(value.code)
            yield _Form(f"{value.system or ''}|{value.code}")
        case Link():
            yield _Form(value.url if value.url is not None else f"{value.target_type}/{value.target_id}")
        case Uri():
            yield _Form(value.url)
        case Amount():
            yield _Form(unit=value.unit, low=value.low, high=value.high)
        case Date():
            yield _Form(low=_seconds(value.low), high=_seconds(value.high))
        case String():
            yield _Form(text=value.value)


def _together(path: str, row: tuple[_Form, ...]) -> Together:
    ranges = [form for form in row if form.low is not None]
    return Together(
        path,
        tuple(form.part for form in row if form.part is not None),
        "".join(form.unit for form in ranges),
        ranges[0].low if ranges else None,
        ranges[-1].high if ranges else None,
        next((form.text for form in row if form.text is not None), None),
    )


def _seconds(moment: datetime) -> Decimal:
    since = moment - _EPOCH
    return Decimal(since.days * 86_400 + since.seconds) + Decimal(since.microseconds) / 1_000_000

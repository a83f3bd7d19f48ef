"""A search as it was asked, understood in full or refused: nothing is ignored."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from emr.definitions.model import resource_types
from emr.definitions.search import SearchParameter, parameter
from emr.records.errors import SearchRefused

PAGE_DEFAULT: Final = 50
PAGE_MOST: Final = 1_000
_VALUES_MOST: Final = 500
_CLAUSES_MOST: Final = 30
_TEXT_MOST: Final = 1_000
_PREFIX: Final = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=\d)")
_CONTROL: Final = frozenset({"_count", "_sort", "_include", "_summary", "_total", "_totalMethod", "_format", "_pretty"})
_FORMATS: Final = ("json", "application/json", "application/fhir+json", "application/fhir json")
SEARCHABLE: Final = frozenset({"token", "string", "date", "reference", "uri"})

Prefix = Literal["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]
Total = Literal["none", "estimate", "accurate"]


@dataclass(frozen=True, slots=True)
class Clause:
    """One parameter with its values, of which any may fit; several clauses must all fit."""

    name: str
    kind: str
    modifier: str
    values: tuple[str, ...]
    parameter: SearchParameter | None = None


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort key: `_lastUpdated`, `_id`, or a date or string parameter."""

    name: str
    kind: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Include:
    """Follow one reference parameter of the matches, to one target type or to any."""

    parameter: str
    target: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """A search of one type. `echo` holds the criteria as asked, for the next page's link."""

    type: str
    clauses: tuple[Clause, ...]
    sort: Sort
    count: int
    includes: tuple[Include, ...]
    count_only: bool
    total: Total
    echo: tuple[tuple[str, str], ...]


def understand(resource_type: str, pairs: Iterable[tuple[str, str]]) -> Question:
    """The question behind decoded name and value pairs. Raises `SearchRefused` naming the parameter."""
    asked = list(pairs)
    if len(asked) > _CLAUSES_MOST:
        raise SearchRefused("search-too-long", f"A search has at most {_CLAUSES_MOST} parameters.", "_search")
    for name, value in asked:
        if len(value) > _TEXT_MOST * 40 or "\0" in value:
            raise SearchRefused("search-value", "The value is too long or holds a NUL.", name[:64])
    control = _single([pair for pair in asked if pair[0] in _CONTROL - {"_include"}])
    criteria = [pair for pair in asked if pair[0] not in _CONTROL]
    _accept_formats(control)
    return Question(
        type=resource_type,
        clauses=tuple(_clause(resource_type, name, value) for name, value in criteria),
        sort=_sort(resource_type, control.get("_sort", "-_lastUpdated")),
        count=_count(control.get("_count")),
        includes=tuple(_include(resource_type, value) for name, value in asked if name == "_include"),
        count_only=control.get("_summary") == "count" or control.get("_count") == "0",
        total=_total(control),
        echo=tuple(asked),
    )


def split(text: str, separator: str) -> list[str]:
    """Parts between unescaped separators, with the escapes of search.html#escaping taken off."""
    parts, part, at = [], "", 0
    while at < len(text):
        character = text[at]
        if character == "\\" and at + 1 < len(text) and text[at + 1] in ",$|\\":
            part, at = part + text[at : at + 2], at + 2
            continue
        if character == separator:
            parts.append(part)
            part = ""
        else:
            part += character
        at += 1
    return [*parts, part]


def unescape(text: str) -> str:
    """A value with its escapes taken off."""
    return re.sub(r"\\([,$|\\])", r"\1", text)


def prefix_of(value: str) -> tuple[Prefix, str]:
    """The comparison that a date value asks for, and the date."""
    found = _PREFIX.match(value)
    return (found[1], value[2:]) if found else ("eq", value)  # type: ignore[return-value]


def _clause(resource_type: str, name: str, value: str) -> Clause:
    base, _, modifier = name.partition(":")
    if "." in base or base.startswith("_has"):
        raise _unsupported(name, "chains and reverse chains")
    kind, known = _kind(resource_type, base, name)
    _refuse_modifier(kind, modifier, name)
    values = tuple(split(value, ","))
    if not all(values):
        raise SearchRefused("search-value-empty", "The parameter has no value.", name)
    if len(values) > _VALUES_MOST:
        raise SearchRefused("search-too-long", f"A parameter has at most {_VALUES_MOST} values.", name)
    return Clause(base, kind, modifier, values, known)


def _kind(resource_type: str, base: str, name: str) -> tuple[str, SearchParameter | None]:
    if base == "_id":
        return "id", None
    if base == "_lastUpdated":
        return "updated", None
    known = parameter(resource_type, base)
    if known is None:
        raise SearchRefused(
            "search-parameter-unknown", f"{resource_type} has no search parameter {base[:64]}.", name[:64]
        )
    if known.kind not in SEARCHABLE or known.unsupported:
        raise _unsupported(name, f"the parameter {base}")
    return ("identifier", known) if known.kind == "token" and base == "identifier" else (known.kind, known)


def _refuse_modifier(kind: str, modifier: str, name: str) -> None:
    if not modifier or (kind == "string" and modifier == "exact"):
        return
    if kind == "reference" and modifier in resource_types():
        return
    raise _unsupported(name[:64], f"the modifier :{modifier[:32]}")


def _sort(resource_type: str, value: str) -> Sort:
    keys = value.split(",")
    if len(keys) > 1:
        raise _unsupported("_sort", "several sort keys")
    name, descending = keys[0].removeprefix("-"), keys[0].startswith("-")
    if name in ("_lastUpdated", "_id"):
        return Sort(name, name, descending)
    known = parameter(resource_type, name)
    if known is None or known.unsupported or known.kind not in ("date", "string"):
        raise SearchRefused("sort-unknown", f"{resource_type} cannot be sorted by {name[:64]}.", "_sort")
    return Sort(name, known.kind, descending)


def _include(resource_type: str, value: str) -> Include:
    parts = value.split(":")
    known = parameter(resource_type, parts[1]) if len(parts) in (2, 3) and parts[0] == resource_type else None
    followed = known is not None and known.kind == "reference" and not known.unsupported
    if not followed or (len(parts) == 3 and parts[2] not in resource_types()):
        raise SearchRefused(
            "include-unknown", f"_include is {resource_type}:parameter[:Type] with a reference parameter.", "_include"
        )
    return Include(parts[1], parts[2] if len(parts) == 3 else None)


def _count(value: str | None) -> int:
    if value is None:
        return PAGE_DEFAULT
    if not (value.isascii() and value.isdigit() and len(value) <= 6):
        raise SearchRefused("count-invalid", "_count is a whole number, 0 or more.", "_count")
    return min(int(value), PAGE_MOST)


def _total(control: dict[str, str]) -> Total:
    """`_totalMethod=count` is how fhirpy asks for an accurate total."""
    if control.get("_totalMethod", "count") != "count":
        raise SearchRefused("total-invalid", "_totalMethod is count.", "_totalMethod")
    value = control.get("_total", "accurate" if "_totalMethod" in control else "none")
    if value not in ("none", "estimate", "accurate"):
        raise SearchRefused("total-invalid", "_total is none, estimate or accurate.", "_total")
    return value  # type: ignore[return-value]


def _accept_formats(control: dict[str, str]) -> None:
    if control.get("_summary", "false") not in ("false", "count"):
        raise _unsupported("_summary", "summaries other than count and false")
    if control.get("_format", "json") not in (
        "json",
        "application/json",
        "application/fhir+json",
        "application/fhir json",
    ):
        raise SearchRefused("format-unknown", "_format is json.", "_format")
    if control.get("_pretty", "false") not in ("true", "false"):
        raise SearchRefused("pretty-invalid", "_pretty is true or false.", "_pretty")


def _single(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise SearchRefused("search-parameter-twice", "This parameter stands once in a search.", pairs[-1][0])
    return found


def _unsupported(name: str, what: str) -> SearchRefused:
    return SearchRefused("search-unsupported", f"This server does not support {what} in searches.", name[:64])

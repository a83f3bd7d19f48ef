"""From a question to the shape of a statement and the values bound into it.

The shape says which tables are asked and how they are compared; equal shapes share one statement, and values never
become part of it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.access.permissions import sight
from emr.definitions.dates import range_of
from emr.definitions.model import resource_types
from emr.records.errors import SearchRefused
from emr.records.index import LONGEST, folded
from emr.records.keys import held_text, key_of, link_value, parameter_key
from emr.records.search.question import Clause, Question, prefix_of, split, unescape
from emr.work.unit import UnitOfWork

_LAST: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Part:
    """One condition of a statement: the table it asks, and how each of its values is compared."""

    table: str
    compare: tuple[str, ...] = ()
    single: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that decides the text of a statement. `sort` is `updated`, `id`, `dates` or `strings`."""

    parts: tuple[Part, ...]
    sort: str
    descending: bool
    cursor: bool


@dataclass(frozen=True, slots=True)
class Place:
    """The last resource of a page: its sort value as text, and its pk."""

    value: str
    pk: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A shape and its values by parameter name."""

    shape: Shape
    values: dict[str, Any]


def plan(work: UnitOfWork, question: Question, place: Place | None) -> Plan:
    """How to ask, from the beginning or after a place. Raises `SearchRefused` for a value that cannot be read."""
    values: dict[str, Any] = {"type": question.type, "sight": sight(work.principal), "limit": question.count + 1}
    parts = tuple(
        _part(work, question.type, clause, values, f"c{number}") for number, clause in enumerate(question.clauses)
    )
    sort = {"_lastUpdated": "updated", "_id": "id"}.get(question.sort.name) or f"{question.sort.kind}s"
    if sort in ("dates", "strings"):
        values["sort_key"] = parameter_key(work.tenant.index_key, question.type, question.sort.name)
    if place is not None:
        moment = sort in ("updated", "dates")
        values["after"] = datetime.fromisoformat(place.value).astimezone(UTC) if moment else place.value
        values["after_pk"] = place.pk
    return Plan(Shape(parts, sort, question.sort.descending, place is not None), values)


def _part(work: UnitOfWork, resource_type: str, clause: Clause, values: dict[str, Any], name: str) -> Part:
    key = work.tenant.index_key
    part: Part
    match clause.kind:
        case "id":
            values[name] = [unescape(value) for value in clause.values]
            part = Part("id")
        case "updated":
            part = Part("updated", _moments(work, clause, values, name))
        case "token" | "uri":
            values[name] = [_token_key(key, resource_type, clause, value) for value in clause.values]
            part = Part("tokens", single=len(clause.values) == 1)
        case "reference":
            values[name] = _link_keys(work, resource_type, clause)
            part = Part("links", single=len(values[name]) == 1)
        case "identifier":
            part = _identifiers(clause, values, name)
        case "date":
            values[f"{name}k"] = parameter_key(key, resource_type, clause.name)
            part = Part("dates", _moments(work, clause, values, name))
        case _:
            values[f"{name}k"] = parameter_key(key, resource_type, clause.name)
            part = _strings(clause, values, name)
    return part


def _token_key(key: bytes, resource_type: str, clause: Clause, value: str) -> int:
    parts = split(value, "|")
    if len(parts) > 2 or not parts[-1]:
        raise SearchRefused("token-form", "A token is code, system|code or |code.", clause.name)
    return key_of(key, resource_type, clause.name, "|".join(unescape(part) for part in parts))


def _link_keys(work: UnitOfWork, resource_type: str, clause: Clause) -> list[int]:
    assert clause.parameter is not None
    keys: list[int] = []
    for value in clause.values:
        text = unescape(value)
        own = work.request.base_url + "/"
        text = text.removeprefix(own) if own != "/" else text
        if ":" in text:
            keys.append(key_of(work.tenant.index_key, resource_type, clause.name, text))
            continue
        target_type, slash, target_id = text.rpartition("/")
        if slash:
            targets = [target_type]
        else:
            targets = [clause.modifier] if clause.modifier else sorted(clause.parameter.targets or resource_types())
        keys += [
            key_of(work.tenant.index_key, resource_type, clause.name, link_value(target, target_id))
            for target in targets
        ]
    return keys


def _identifiers(clause: Clause, values: dict[str, Any], name: str) -> Part:
    """Each value is `value`, `system|value` or `|value`; the last two compare the system too."""
    compare: list[str] = []
    for number, value in enumerate(clause.values):
        parts = [unescape(part) for part in split(value, "|")]
        if len(parts) > 2 or not parts[-1]:
            raise SearchRefused("token-form", "An identifier is value, system|value or |value.", clause.name)
        values[f"{name}v{number}"] = held_text(parts[-1])
        if len(parts) == 2:
            values[f"{name}s{number}"] = held_text(parts[0])
        compare.append("system" if len(parts) == 2 else "value")
    return Part("identifiers", tuple(compare))


def _strings(clause: Clause, values: dict[str, Any], name: str) -> Part:
    if clause.modifier == "exact":
        values[name] = [unescape(value)[:LONGEST] for value in clause.values]
        return Part("strings", ("exact",))
    for number, value in enumerate(clause.values):
        low = folded(unescape(value))
        if not low:
            raise SearchRefused("search-value-empty", "The value holds no letter or digit.", clause.name)
        values[f"{name}l{number}"], values[f"{name}h{number}"] = low, low + _LAST
    return Part("strings", ("prefix",) * len(clause.values))


def _moments(work: UnitOfWork, clause: Clause, values: dict[str, Any], name: str) -> tuple[str, ...]:
    compare: list[str] = []
    for number, value in enumerate(clause.values):
        prefix, text = prefix_of(unescape(value))
        try:
            low, high = range_of(text, ZoneInfo(work.tenant.time_zone))
        except ValueError as error:
            raise SearchRefused("date-form", "The value is not a date.", clause.name) from error
        if prefix == "ap":
            margin = abs(work.clock() - low) / 10
            low, high = _shifted(low, -margin), _shifted(high, margin)
        values[f"{name}l{number}"], values[f"{name}h{number}"] = low, high
        compare.append(prefix)
    return tuple(compare)


def _shifted(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return moment

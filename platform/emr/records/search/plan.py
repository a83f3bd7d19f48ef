"""From a question to the shape of a statement and the values bound into it.

The shape says which tables are asked and how they are compared; equal shapes share one statement, and values never
become part of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.access.permissions import sight
from emr.definitions.dates import range_of
from emr.definitions.model import resource_types
from emr.definitions.search import SearchParameter, parameter
from emr.records.errors import SearchRefused
from emr.records.index import LONGEST, folded
from emr.records.keys import held_text, key_of, path_key, url_path
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


def plan(work: UnitOfWork, question: Question, place: Place | None, targets: Mapping[tuple[str, str], int]) -> Plan:
    """How to ask, from the beginning or after a place. `targets`: the pk of each of `asked_targets` that is here.

    Raises `SearchRefused` for a value that cannot be read.
    """
    values: dict[str, Any] = {"type": question.type, "sight": sight(work.principal), "limit": question.count + 1}
    parts = tuple(_part(work, clause, targets, values, f"c{number}") for number, clause in enumerate(question.clauses))
    sort = {"_lastUpdated": "updated", "_id": "id"}.get(question.sort.name) or f"{question.sort.kind}s"
    if sort in ("dates", "strings"):
        sorted_by = parameter(question.type, question.sort.name)
        assert sorted_by is not None
        values["sort_key"] = _path_keys(work, sorted_by)
    if place is not None:
        moment = sort in ("updated", "dates")
        values["after"] = datetime.fromisoformat(place.value).astimezone(UTC) if moment else place.value
        values["after_pk"] = place.pk
    return Plan(Shape(parts, sort, question.sort.descending, place is not None), values)


def _part(
    work: UnitOfWork, clause: Clause, targets: Mapping[tuple[str, str], int], values: dict[str, Any], name: str
) -> Part:
    part: Part
    match clause.kind:
        case "id":
            values[name] = [unescape(value) for value in clause.values]
            part = Part("id")
        case "updated":
            part = Part("updated", _moments(work, clause, values, name))
        case "token" | "uri":
            values[name] = [key for value in clause.values for key in _token_keys(work, clause, value)]
            part = Part("tokens", single=len(values[name]) == 1)
        case "reference":
            links = _links(work, clause, targets)
            values[f"{name}p"], values[name] = [link[0] for link in links], [link[1] for link in links]
            part = Part("links", single=len(links) == 1)
        case "identifier":
            part = _identifiers(clause, values, name)
        case "date":
            values[f"{name}k"] = _path_keys(work, clause.parameter)
            part = Part("dates", _moments(work, clause, values, name))
        case _:
            values[f"{name}k"] = _path_keys(work, clause.parameter)
            part = _strings(clause, values, name)
    return part


def _path_keys(work: UnitOfWork, known: SearchParameter | None) -> list[int]:
    return [path_key(work.tenant.index_key, path) for path in (known.paths if known else ())]


def _token_keys(work: UnitOfWork, clause: Clause, value: str) -> list[int]:
    assert clause.parameter is not None
    parts = split(value, "|")
    if len(parts) > 2 or not parts[-1]:
        raise SearchRefused("token-form", "A token is code, system|code or |code.", clause.name)
    text = "|".join(unescape(part) for part in parts)
    return [key_of(work.tenant.index_key, path, text) for path in clause.parameter.paths]


def asked_targets(work: UnitOfWork, question: Question) -> list[tuple[str, str]]:
    """Type and id of everything on this server that a reference is asked to point to."""
    return [
        target
        for clause in question.clauses
        if clause.kind == "reference"
        for value in clause.values
        for target in _targets(clause, _relative(work, value))
    ]


def _relative(work: UnitOfWork, value: str) -> str:
    own = work.request.base_url + "/"
    return unescape(value).removeprefix(own) if own != "/" else unescape(value)


def _targets(clause: Clause, text: str) -> list[tuple[str, str]]:
    assert clause.parameter is not None
    if ":" in text:
        return []
    allowed = clause.parameter.targets or resource_types()
    target_type, slash, target_id = text.rpartition("/")
    types = [target_type] if slash else [clause.modifier] if clause.modifier else sorted(allowed)
    return [(each, target_id) for each in types if each in allowed]


def _links(work: UnitOfWork, clause: Clause, targets: Mapping[tuple[str, str], int]) -> list[tuple[int, int]]:
    assert clause.parameter is not None
    key = work.tenant.index_key
    links: list[tuple[int, int]] = []
    for value in clause.values:
        text = _relative(work, value)
        here = [targets[target] for target in _targets(clause, text) if target in targets]
        for path in clause.parameter.paths:
            links += [(path_key(key, path), target) for target in here]
            if ":" in text:
                elsewhere = url_path(path)
                links.append((path_key(key, elsewhere), key_of(key, elsewhere, text)))
    return links


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

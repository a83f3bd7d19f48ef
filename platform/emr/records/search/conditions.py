"""What a search asks of the tables, without its values: the shape that decides the text of a statement.

Equal shapes share one statement. A `slot` is the number under which the values of a condition are bound. Conditions
whose rows say by themselves which resources fit are positive: a search may begin at them.
"""

from dataclasses import dataclass
from typing import Final, Literal

from emr.records.search.question import Prefix

Lookup = Literal["value", "pair", "system"]
Match = Literal["prefix", "exact", "contains"]
Reach = Literal["one", "elsewhere", "many"]


@dataclass(frozen=True, slots=True)
class Keys:
    """One of some keys in `tokens`; coded: each with its system."""

    slot: int
    one: bool
    coded: bool = False


@dataclass(frozen=True, slots=True)
class Identified:
    """One of some values, pairs of system and value, or systems in `identifiers`."""

    slot: int
    lookup: Lookup


@dataclass(frozen=True, slots=True)
class Links:
    """A reference: to one resource of this record, to one address elsewhere, or to any of several."""

    slot: int
    reach: Reach


@dataclass(frozen=True, slots=True)
class Strings:
    """One of some texts in `strings`."""

    slot: int
    match: Match
    one: bool


@dataclass(frozen=True, slots=True)
class Dates:
    """A range in `dates` that stands in one way to one of some ranges."""

    slot: int
    prefix: Prefix
    one: bool


@dataclass(frozen=True, slots=True)
class Quantities:
    """The same in `quantities`, where each value has a key of its own."""

    slot: int
    prefix: Prefix
    one: bool


@dataclass(frozen=True, slots=True)
class Composites:
    """Rows of values that stand together. prefixes: of one number, whose ends are `low` and `high`, or of two, of which
    each is one of them. text: whether `value` begins so.
    """

    slot: int
    prefixes: tuple[Prefix, ...]
    text: bool


@dataclass(frozen=True, slots=True)
class Words:
    """One of some queries in `words`."""

    slot: int


@dataclass(frozen=True, slots=True)
class Ids:
    """One of some ids of the types that are searched."""

    slot: int


@dataclass(frozen=True, slots=True)
class Updated:
    """The moment of the last change stands in one way to one of some ranges."""

    slot: int
    prefix: Prefix
    one: bool


@dataclass(frozen=True, slots=True)
class Present:
    """The resource has a value for a parameter."""

    slot: int


@dataclass(frozen=True, slots=True)
class OfType:
    """The resource is of one of some types, and not deleted."""

    slot: int


@dataclass(frozen=True, slots=True)
class InPatient:
    """Member of one Patient's compartment."""

    slot: int


@dataclass(frozen=True, slots=True)
class Chained:
    """A reference leads to a resource that fits."""

    slot: int
    inner: "Condition"


@dataclass(frozen=True, slots=True)
class Referring:
    """A resource that fits refers here."""

    slot: int
    inner: "Condition"


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    inner: "Condition"


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Any:
    """Some part holds."""

    parts: tuple["Condition", ...]


Row = Keys | Identified | Links | Strings | Dates | Quantities | Composites | Words | InPatient
Condition = Row | Ids | Updated | Present | OfType | Chained | Referring | Not | All | Any

ROWS: Final = (Keys, Identified, Links, Strings, Dates, Quantities, Composites, Words, InPatient)
"""Conditions on the rows of one table of the index."""
_TYPED: Final = (Keys, Identified, Links, Strings, Dates, Quantities, Composites, Chained)
"""Their paths begin with a type, so what they find is of it."""


def is_positive(condition: Condition) -> bool:
    """Whether the condition can say, without a resource at hand, which resources fit."""
    match condition:
        case Chained(inner=inner) | Referring(inner=inner):
            return is_positive(inner)
        case All(parts):
            return any(map(is_positive, parts))
        case Any(parts):
            return all(map(is_positive, parts))
        case _:
            return isinstance(condition, (*ROWS, Ids))


def implies_type(condition: Condition) -> bool:
    """Whether everything that fits is sure to be of the type that the condition was made for."""
    match condition:
        case All(parts):
            return any(map(implies_type, parts))
        case Any(parts):
            return all(map(implies_type, parts))
        case _:
            return isinstance(condition, (*_TYPED, OfType))


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of the order: kind as in `question.Sort`; slot of the paths for those that lie in the index; one: whether
    there is a single path.
    """

    kind: str
    slot: int
    descending: bool
    one: bool = False


@dataclass(frozen=True, slots=True)
class Lead:
    """Where a statement begins.

    by: `type`, all resources of the types in the order of their change; `ordered`, the rows of a key or link, or of
    what a chain over few targets finds, which stand in that order too; `set`, the resources of a condition that fits
    few; `sorted`, the rows of the first sort key in their order, among which are no resources without a value.
    """

    by: Literal["type", "ordered", "set", "sorted"]
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that decides the text of a statement. one_type: whether a single type is searched."""

    lead: Lead
    tests: tuple[Condition, ...]
    sort: tuple[SortKey, ...]
    one_type: bool
    cursor: bool = False

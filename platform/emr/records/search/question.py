"""A search as data: what was asked, understood in full, before anything is known of tables.

A question is a conjunction of criteria; a criterion is a leaf (one parameter, any of several values), or leads over a
reference to a criterion about another resource. Nothing here refers to a hospital's keys.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from emr.definitions.search import SearchParameter
from emr.kernel.errors import Issue

Prefix = Literal["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]
Total = Literal["none", "estimate", "accurate"]
Summary = Literal["false", "true", "text", "data", "count"]
Scope = Literal["narrative", "all"]

SEARCHABLE: Final = frozenset(
    {"token", "string", "date", "number", "quantity", "reference", "uri", "composite", "special"}
)
"""The kinds of parameters that searches take; a parameter's own `unsupported` says what else stands in the way."""


@dataclass(frozen=True, slots=True)
class Token:
    """system None: any or none; empty: none. code None: any code of the system."""

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class OfType:
    """An identifier by the code of its type and its value."""

    system: str
    code: str
    value: str


@dataclass(frozen=True, slots=True)
class Text:
    """A string, or words."""

    text: str


@dataclass(frozen=True, slots=True)
class Uri:
    """An address, as written."""

    url: str


@dataclass(frozen=True, slots=True)
class Local:
    """A resource of this record that a reference may point to; `types`: of which type it may be."""

    types: tuple[str, ...]
    id: str


@dataclass(frozen=True, slots=True)
class Moments:
    """A date at its precision: moments from `low` up to, not including, `high`; for `ap` already widened."""

    prefix: Prefix
    low: datetime
    high: datetime


@dataclass(frozen=True, slots=True)
class Number:
    """A number: `exact` as written, and the half-open range `[low, high)` that its precision implies, or for `ap` the
    closed range that counts as near.
    """

    prefix: Prefix
    exact: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit. system None and code None: any unit; system None with a code: by code or unit as text."""

    number: Number
    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Combined:
    """The values of a composite's components, in their order."""

    parts: tuple["Value", ...]


Value = Token | OfType | Text | Uri | Local | Moments | Number | Quantity | Combined


@dataclass(frozen=True, slots=True)
class Leaf:
    """One parameter with its values, of which any may fit. `name` is how it was asked, for refusals."""

    name: str
    parameter: SearchParameter
    modifier: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """Whether the resource has no value for the parameter."""

    parameter: SearchParameter
    missing: bool


@dataclass(frozen=True, slots=True)
class Ids:
    """`_id`: one of these, or with `negated` none of them."""

    ids: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Updated:
    """`_lastUpdated`."""

    values: tuple[Moments, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """`_text` and `_content`: all words of one of the texts, each as the beginning of a word."""

    scope: Scope
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """A reference leads to a resource of one of these types that fits the criterion of its type."""

    parameter: SearchParameter
    branches: tuple[tuple[str, "Criterion"], ...]


@dataclass(frozen=True, slots=True)
class Has:
    """A resource of this type that fits the criterion refers here by the parameter."""

    type: str
    parameter: SearchParameter
    criterion: "Criterion"


@dataclass(frozen=True, slots=True)
class Compartment:
    """Membership in the compartment of one resource; `paths`: the references that make a member."""

    type: str
    id: str
    paths: tuple[str, ...]


Criterion = Leaf | Missing | Ids | Updated | Words | Chain | Has | Compartment


@dataclass(frozen=True, slots=True)
class Sort:
    """One key of the order. kind: `updated`, `id`, `date`, `string`, `number` or `quantity`."""

    name: str
    kind: str
    descending: bool
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Include:
    """Resources that go with the matches.

    source: the type whose references are followed. paths: None for all of them. targets: types to take, empty for
    any. back: from the target to those who refer to it. iterate: also from what was included.
    """

    source: str
    paths: tuple[tuple[str, tuple[str, ...]], ...]
    back: bool
    iterate: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """How much of each resource is shown: `_summary` and `_elements`."""

    summary: Summary = "false"
    elements: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether resources are shown as they are kept."""
        return self.summary == "false" and not self.elements


@dataclass(frozen=True, slots=True)
class Question:
    """A search of one type, or of several by what they have in common.

    echo: the criteria as understood, for self links and the next page. ignored: what a lenient client asked in vain.
    """

    types: tuple[str, ...]
    criteria: tuple[Criterion, ...]
    sort: tuple[Sort, ...]
    count: int
    includes: tuple[Include, ...]
    shown: Shown
    total: Total
    echo: tuple[tuple[str, str], ...]
    ignored: tuple[Issue, ...] = ()

    @property
    def count_only(self) -> bool:
        """Whether no resource is asked for, but how many there are."""
        return self.shown.summary == "count" or self.count == 0

"""From a parameter's name and text to a criterion: modifiers, chains, reverse chains (search.html#modifiers)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from emr.definitions.model import resource_types
from emr.definitions.search import SearchParameter
from emr.kernel.text import words
from emr.records.errors import SearchRefused
from emr.records.search.question import (
    Chain,
    Criterion,
    Has,
    Ids,
    Leaf,
    Missing,
    Updated,
    Words,
)
from emr.records.search.reading import Reader
from emr.records.search.text import split, unescape
from emr.records.stored import is_id

VALUES_MOST: Final = 500
LINKS_MOST: Final = 12
"""References that the chains of one search may follow in all."""
_NAME: Final = 64
_OF_ALL: Final = frozenset({"_id", "_lastUpdated", "_text", "_content", "_list"})

MODIFIERS: Final[dict[str, frozenset[str]]] = {
    "token": frozenset({"missing", "not", "text", "in", "not-in", "above", "below", "of-type"}),
    "string": frozenset({"missing", "exact", "contains"}),
    "reference": frozenset({"missing", "identifier"}),
    "uri": frozenset({"missing", "above", "below"}),
    "date": frozenset({"missing"}),
    "number": frozenset({"missing"}),
    "quantity": frozenset({"missing"}),
    "composite": frozenset(),
    "special": frozenset(),
}
"""Kind to its modifiers in R4; a reference also takes the name of a type. What R4 says of `:above` and `:below` on
references, for hierarchies of places, is not offered.
"""
_WITH_SYSTEM: Final = frozenset({"CodeableConcept", "Coding", "code"})
_WITH_TEXT: Final = frozenset({"CodeableConcept", "Coding", "Identifier"})
_NEEDS: Final[dict[str, frozenset[str]]] = {
    "of-type": frozenset({"Identifier"}),
    "identifier": frozenset({"Reference"}),
    "text": _WITH_TEXT,
    "in": _WITH_SYSTEM,
    "not-in": _WITH_SYSTEM,
}
"""Modifiers that make sense for some data types only."""


@dataclass(slots=True)
class Criteria:
    """Reads criteria about resources of some types; several types are searched by what they have in common."""

    reader: Reader
    types: tuple[str, ...]
    followed: int = field(default=0)

    def criterion(self, name: str, text: str) -> Criterion:
        """Raises `SearchRefused` naming the parameter."""
        if name.startswith("_has:"):
            return self._has(name, text)
        head, dot, rest = name.partition(".")
        if dot:
            return self._chain(name, head, rest, text)
        base, _, modifier = name.partition(":")
        return self._plain(name, base, modifier, text) if base in _OF_ALL else self._leaf(name, base, modifier, text)

    def _plain(self, name: str, base: str, modifier: str, text: str) -> Criterion:
        """Parameters that every resource has and that no element's path answers."""
        if base == "_id" and modifier == "not":
            return _ids(name, text, negated=True)
        if base in ("_id", "_lastUpdated") and modifier == "missing":
            # Every resource has them.
            return Ids((), negated=not _boolean(name, text))
        _refuse_modifier(base, modifier, name)
        match base:
            case "_id":
                return _ids(name, text)
            case "_lastUpdated":
                return Updated(tuple(self.reader.moments(value, name[:_NAME]) for value in _values(name, text)))
            case "_list":
                return self._list(name, text)
            case _:
                return _words(base, name, text)

    def _leaf(self, name: str, base: str, modifier: str, text: str) -> Criterion:
        known = self.parameter(base, name)
        _refuse_other_modifier(known, modifier, name)
        if modifier == "missing":
            return Missing(known, _boolean(name, text))
        given = tuple(self.reader.value(known, modifier, value, name[:_NAME]) for value in _values(name, text))
        return Leaf(name, known, "" if modifier in resource_types() else modifier, given)

    def parameter(self, base: str, name: str) -> SearchParameter:
        """The parameter of this name for all types of the search."""
        found = [(each, self.reader.known.parameter(each, base)) for each in self.types]
        for each, known in found:
            if known is None:
                rule = f"{each} has no search parameter {base[:_NAME]}."
                raise SearchRefused("search-parameter-unknown", rule, name[:_NAME])
            if known.unsupported:
                what = f"{base[:_NAME]}: {known.unsupported}"
                raise SearchRefused("search-unsupported", f"This server does not search by {what}.", name[:_NAME])
        return _common([known for _, known in found if known is not None], name)

    def _chain(self, name: str, head: str, rest: str, text: str) -> Chain:
        base, _, modifier = head.partition(":")
        known = self.parameter(base, name)
        if known.kind != "reference":
            rule = f"A chain leads over references; {base[:_NAME]} is no reference."
            raise SearchRefused("chain-form", rule, name[:_NAME])
        targets = known.targets or resource_types()
        if modifier and modifier not in targets:
            rule = f"{base[:_NAME]} does not lead to {modifier[:_NAME]}."
            raise SearchRefused("chain-form", rule, name[:_NAME])
        self._follow(name)
        if modifier:
            return Chain(known, ((modifier, self._at(modifier, rest, text, name)),))
        return Chain(known, self._branches(sorted(targets), name, rest, text))

    def _branches(self, targets: Sequence[str], name: str, rest: str, text: str) -> tuple[tuple[str, Criterion], ...]:
        """Of each type that a reference may lead to, the criterion, where the type has such a parameter."""
        step = rest.partition(".")[0].partition(":")[0]
        common = step.startswith("_")
        fits = [each for each in targets if common or self.reader.known.parameter(each, step) is not None]
        if not fits:
            rule = f"Nothing that it leads to has a search parameter {step[:_NAME]}."
            raise SearchRefused("search-parameter-unknown", rule, name[:_NAME])
        if len(fits) > 1 and (common or len(fits) > LINKS_MOST):
            rule = "It may lead to several types; name one, as in subject:Patient.name."
            raise SearchRefused("chain-ambiguous", rule, name[:_NAME])
        return tuple((each, self._at(each, rest, text, name)) for each in fits)

    def _has(self, name: str, text: str) -> Has:
        _, *parts = name.split(":", 3)
        if len(parts) < 3 or not parts[2]:
            rule = "A reverse chain is _has:Type:reference:parameter."
            raise SearchRefused("has-form", rule, name[:_NAME])
        kind, base, rest = parts
        if kind not in resource_types():
            raise SearchRefused("has-form", f"There is no resource type {kind[:_NAME]}.", name[:_NAME])
        known = replace(self, types=(kind,)).parameter(base, name)
        if known.kind != "reference":
            rule = f"{base[:_NAME]} of {kind} is no reference."
            raise SearchRefused("has-form", rule, name[:_NAME])
        if known.targets and not known.targets.intersection(self.types):
            rule = f"{base[:_NAME]} of {kind} does not lead here."
            raise SearchRefused("has-form", rule, name[:_NAME])
        self._follow(name)
        return Has(kind, known, self._at(kind, rest, text, name))

    def _list(self, name: str, text: str) -> Has:
        """Resources that the entries of a List name (search.html#list)."""
        known = Criteria(self.reader, ("List",)).parameter("item", name)
        ids = tuple(unescape(value) for value in _values(name, text))
        if not all(map(is_id, ids)):
            raise SearchRefused("search-unsupported", "_list takes ids of List resources here.", name[:_NAME])
        self._follow(name)
        return Has("List", known, Ids(ids))

    def _at(self, kind: str, rest: str, text: str, name: str) -> Criterion:
        """The same question about resources that a reference leads to; what it refuses is told by the whole name."""
        inner = Criteria(self.reader, (kind,), self.followed)
        try:
            found = inner.criterion(rest, text)
        except SearchRefused as refusal:
            raise SearchRefused(refusal.code, refusal.message, name[:_NAME]) from refusal
        self.followed = inner.followed
        return found

    def _follow(self, name: str) -> None:
        self.followed += 1
        if self.followed > LINKS_MOST:
            rule = f"The chains of one search follow at most {LINKS_MOST} references."
            raise SearchRefused("search-too-long", rule, name[:_NAME])


def _values(name: str, text: str) -> list[str]:
    values = split(text, ",")
    if not all(values):
        raise SearchRefused("search-value-empty", "The parameter has no value.", name[:_NAME])
    if len(values) > VALUES_MOST:
        raise SearchRefused("search-too-long", f"A parameter has at most {VALUES_MOST} values.", name[:_NAME])
    return values


def _ids(name: str, text: str, *, negated: bool = False) -> Ids:
    return Ids(tuple(unescape(value) for value in _values(name, text)), negated)


def _words(base: str, name: str, text: str) -> Words:
    texts = tuple(unescape(value) for value in _values(name, text))
    if not all(words(each) for each in texts):
        raise SearchRefused("search-value-empty", "The value holds no letter or digit.", name[:_NAME])
    return Words("narrative" if base == "_text" else "all", texts)


def _boolean(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise SearchRefused("missing-form", "With :missing the value is true or false.", name[:_NAME])
    return text == "true"


def _common(found: Sequence[SearchParameter], name: str) -> SearchParameter:
    """One parameter that stands for those of all types."""
    first = found[0]
    if len(found) == 1:
        return first
    if any(each.kind != first.kind for each in found) or first.kind == "composite":
        rule = "The types of this search do not share the parameter."
        raise SearchRefused("search-unsupported", rule, name[:_NAME])
    targets = [each.targets for each in found]
    return replace(
        first,
        paths=tuple(dict.fromkeys(path for each in found for path in each.paths)),
        routes=tuple(route for each in found for route in each.routes),
        targets=frozenset[str]().union(*targets) if all(targets) else frozenset(),
    )


def _refuse_other_modifier(known: SearchParameter, modifier: str, name: str) -> None:
    """Only modifiers that R4 has for the kind, and for the data types behind it."""
    if not modifier:
        return
    if known.kind == "reference" and modifier in resource_types():
        if known.targets and modifier not in known.targets:
            _refuse_modifier(known.name, modifier, name)
        return
    if modifier not in MODIFIERS[known.kind]:
        _refuse_modifier(known.name, modifier, name)
    needed = _NEEDS.get(modifier, frozenset())
    if known.kind == "token" and modifier in ("above", "below"):
        needed = _WITH_SYSTEM
    if needed and not any(route.type in needed for route in known.routes):
        _refuse_modifier(known.name, modifier, name)


def _refuse_modifier(base: str, modifier: str, name: str) -> None:
    if modifier:
        rule = f"{base[:_NAME]} has no modifier :{modifier[:32]} here."
        raise SearchRefused("search-modifier", rule, name[:_NAME])

"""From criteria to conditions: paths and values become the hospital's keys, bound under numbered names."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any as Anything
from typing import Final

from emr.access.permissions import demand_sight, sight
from emr.definitions.routes import Target
from emr.definitions.search import Composite, SearchParameter
from emr.records.index import LONGEST, folded
from emr.records.keys import (
    coded_key,
    held_text,
    identifier_path,
    key_of,
    of_type_path,
    path_key,
    system_number,
    url_path,
)
from emr.records.search import question as asked
from emr.records.search.conditions import (
    All,
    Any,
    Chained,
    Composites,
    Condition,
    Dates,
    Identified,
    Ids,
    InPatient,
    Keys,
    Links,
    Not,
    Present,
    Quantities,
    Referring,
    SortKey,
    Strings,
    Updated,
    Words,
    implies_type,
)
from emr.records.search.conditions import OfType as OfTypes
from emr.records.search.numbers import quantity_rows, together
from emr.records.search.question import (
    Combined,
    Criterion,
    Leaf,
    Local,
    Moments,
    Number,
    OfType,
    Prefix,
    Quantity,
    Text,
    Token,
    Uri,
    Value,
)
from emr.records.search.words import at_and_above, coded_text, of_system, plain_text, url_below
from emr.work.unit import UnitOfWork

_LAST: Final = "\U0010ffff"


@dataclass(slots=True)
class Binder:
    """Makes conditions about resources of some types, and gathers the values of all of them by name."""

    work: UnitOfWork
    values: dict[str, Anything] = field(default_factory=dict)
    slots: int = 0

    @property
    def index_key(self) -> bytes:
        """The hospital's."""
        return self.work.tenant.index_key

    def slot(self, **values: Anything) -> int:
        """A new number; the values get its names."""
        number = self.slots
        self.slots += 1
        for letter, value in values.items():
            self.values[f"{letter}{number}"] = value
        return number

    def condition(self, types: Sequence[str], criterion: Criterion) -> Condition:
        """Raises `Forbidden` where it leads to a type that the principal does not see."""
        match criterion:
            case Leaf():
                return self._leaf(types, criterion)
            case asked.Missing(parameter, missing):
                present = Present(self.slot(n=parameter.number))
                return Not(present) if missing else present
            case asked.Ids(ids, negated):
                found = Ids(self.slot(t=list(types), i=list(ids)))
                return Not(found) if negated else found
            case asked.Updated(values):
                return _any(
                    Updated(self.slot(**_moments(group)), prefix, len(group) == 1)
                    for prefix, group in _by_prefix(values)
                )
            case asked.Words(scope, texts):
                return Words(self.slot(q=[plain_text(text, scope) for text in texts]))
            case _:
                return self._over_reference(criterion)

    def _over_reference(self, criterion: Criterion) -> Condition:
        match criterion:
            case asked.Chain(parameter, branches):
                seen = [each for each in branches if self._sees(each[0])]
                if not seen:
                    demand_sight(self.work.principal, branches[0][0], "s")
                return Chained(self._paths(parameter), _any(self._at(kind, inner) for kind, inner in seen))
            case asked.Has(kind, parameter, inner):
                demand_sight(self.work.principal, kind, "s")
                return Referring(self._paths(parameter), self._at(kind, inner))
            case asked.Compartment("Patient", key, _):
                return InPatient(self.slot(i=key))
            case asked.Compartment(kind, key, paths):
                return self._links(paths, [Local((kind,), key)])
            case _:
                raise AssertionError(criterion)

    def _at(self, kind: str, criterion: Criterion) -> Condition:
        """About what a reference leads to, which must also be of the type."""
        found = self.condition((kind,), criterion)
        return found if implies_type(found) else All((found, OfTypes(self.slot(t=[kind]))))

    def _sees(self, kind: str) -> bool:
        seen = sight(self.work.principal, "s")
        return seen is None or kind in seen

    def _paths(self, parameter: SearchParameter) -> int:
        return self.slot(p=self.path_keys(parameter.paths))

    def path_keys(self, paths: Iterable[str]) -> list[int]:
        """The keys of paths alone."""
        return [path_key(self.index_key, path) for path in paths]

    def _leaf(self, types: Sequence[str], leaf: Leaf) -> Condition:
        found: Condition
        match leaf.parameter.kind:
            case "token":
                found = self._token(types, leaf)
            case "reference":
                found = self._reference(leaf)
            case "uri":
                found = self._uri(leaf)
            case "date":
                keys = self.path_keys(leaf.parameter.paths)
                found = _any(
                    Dates(self.slot(k=keys, **_moments(group)), prefix, len(group) == 1)
                    for prefix, group in _by_prefix(leaf.values)
                )
            case "number" | "quantity":
                found = _any(self._quantities(leaf.parameter.paths, leaf.values))
            case "composite":
                found = _any(self._composite(types, leaf, value) for value in leaf.values)
            case _:
                found = self.strings(leaf.parameter.paths, leaf.modifier, leaf.values)
        return found

    def _token(self, types: Sequence[str], leaf: Leaf) -> Condition:
        paths = leaf.parameter.paths
        match leaf.modifier:
            case "of-type":
                wholes = [f"{v.system}|{v.code}|{v.value}" for v in leaf.values if isinstance(v, OfType)]
                return self.keys(self.keyed([of_type_path(path) for path in paths], wholes))
            case "text":
                texts = [value.text for value in leaf.values if isinstance(value, Text)]
                return Words(self.slot(q=[coded_text(self.index_key, path, text) for path in paths for text in texts]))
            case _:
                found = self._tokens(types, leaf)
                return Not(found) if leaf.modifier in ("not", "not-in") else found

    def _tokens(self, types: Sequence[str], leaf: Leaf) -> Condition:
        tokens = [value for value in leaf.values if isinstance(value, Token)]
        if leaf.parameter.name == "identifier" and any(each.type == "Identifier" for each in leaf.parameter.routes):
            return _any(self._identified(types, tokens))
        paths = leaf.parameter.paths
        systems = [token.system or "" for token in tokens if token.code is None]
        parts: list[Condition] = self._codes(paths, tokens)
        if systems:
            marked = [of_system(self.index_key, path, system) for path in paths for system in systems]
            parts.append(Words(self.slot(q=marked)))
        return _any(parts) if parts else self.keys([])

    def _identified(self, types: Sequence[str], tokens: Sequence[Token]) -> Iterable[Condition]:
        values = [held_text(each.code) for each in tokens if each.system is None and each.code is not None]
        pairs = [
            (held_text(each.system), held_text(each.code))
            for each in tokens
            if each.system is not None and each.code is not None
        ]
        systems = [held_text(each.system or "") for each in tokens if each.code is None]
        if values:
            yield Identified(self.slot(t=list(types), v=values), "value")
        if pairs:
            yield Identified(self.slot(t=list(types), s=[p[0] for p in pairs], v=[p[1] for p in pairs]), "pair")
        if systems:
            yield Identified(self.slot(t=list(types), s=systems), "system")

    def _codes(self, paths: Sequence[str], tokens: Sequence[Token]) -> list[Condition]:
        """Codes in any system, and codes of a system each, which may be none."""
        alone = [token.code for token in tokens if token.system is None and token.code is not None]
        pairs = [(token.system, token.code) for token in tokens if token.system is not None and token.code is not None]
        parts: list[Condition] = [self.keys(self.keyed(paths, alone))] if alone else []
        return [*parts, self._coded(paths, pairs)] if pairs else parts

    def _coded(self, paths: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Keys:
        key = self.index_key
        found = [(key_of(key, path, code), system_number(key, system)) for path in paths for system, code in pairs]
        distinct = list(dict.fromkeys(found))
        if len(distinct) == 1:
            return Keys(self.slot(k=distinct[0][0], s=distinct[0][1]), one=True, coded=True)
        keys, systems = [each[0] for each in distinct], [each[1] for each in distinct]
        slot = self.slot(k=keys, s=systems, m=[coded_key(*each) for each in distinct])
        return Keys(slot, one=False, coded=True)

    def keyed(self, paths: Iterable[str], values: Sequence[str]) -> list[int]:
        """The key of each value under each path."""
        return [key_of(self.index_key, path, value) for path in paths for value in values]

    def keys(self, keys: list[int]) -> Keys:
        """Any of some keys of `tokens`."""
        distinct = list(dict.fromkeys(keys))
        one = len(distinct) == 1
        return Keys(self.slot(k=distinct[0] if one else distinct), one)

    def _uri(self, leaf: Leaf) -> Condition:
        paths = leaf.parameter.paths
        urls = [value.url for value in leaf.values if isinstance(value, Uri)]
        match leaf.modifier:
            case "above":
                return self.keys(self.keyed(paths, [each for url in urls for each in at_and_above(url)]))
            case "below":
                return Words(self.slot(q=[url_below(self.index_key, path, url) for path in paths for url in urls]))
            case _:
                return self.keys(self.keyed(paths, urls))

    def _reference(self, leaf: Leaf) -> Condition:
        narrowed = any(isinstance(route.steps[-1], Target) for route in leaf.parameter.routes)
        if leaf.modifier == "identifier":
            given = [value for value in leaf.values if isinstance(value, Token)]
            found = _any(self._codes([identifier_path(path) for path in leaf.parameter.paths], given))
        else:
            found = self._links(leaf.parameter.paths, leaf.values)
            narrowed = narrowed and any(isinstance(value, Uri) for value in leaf.values)
        return All((found, Present(self.slot(n=leaf.parameter.number)))) if narrowed else found

    def _links(self, paths: Sequence[str], values: Sequence[Value]) -> Links:
        here = [(kind, value.id) for value in values if isinstance(value, Local) for kind in value.types]
        urls = [value.url for value in values if isinstance(value, Uri)]
        elsewhere = [url_path(path) for path in paths]
        if len(paths) == 1 and len(here) == 1 and not urls:
            return Links(self.slot(p=path_key(self.index_key, paths[0]), t=here[0][0], i=here[0][1]), "one")
        if len(paths) == 1 and len(urls) == 1 and not here:
            target = key_of(self.index_key, elsewhere[0], urls[0])
            return Links(self.slot(p=path_key(self.index_key, elsewhere[0]), h=target), "elsewhere")
        every = [*(paths if here else ()), *(elsewhere if urls else ())]
        targets = [key_of(self.index_key, path, url) for path in elsewhere for url in urls]
        return Links(
            self.slot(p=self.path_keys(every), t=[each[0] for each in here], i=[each[1] for each in here], h=targets),
            "many",
        )

    def strings(self, paths: Sequence[str], modifier: str, values: Sequence[Value]) -> Strings:
        """Texts under paths."""
        keys = self.path_keys(paths)
        texts = [value.text for value in values if isinstance(value, Text)]
        one = len(texts) == 1
        if modifier == "exact":
            raws = [text[:LONGEST] for text in texts]
            return Strings(self.slot(k=keys, r=raws, v=[folded(text) for text in texts]), "exact", one)
        plain = [folded(text) for text in texts]
        if modifier == "contains":
            return Strings(self.slot(k=keys, v=plain[0] if one else plain), "contains", one)
        lows, highs = plain, [text + _LAST for text in plain]
        return Strings(self.slot(k=keys, l=lows[0] if one else lows, h=highs[0] if one else highs), "prefix", one)

    def _quantities(self, paths: Sequence[str], values: Sequence[Value]) -> Iterator[Condition]:
        for prefix, group in _by_prefix(values):
            columns = quantity_rows(self.index_key, paths, group)
            one = len(columns["k"]) == 1
            yield Quantities(
                self.slot(**{name: column[0] if one else column for name, column in columns.items()}), prefix, one
            )

    def _composite(self, types: Sequence[str], leaf: Leaf, value: Value) -> Condition:
        assert isinstance(value, Combined)
        return _any(
            part
            for each in leaf.parameter.composites
            for part in (self._stored(each, value) if each.stored else [self._parts(types, leaf, each, value)])
        )

    def _parts(self, types: Sequence[str], leaf: Leaf, each: Composite, value: Combined) -> Condition:
        """Elements that do not repeat stand together by themselves."""
        pairs = zip(each.components, value.parts, strict=True)
        return All(tuple(self._leaf(types, Leaf(leaf.name, part, "", (given,))) for part, given in pairs))

    def _stored(self, each: Composite, value: Combined) -> Iterator[Condition]:
        for row in together(self.index_key, each, value):
            numbers = {
                f"{letter}{number}": getattr(interval, field_name)
                for number, (_, interval) in enumerate(row.numbers)
                for letter, field_name in (("x", "exact"), ("a", "low"), ("b", "high"))
            }
            slot = self.slot(k=list(row.keys), l=row.text, h=(row.text or "") + _LAST)
            self.values |= {f"{name}_{slot}": number for name, number in numbers.items()}
            yield Composites(slot, tuple(prefix for prefix, _ in row.numbers), row.text is not None)

    def sort(self, keys: Sequence[asked.Sort]) -> tuple[SortKey, ...]:
        """The keys of the order."""
        found: list[SortKey] = []
        for each in keys:
            paths = self.path_keys(each.paths)
            slot = self.slot(k=paths, o=paths[0] if paths else 0)
            found.append(SortKey(each.kind, slot, each.descending, len(paths) == 1))
        return tuple(found)


def _any(conditions: Iterable[Condition]) -> Condition:
    parts = tuple(conditions)
    return parts[0] if len(parts) == 1 else Any(parts)


def _by_prefix(values: Sequence[Value]) -> list[tuple[Prefix, list[Value]]]:
    """Values that are compared alike stand together, whatever their order."""
    groups: dict[Prefix, list[Value]] = {}
    for value in values:
        groups.setdefault(_prefix(value), []).append(value)
    return list(groups.items())


def _prefix(value: Value) -> Prefix:
    match value:
        case Moments(prefix=prefix) | Number(prefix=prefix) | Quantity(number=Number(prefix=prefix)):
            return prefix
        case _:
            return "eq"


def _moments(group: Sequence[Value]) -> dict[str, Anything]:
    found = [value for value in group if isinstance(value, Moments)]
    if len(found) == 1:
        return {"l": found[0].low, "h": found[0].high}
    return {"l": [each.low for each in found], "h": [each.high for each in found]}

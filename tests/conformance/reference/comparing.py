"""One question put to both, and what they say differently; then the same in as few words as possible."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from emr.kernel.errors import Refusal
from tests.conformance.reference.evaluator import Held, Name, Reference
from tests.conformance.reference.hospital import Hospital
from tests.conformance.reference.questions import Query

_PAGES_MOST = 400


@dataclass(frozen=True)
class Difference:
    """What was asked, and what each of the two said."""

    query: Query
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.query}\n  {self.what}\n  reference: {self.expected}\n  record:    {self.found}"


async def compare(hospital: Hospital, reference: Reference, query: Query) -> Difference | None:
    """Asks both. A refusal of the record is a difference: the generator asks only what is promised."""
    expected = reference.search(query.types, query.criteria)
    if query.patient is not None:
        expected = {key for key in expected if reference.in_compartment(query.patient, key)}
    try:
        return await _asked(hospital, reference, query, expected)
    except Refusal as refusal:
        told = "; ".join(f"{issue.code}: {issue.message}" for issue in refusal.issues)
        return Difference(query, "refused", _named(expected), told)


async def _asked(hospital: Hospital, reference: Reference, query: Query, expected: set[Name]) -> Difference | None:
    controls = dict(query.controls)
    page = await hospital.page(query, [*query.criteria, *query.controls])
    if "_summary" in controls or "_total" in controls:
        if page.total != len(expected):
            return Difference(query, "total", str(len(expected)), str(page.total))
        if "_summary" in controls:
            return None
    found: list[Name] = []
    for _ in range(_PAGES_MOST):
        matches = [(each.type, each.id) for each in page.matches]
        found += matches
        ways = [pair for pair in query.controls if pair[0].partition(":")[0] in ("_include", "_revinclude")]
        with_them = reference.included(set(matches), ways)
        carried = {(each.type, each.id) for each in page.included}
        if carried != with_them:
            return Difference(query, f"included with {_named(matches)}", _named(with_them), _named(carried))
        if page.cursor is None:
            break
        page = await hospital.page(query, [("_cursor", page.cursor)])
    if len(set(found)) != len(found):
        return Difference(query, "found twice", "", _named([each for each in found if found.count(each) > 1]))
    if set(found) != expected:
        return Difference(query, "found", _named(expected - set(found)), _named(set(found) - expected))
    if not reference.ordered(found, controls.get("_sort", "-_lastUpdated")):
        return Difference(query, "order", "", " ".join(key for _, key in found))
    return None


async def smaller(difference: Difference, ask: Callable[[Query], Awaitable[Difference | None]]) -> Difference:
    """The same difference with fewer criteria, controls and values, as long as any of them can go."""
    while True:
        for query in _without_one(difference.query):
            found = await ask(query)
            if found is not None and found.what.split()[0] == difference.what.split()[0]:
                difference = found
                break
        else:
            return difference


async def fewer_resources(
    hospital: Hospital, reference: Reference, difference: Difference
) -> tuple[dict[Name, Held], Difference]:
    """The same difference with fewer resources; what refers to one that goes, goes too."""
    held, size = dict(reference.held), len(reference.held)
    gone: set[Name] = set()
    while size > 0:
        names = [each for each in held if each not in gone]
        for place in range(0, len(names), size):
            more = _with_referring(set(names[place : place + size]) - gone, held)
            left = {key: each for key, each in held.items() if key not in gone | more}
            if not more - gone or not left:
                continue
            async with hospital.without(sorted(gone | more)):
                found = await compare(hospital, Reference(left, reference.asking), difference.query)
            if found is not None and found.what.split()[0] == difference.what.split()[0]:
                gone, difference = gone | more, found
        size //= 2
    return {key: each for key, each in held.items() if key not in gone}, difference


def _with_referring(names: set[Name], held: dict[Name, Held]) -> set[Name]:
    while True:
        places = {"/".join(each) for each in names}
        more = {key for key, each in held.items() if key not in names and places & set(_references(each.resource))}
        if not more:
            return names
        names = names | more


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        text = value.get("reference")
        if isinstance(text, str):
            yield text
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _without_one(query: Query) -> list[Query]:
    fewer = [replace(query, criteria=_without(query.criteria, n)) for n in range(len(query.criteria))]
    fewer = [each for each in fewer if each.criteria or query.controls or query.patient]
    fewer += [replace(query, controls=_without(query.controls, n)) for n in range(len(query.controls))]
    for number, (name, text) in enumerate(query.criteria):
        values = text.split(",")
        if len(values) > 1:
            for place in range(len(values)):
                pair = (name, ",".join(_without(tuple(values), place)))
                fewer.append(replace(query, criteria=(*query.criteria[:number], pair, *query.criteria[number + 1 :])))
    return fewer


def _without(items: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    return items[:place] + items[place + 1 :]


def _named(keys: "set[Name] | list[Name]") -> str:
    return " ".join("/".join(each) for each in sorted(keys)[:20]) or "-"

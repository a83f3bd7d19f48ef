"""What a code is called in another code system (FHIR R4, conceptmap-operation-translate.html)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from emr.definitions.terminology.published import urls
from emr.definitions.terminology.refusals import DefinitionUnusable
from emr.kernel.errors import Malformed
from emr.records.terminology.shelf import find, maps_between, newest, of_r4
from emr.records.terminology.verdict import Coded
from emr.records.terminology.which import Which, held
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

Json = dict[str, Any]

_MAPS_MOST: Final = 8
"""How many maps one translation follows, each sent on by the one before."""
_NO_MATCH: Final = frozenset({"unmatched", "disjoint"})
_REVERSED: Final = {"wider": "narrower", "narrower": "wider", "subsumes": "specializes", "specializes": "subsumes"}


@dataclass(frozen=True, slots=True)
class Towards:
    """source, target: URLs of the value sets that a map must be between. target_system: of the codes that are wanted.
    dependencies: what else is known, element or property to its value. With `reverse`, source and target change places.
    """

    source: str | None = None
    target: str | None = None
    target_system: str | None = None
    dependencies: Mapping[str, str] = field(default_factory=dict)
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """equivalence: how what was found stands to what was asked. concept: a Coding, or None for `unmatched`.
    products: further values that the mapping gives, (element, Coding). source: canonical URL of the map.
    """

    equivalence: str
    concept: Json | None
    products: Sequence[tuple[str, Json]]
    source: str


@dataclass(frozen=True, slots=True)
class _Side:
    """One pair of codes of a map, seen from the side that is asked."""

    equivalence: str
    conditions: Sequence[Json]
    concept: Json | None
    products: Sequence[Json]


@use_case("terminology:read", "terminology.translated")
async def translate(work: UnitOfWork, which: Which, codings: Sequence[Coded], towards: Towards) -> list[Match]:
    """Every mapping of any of the codings; none, or only `unmatched` and `disjoint` ones, means that it has none.

    Raises `NotFound` (`concept-map-unknown`), `Malformed` when it is not said which map or towards what.
    """
    if any(coded.system is None for coded in codings):
        raise Malformed("system-missing", "A code is translated by its system.", location="system")
    if which.stated:
        maps = [(await held(work, "ConceptMap", which)).resource]
    else:
        maps = await _fitting(work, {coded.system for coded in codings if coded.system}, towards)
    found: list[Match] = []
    for coded in codings:
        for each in maps:
            found += [match for match in await _through(work, each, coded, towards) if match not in found]
    work.trail.note(shown=len(found))
    return found


def translated(matches: Iterable[Match]) -> bool:
    """Whether any of the matches is one."""
    return any(each.equivalence not in _NO_MATCH for each in matches)


async def _fitting(work: UnitOfWork, systems: AbstractSet[str], towards: Towards) -> list[Json]:
    """The maps of these systems between what was named, the hospital's own first; of each URL the one that counts."""
    if towards.target is None and towards.target_system is None:
        rule = "Name a concept map, or where to translate to by target or targetsystem."
        raise Malformed("definition-not-one", rule, location="url")
    own = newest(await maps_between(work, systems, side="target" if towards.reverse else "source"))
    of_definitions = [of_r4("ConceptMap", url, None) for url in sorted(urls("ConceptMap")) if url not in own]
    maps = [each.resource for each in (*own.values(), *of_definitions) if each is not None]
    return [each for each in maps if not each.get("experimental") and _between(each, towards)]


def _between(given: Json, towards: Towards) -> bool:
    source = given.get("sourceCanonical") or given.get("sourceUri")
    target = given.get("targetCanonical") or given.get("targetUri")
    if towards.reverse:
        source, target = target, source
    return _same(towards.source, source) and _same(towards.target, target)


def _same(wanted: str | None, stated: str | None) -> bool:
    return wanted is None or (stated is not None and wanted.partition("|")[0] == stated.partition("|")[0])


async def _through(work: UnitOfWork, given: Json, coded: Coded, towards: Towards) -> list[Match]:
    """The mappings of one map, and of those that it sends on to."""
    found: list[Match] = []
    waiting, seen = [given], {given.get("url")}
    while waiting:
        here = waiting.pop(0)
        for group in here.get("group", ()):
            if not _concerns(group, coded, towards):
                continue
            matches, onward = _in_group(here, group, coded, towards)
            found += matches
            if onward is not None and onward not in seen:
                seen.add(onward)
                waiting.append(await _next(work, onward))
            if len(seen) > _MAPS_MOST:
                rule = f"The map sends on through more than {_MAPS_MOST} others."
                raise DefinitionUnusable("concept-map-chain", rule, location="ConceptMap.group.unmapped.url")
    return found


async def _next(work: UnitOfWork, canonical: str) -> Json:
    found = (await find(work, "ConceptMap", [canonical]))[canonical]
    if found is None:
        rule = f"The map sends on to {canonical[:256]}, which is not known here."
        raise DefinitionUnusable("concept-map-unknown", rule, location="ConceptMap.group.unmapped.url")
    return found.resource


def _concerns(group: Json, coded: Coded, towards: Towards) -> bool:
    near, far = ("target", "source") if towards.reverse else ("source", "target")
    version = group.get(f"{near}Version")
    return (
        group.get(near) in (None, coded.system)
        and (coded.version is None or version in (None, coded.version))
        and towards.target_system in (None, group.get(far))
    )


def _in_group(given: Json, group: Json, coded: Coded, towards: Towards) -> tuple[list[Match], str | None]:
    """The matches of a group, and the canonical URL of the map to ask instead, if it says so."""
    source = f"{given['url']}|{given['version']}" if given.get("url") and given.get("version") else given.get("url", "")
    sides = list(_reversed(group, coded) if towards.reverse else _forward(group, coded))
    met = [side for side in sides if all(_holds(each, towards.dependencies) for each in side.conditions)]
    found = [Match(each.equivalence, each.concept, [_product(p) for p in each.products], source) for each in met]
    unmapped = group.get("unmapped")
    known = sides or any(element.get("code") == coded.code for element in group["element"])
    if unmapped is None or known or towards.reverse:
        return found, None
    return _unmapped(group, unmapped, coded, source)


def _unmapped(group: Json, unmapped: Json, coded: Coded, source: str) -> tuple[list[Match], str | None]:
    match unmapped.get("mode"):
        case "provided":
            return [Match("equal", _coding(group.get("target"), coded.code), [], source)], None
        case "fixed":
            fixed = _coding(group.get("target"), unmapped.get("code"), unmapped.get("display"))
            return [Match("inexact", fixed, [], source)], None
        case "other-map":
            return [], unmapped.get("url")
        case _:
            return [], None


def _forward(group: Json, coded: Coded) -> Iterator[_Side]:
    for element in group["element"]:
        for target in element.get("target", ()) if element.get("code") == coded.code else ():
            concept = _coding(group.get("target"), target["code"], target.get("display")) if "code" in target else None
            yield _Side(_of(target), target.get("dependsOn", ()), concept, target.get("product", ()))


def _reversed(group: Json, coded: Coded) -> Iterator[_Side]:
    for element in group["element"]:
        for target in element.get("target", ()):
            if target.get("code") == coded.code and "code" in element:
                equivalence = _REVERSED.get(_of(target), _of(target))
                concept = _coding(group.get("source"), element["code"], element.get("display"))
                yield _Side(equivalence, target.get("product", ()), concept, target.get("dependsOn", ()))


def _of(target: Json) -> str:
    """What a target that does not say how it stands is worth: no more than that there is one."""
    equivalence: str = target.get("equivalence", "relatedto")
    return equivalence


def _holds(condition: Json, known: Mapping[str, str]) -> bool:
    wanted = condition.get("value")
    return wanted is not None and known.get(condition.get("property", "")) == wanted


def _product(given: Json) -> tuple[str, Json]:
    return given.get("property", ""), _coding(given.get("system"), given.get("value"), given.get("display"))


def _coding(system: str | None, code: str | None, display: str | None = None) -> Json:
    said = {"system": system, "code": code, "display": display}
    return {name: value for name, value in said.items() if value is not None}

"""Required value sets to plain codes, where the definitions themselves hold every code."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
Codes = dict[str, list[str]]


class _Open(Exception):
    """A value set whose codes are not all here, such as media types or units."""


def value_sets(terminology: list[Json], wanted: set[str]) -> dict[str, Codes]:
    """URL of a value set to its codes by system; sets that are open or live elsewhere are left out."""
    known = {(each["resourceType"], each["url"]): each for each in terminology if "url" in each}
    expanded = {}
    for url in sorted(wanted):
        try:
            expanded[url] = _expand(known, url)
        except _Open as reason:
            print(f"left open: {url}: {reason}")
    return expanded


def _expand(known: dict[tuple[str, str], Json], url: str) -> Codes:
    compose = known.get(("ValueSet", url.partition("|")[0]), {}).get("compose")
    if not compose:
        raise _Open("not in the package")
    codes: Codes = {}
    for include in compose["include"]:
        for system, found in _included(known, include).items():
            codes.setdefault(system, []).extend(code for code in found if code not in codes.get(system, []))
    for exclude in compose.get("exclude", []):
        for system, found in _included(known, exclude).items():
            codes[system] = [code for code in codes.get(system, []) if code not in found]
    return codes


def _included(known: dict[tuple[str, str], Json], include: Json) -> Codes:
    if "system" not in include:
        merged: Codes = {}
        for url in include["valueSet"]:
            for system, found in _expand(known, url).items():
                merged.setdefault(system, []).extend(found)
        return merged
    system = include["system"]
    if "concept" in include:
        return {system: [concept["code"] for concept in include["concept"]]}
    definition = known.get(("CodeSystem", system))
    if not definition or definition.get("content") != "complete" or "concept" not in definition:
        raise _Open(f"{system} is not in the package")
    tree = list(_walk(definition, definition["concept"], ()))
    for rule in include.get("filter", []):
        tree = _filtered(tree, rule)
    return {system: [code for code, _, abstract in tree if not abstract]}


def _walk(definition: Json, concepts: list[Json], above: tuple[str, ...]) -> Iterator[tuple[str, set[str], bool]]:
    """Each code with all its ancestors and whether it may not be used itself."""
    for concept in concepts:
        properties = concept.get("property", [])
        parents = {each["valueCode"] for each in properties if each["code"] in {"parent", "subsumedBy"}}
        abstract = any(each["code"] == "notSelectable" and each.get("valueBoolean") for each in properties)
        yield concept["code"], {*above, *parents}, abstract
        yield from _walk(definition, concept.get("concept", []), (*above, concept["code"]))


def _filtered(tree: list[tuple[str, set[str], bool]], rule: Json) -> list[tuple[str, set[str], bool]]:
    if rule["property"] != "concept" or rule["op"] not in {"is-a", "descendent-of", "is-not-a"}:
        raise _Open(f"filter {rule['property']} {rule['op']}")
    under = {rule["value"]}
    grown = True
    while grown:
        more = {code for code, above, _ in tree if above & under} - under
        under |= more
        grown = bool(more)
    if rule["op"] == "descendent-of":
        under.discard(rule["value"])
    inside = rule["op"] != "is-not-a"
    return [each for each in tree if (each[0] in under) == inside]

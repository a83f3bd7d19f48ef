"""Labels of sensitive records: which resource bears which, by rules that are data, and who is cleared for them.

The platform's catalogue is `data/labels.json`; a hospital names the labels that it wants of it, and has its own rules.
"""

import json
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from emr.kernel.tenant import Access, Codes, LabelRule

_META: Final = ("security", "tag")


@cache
def catalogue() -> dict[str, LabelRule]:
    """The platform's own rules, by label."""
    said = json.loads(files("emr.access").joinpath("data/labels.json").read_text("utf-8"))
    return {label: _rule(label, each) for label, each in said.items()}


def _rule(label: str, said: dict[str, Any]) -> LabelRule:
    codes = tuple(
        Codes(system, tuple((low, high) for low, high in each["spans"]))
        for each in said.get("codes", ())
        for system in each["systems"]
    )
    return LabelRule(
        label,
        types=frozenset(said.get("types", ())),
        codes=codes,
        marks=frozenset((system, code) for system, code in said.get("marks", ())),
        roles=frozenset(said.get("roles", ())),
        treating=said["treating"],
    )


@lru_cache(maxsize=1_000)
def rules_of(access: Access) -> tuple[LabelRule, ...]:
    """The rules that a hospital has in force."""
    return (*(catalogue()[label] for label in sorted(access.catalogue)), *access.labels)


def labels_of(access: Access, resource: dict[str, Any]) -> set[str]:
    """The labels that a resource bears by what it says itself."""
    rules = [each for each in rules_of(access) if not each.types or resource.get("resourceType") in each.types]
    if not rules:
        return set()
    codings = set(_codings(resource))
    meta = resource.get("meta", {})
    marks = {_coded(each) for name in _META for each in meta.get(name, ()) if isinstance(each, dict)}
    systems = {each.get("system") for each in resource.get("identifier", ()) if isinstance(each, dict)}
    return {
        each.label
        for each in rules
        if each.marks & marks or each.identifiers & systems or any(_has(codes, codings) for codes in each.codes)
    }


@lru_cache(maxsize=4_000)
def clearance(access: Access, role: str, clearances: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Labels for which a member is cleared, labels for which treating is enough, and whether nothing else is in force.

    A label that several rules give is cleared by a role, or by treating, only where each of them says so.
    """
    rules = rules_of(access)
    labels = sorted({each.label for each in rules})
    barred = {each.label for each in rules if role not in each.roles}
    cleared = tuple(each for each in labels if each in clearances or each not in barred)
    secret = {each.label for each in rules if not each.treating}
    return cleared, tuple(each for each in labels if each not in secret), len(cleared) == len(labels)


def lasting(access: Access) -> list[str]:
    """Labels that a resource keeps when a later version says nothing of it any more, since its history does."""
    return sorted({each.label for each in rules_of(access) if each.codes})


def _has(codes: Codes, codings: set[tuple[str, str]]) -> bool:
    return any(
        low <= code[: len(low)] and code[: len(high)] <= high
        for system, code in codings
        if system == codes.system
        for low, high in codes.spans
    )


def _codings(value: Any) -> Iterator[tuple[str, str]]:
    """Every system and code, at any depth: of a Coding, and of what has both as a Coding does."""
    if isinstance(value, dict):
        if isinstance(value.get("code"), str) and isinstance(value.get("system"), str):
            yield _coded(value)
        for each in value.values():
            yield from _codings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _codings(each)


def _coded(coding: dict[str, Any]) -> tuple[str, str]:
    return str(coding.get("system", "")), str(coding.get("code", ""))

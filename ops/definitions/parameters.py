"""Search parameters per resource type, with the part of a shared expression that is about that type; compartments."""

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

CORRECTED = {("DocumentReference", "relationship"): {"relatesto": "target", "relation": "code"}}
"""Composites whose published components name each other's elements."""

FOREIGN = {("DeviceDefinition", "classification")}
"""Of an element that the package adds and 4.0.1 does not have; see `elements.FOREIGN`."""


def parameters(definitions: list[Json], types: dict[str, Json]) -> dict[str, Json]:
    """Resource type to code to `{kind, expression, targets, components}`."""
    compiled: dict[str, Json] = {}
    by_url = {each["url"]: each["code"] for each in definitions}
    for definition in definitions:
        for base in definition["base"]:
            if (base, definition["code"]) in FOREIGN:
                continue
            compiled.setdefault(base, {})[definition["code"]] = _parameter(definition, base, by_url)
    return {base: dict(sorted(compiled[base].items())) for base in sorted(compiled) if base in types}


def _parameter(definition: Json, base: str, by_url: dict[str, str]) -> Json:
    entry: Json = {"kind": definition["type"]}
    expression = " | ".join(_about(definition.get("expression", ""), base))
    if expression:
        entry["expression"] = expression
    if targets := definition.get("target"):
        entry["targets"] = sorted(targets)
    if components := definition.get("component"):
        corrected = CORRECTED.get((base, definition["code"]), {})
        codes = [(by_url[each["definition"]], each["expression"]) for each in components]
        entry["components"] = [
            {"code": code, "expression": corrected.get(code, expression)} for code, expression in codes
        ]
    return entry


def _about(expression: str, base: str) -> Iterator[str]:
    for part in (each.strip() for each in expression.split("|")):
        name = re.match(r"\(*(\w+)", part)
        if name is None:
            continue
        if name.group(1) == base:
            yield part
        elif name.group(1)[0].islower():
            yield f"{base}.{part}"


def compartments(structures: list[Json]) -> dict[str, dict[str, list[str]]]:
    """Compartment to resource type to the search parameters that put a resource into it."""
    found = (each for each in structures if each["resourceType"] == "CompartmentDefinition")
    return {
        each["code"]: {kind["code"]: kind["param"] for kind in each["resource"] if kind.get("param")}
        for each in sorted(found, key=lambda each: str(each["code"]))
    }

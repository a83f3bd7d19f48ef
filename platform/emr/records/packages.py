"""Bring the definitions of a FHIR package into a hospital's record, list them, take them out again."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from emr.definitions.profiles.demands import Unusable
from emr.definitions.profiles.library import Library
from emr.definitions.profiles.package import KINDS, Package, id_of
from emr.kernel import json
from emr.kernel.errors import Invalid, Issue, NotFound
from emr.records.codec import unpack
from emr.records.delete import delete
from emr.records.profiles import library_of
from emr.records.update import update_resource
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_HELD: Final = "SELECT type, id, body FROM resources WHERE type = ANY ($1) AND NOT deleted ORDER BY type, id"
_OURS: Final = "urn:emr-package:"


@dataclass(frozen=True, slots=True)
class Added:
    """What a package brought, by resource type, and what of its profiles cannot be checked, or used at all, here."""

    counts: Mapping[str, int]
    unchecked: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class HeldProfile:
    """One profile of a hospital. package: `name#version`, or empty for one that came by itself."""

    url: str
    version: str
    type: str
    package: str
    unchecked: tuple[str, ...]


@use_case("profile:manage", "profile.added")
async def add_package(work: UnitOfWork, package: Package) -> Added:
    """Store every definition of a package, each once under its canonical URL; a newer version replaces an older one.

    Raises `Invalid` with the place in the package when a definition is itself not valid; then nothing is stored.
    """
    for resource in package.resources:
        kept = {**resource, "id": id_of(resource["url"])}
        kept["meta"] = {**resource.get("meta", {}), "source": package.source}
        kept.pop("text", None)
        try:
            await update_resource(work, kept)
        except Invalid as refusal:
            place = f"{resource['resourceType']} {resource['url']}"
            issues = tuple(Issue(each.code, f"{place}: {each.message}", each.location) for each in refusal.issues)
            raise Invalid(refusal.code, issues[0].message, location=refusal.location, issues=issues) from refusal
    library = await library_of(work)
    unchecked: dict[str, tuple[str, ...]] = {}
    for resource in package.resources:
        if resource["url"] in library and (said := _unchecked(library, resource["url"])):
            unchecked[resource["url"]] = said
    work.trail.note(package=package.name, version=package.version, resources=len(package.resources))
    return Added(Counter(each["resourceType"] for each in package.resources), unchecked)


@use_case("profile:manage", "profile.listed")
async def list_profiles(work: UnitOfWork) -> list[HeldProfile]:
    """Every profile of the hospital, by its URL."""
    library = await library_of(work)
    rows = await work.db.fetch(_HELD, ["StructureDefinition"], name="packages")
    held = [json.loads(unpack(row["body"])) for row in rows]
    found = [
        HeldProfile(
            each["url"],
            each.get("version", ""),
            each["type"],
            _package(each),
            _unchecked(library, each["url"]),
        )
        for each in held
        if each["url"] in library
    ]
    return sorted(found, key=lambda each: each.url)


@use_case("profile:manage", "profile.removed")
async def remove_package(work: UnitOfWork, name: str) -> int:
    """Take out all that a package brought (`name` or `name#version`). Raises `NotFound` when there is nothing."""
    rows = await work.db.fetch(_HELD, sorted(KINDS), name="packages")
    gone = 0
    for row in rows:
        package = _package(json.loads(unpack(row["body"])))
        if package and name in (package, package.partition("#")[0]):
            await delete(work, row["type"], row["id"])
            gone += 1
    if not gone:
        raise NotFound("package-unknown", f"This hospital has no package {name}.")
    work.trail.note(package=name, resources=gone)
    return gone


def _package(resource: dict[str, Any]) -> str:
    source: str = resource.get("meta", {}).get("source", "")
    return source.removeprefix(_OURS) if source.startswith(_OURS) else ""


def _unchecked(library: Library, url: str) -> tuple[str, ...]:
    try:
        return tuple(library.unchecked(url))
    except Unusable as reason:
        return (str(reason),)

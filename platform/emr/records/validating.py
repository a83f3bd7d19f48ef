"""Say all that is wrong with a resource, or with what is to be done to it, and store nothing (FHIR R4, $validate)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from emr.access.permissions import demand_change, demand_sight
from emr.access.pilot import demand_feature_of
from emr.definitions.findings import Findings
from emr.definitions.profiles.demands import Unusable
from emr.definitions.profiles.library import Library
from emr.definitions.validate import TYPE_FAULT, examine
from emr.kernel.errors import Issue, Refusal
from emr.kernel.tenant import READ_ONLY
from emr.records.delete import tombstone
from emr.records.own_parameters import unusable
from emr.records.profiles import check_profiles, claimed, demanded, library_of
from emr.records.read import read
from emr.records.references import local_references
from emr.records.store import lock, prepare
from emr.records.stored import is_id
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

Json = dict[str, Any]
Mode = Literal["create", "update", "delete", "profile"]

MODES: Final = frozenset({"create", "update", "delete", "profile"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be validated. id: of the resource that the address names. mode: what is to be done with it, or None.

    resource: as it was sent; None for what is stored. profiles: to be kept beside those claimed and demanded.
    """

    type: str
    id: str | None = None
    resource: Json | None = None
    mode: Mode | None = None
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """errors: why it is not valid, or would be refused. warnings: best practice, and what could not be checked."""

    errors: tuple[Issue, ...]
    warnings: tuple[Issue, ...]


@use_case("record:validate", "record.validated")
async def judge(work: UnitOfWork, wish: Wish) -> Verdict:
    """All that is wrong. Raises `Forbidden` for a type that the caller does not see, and what `read` raises."""
    demand_sight(work.principal, wish.type)
    if wish.mode == "delete":
        return Verdict(tuple(await _against_delete(work, wish)), ())
    resource = wish.resource
    if resource is None:
        resource = (await read(work, wish.type, wish.id or "")).resource()
    found = examine(resource, expected_type=wish.type)
    if not any(issue.code == TYPE_FAULT for issue in found.issues):
        await _check_profiles(work, wish, resource, found)
        if wish.mode in ("create", "update"):
            found.issues.extend(await _against_change(work, wish, resource, sound=not found.issues))
    return Verdict(tuple(found.issues), tuple(found.advice))


async def _check_profiles(work: UnitOfWork, wish: Wish, resource: Json, found: Findings) -> None:
    claims, demands = claimed(resource), demanded(work, resource["resourceType"])
    if not (claims or demands or wish.profiles):
        return
    library = await library_of(work)
    check_profiles(library, resource, (claims, demands), found)
    for url in dict.fromkeys(wish.profiles):
        if url not in {*claims, *demands} or url not in library:
            _check_named(library, resource, url, found)


def _check_named(library: Library, resource: Json, url: str, found: Findings) -> None:
    place = (None, resource["resourceType"], None)
    try:
        if url in library:
            library.check(resource, url, found)
        elif (about := library.type_of(url)) is None:
            found.add("profile-unknown", f"The profile {url} is not known here.", place)
        elif about not in (resource["resourceType"], "DomainResource", "Resource"):
            found.add("profile", f"{url} is about {about}.", place)
    except Unusable as reason:
        found.add("profile-unknown", str(reason), place)


async def _against_change(work: UnitOfWork, wish: Wish, resource: Json, *, sound: bool) -> list[Issue]:
    """Why a create or an update would be refused although the content is right."""
    issues = list(_refused_to(work, wish.type))
    issues += unusable(resource) if sound else ()
    if wish.mode == "update":
        own = resource.get("id")
        if wish.id is not None and own != wish.id:
            issues.append(Issue("id-mismatch", "The body must carry the id of the address.", f"{wish.type}.id"))
        elif own is None:
            issues.append(Issue("id-mismatch", "An update names the resource by its id.", f"{wish.type}.id"))
    if issues or not sound:
        return issues
    return [*issues, *await _broken_references(work, wish, resource)]


async def _broken_references(work: UnitOfWork, wish: Wish, resource: Json) -> list[Issue]:
    """Asked only for who may store it, and would be told the same by trying."""
    try:
        targets = local_references(work.request.base_url, resource)
    except Refusal as refusal:
        return list(refusal.issues)
    if wish.mode == "update":
        targets.pop((wish.type, str(resource["id"])), None)
    known = await prepare(work, new=0, references=targets)
    return [
        Issue("reference-broken", f"It refers to {name}/{target}, which is not here.", path)
        for (name, target), path in targets.items()
        if (name, target) not in known.found
    ]


async def _against_delete(work: UnitOfWork, wish: Wish) -> list[Issue]:
    """Why a deletion would be refused; what is not there, or deleted already, can be deleted."""
    issues = list(_refused_to(work, wish.type))
    if issues:
        return issues
    before = await lock(work, wish.type, wish.id, to_delete=True) if wish.id and is_id(wish.id) else None
    if before is None or before.deleted:
        return []
    try:
        await tombstone(work, before)
    except Refusal as refusal:
        return list(refusal.issues)
    return []


def _refused_to(work: UnitOfWork, resource_type: str) -> Iterator[Issue]:
    if not work.tenant.writable:
        yield Issue("hospital-read-only", READ_ONLY)
    try:
        demand_change(work.principal, resource_type)
        demand_feature_of(work.tenant, work.principal, resource_type)
    except Refusal as refusal:
        yield from refusal.issues

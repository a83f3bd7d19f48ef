"""Which profiles a hospital has and demands, and whether what is to be stored keeps them (FHIR R4, profiling.html).

Profiles, value sets and code systems are resources of the hospital's own record. A resource that claims a profile that
is here (`meta.profile`) keeps it; and the hospital's file names profiles that every resource of a type keeps.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, Final

from emr.db.connection import Row
from emr.definitions.findings import Findings
from emr.definitions.profiles.demands import Unusable
from emr.definitions.profiles.library import Library
from emr.definitions.profiles.value_sets import Codes, Ready
from emr.definitions.terminology.composing import value_set
from emr.identity.principal import system_principal
from emr.kernel import json
from emr.kernel.errors import Issue, Refusal
from emr.records.codec import unpack
from emr.records.errors import ResourceInvalid
from emr.records.terminology.gather import gather
from emr.records.terminology.shelf import find
from emr.work.unit import UnitOfWork

Json = dict[str, Any]
Mark = tuple[int, int, str, bool]

_MARK: Final = """
SELECT count(*) FILTER (WHERE type = 'StructureDefinition' AND NOT deleted) AS profiles,
       coalesce(sum(version), 0) AS versions, coalesce(max(xid::text::numeric), 0)::text AS last,
       coalesce(bool_or(xid = pg_current_xact_id_if_assigned()), false) AS own
  FROM resources WHERE type = ANY ('{StructureDefinition,ValueSet,CodeSystem}')
"""
"""Every version that is stored, and only that, changes the sum; what a transaction has not committed is not kept."""
_ALL: Final = "SELECT body FROM resources WHERE type = 'StructureDefinition' AND NOT deleted ORDER BY updated, pk"
_HOSPITALS_KEPT: Final = 300
_NONE: Final = Library(())


class _Kept:
    """Libraries between requests, by hospital, each with the mark of the record that it was made from."""

    def __init__(self) -> None:
        self._libraries: OrderedDict[str, tuple[Mark, Library]] = OrderedDict()
        self._lock = Lock()

    def get(self, schema: str, mark: Mark) -> Library | None:
        with self._lock:
            found = self._libraries.get(schema)
            if found is None or found[0] != mark:
                return None
            self._libraries.move_to_end(schema)
            return found[1]

    def put(self, schema: str, mark: Mark, library: Library) -> None:
        with self._lock:
            self._libraries[schema] = (mark, library)
            self._libraries.move_to_end(schema)
            while len(self._libraries) > _HOSPITALS_KEPT:
                self._libraries.popitem(last=False)


_KEPT: Final = _Kept()


async def demand_profiles(work: UnitOfWork, resources: Sequence[tuple[str, Json]]) -> None:
    """Refuse what breaks a profile that it claims or that the hospital demands; pairs of place and resource.

    Costs nothing where nothing is claimed or demanded. Raises `ResourceInvalid` with the issues of all of them.
    """
    concerned = [(place, each) for place, each in resources if claimed(each) or demanded(work, each["resourceType"])]
    if not concerned:
        return
    library = await library_of(work)
    issues: list[Issue] = []
    for place, resource in concerned:
        found = Findings()
        check_profiles(library, resource, (claimed(resource), demanded(work, resource["resourceType"])), found)
        kind = resource["resourceType"]
        issues += [_placed(issue, kind, place) for issue in found.issues]
    if issues:
        raise ResourceInvalid(issues)


async def profiles_matter(work: UnitOfWork) -> bool:
    """Whether there is any profile here that a resource could break: one of the record, or one that is demanded."""
    return bool(work.tenant.profiles) or await library_of(work) is not _NONE


def claimed(resource: Json) -> tuple[str, ...]:
    """The profiles that a resource says it keeps."""
    meta = resource.get("meta")
    urls = meta.get("profile") if type(meta) is dict else None
    return tuple(url for url in urls if type(url) is str) if type(urls) is list else ()


def demanded(work: UnitOfWork, resource_type: str) -> tuple[str, ...]:
    """The profiles that the hospital's file names for a type."""
    for name, urls in work.tenant.profiles:
        if name == resource_type:
            return urls
    return ()


def check_profiles(
    library: Library, resource: Json, urls: tuple[Iterable[str], Iterable[str]], found: Findings
) -> None:
    """Check the claimed and the demanded profiles, each once.

    A claimed profile that is not here is accepted with a warning. A demanded one that is not here refuses the resource:
    the hospital wants something kept that nobody could look at.
    """
    claims, demands = urls
    place = (None, resource["resourceType"], None)
    for url in dict.fromkeys(demands):
        try:
            if url not in library:
                found.add("profile-unknown", f"This hospital demands {url}, which is not in its record.", place)
            else:
                library.check(resource, url, found)
        except Unusable as reason:
            found.add("profile-unknown", f"This hospital demands a profile that is broken: {reason}", place)
    for url in dict.fromkeys(claims):
        if url not in set(demands):
            _check_claim(library, resource, url, found)


def _check_claim(library: Library, resource: Json, url: str, found: Findings) -> None:
    place = ((None, resource["resourceType"], None), "meta", None)
    try:
        if url in library:
            library.check(resource, url, found)
        elif library.type_of(url) != resource["resourceType"]:
            found.warn("not-checked", f"The profile {url} is not known here and was not checked.", place)
    except Unusable as reason:
        found.warn("not-checked", str(reason), place)


async def library_of(work: UnitOfWork) -> Library:
    """The hospital's profiles as this transaction sees them, ready to check."""
    row = await work.db.fetchrow(_MARK, name="profiles-mark")
    if row is None or not row["profiles"]:
        return _NONE
    mark: Mark = (row["profiles"], int(row["versions"]), row["last"], row["own"])
    library = None if row["own"] else _KEPT.get(work.tenant.tables, mark)
    if library is None:
        library = await _made(work)
        if not row["own"]:
            _KEPT.put(work.tenant.tables, mark, library)
    return library


async def _made(work: UnitOfWork) -> Library:
    rows = await work.db.fetch(_ALL, name="profiles")
    structures, library = await asyncio.to_thread(_compiled, rows)
    ready = await _value_sets(work, library.value_sets())
    return Library(structures, Codes(ready)) if ready else library


def _compiled(rows: Sequence[Row]) -> tuple[list[Json], Library]:
    structures = [json.loads(unpack(row["body"])) for row in rows]
    library = Library(structures)
    library.value_sets()
    return structures, library


async def _value_sets(work: UnitOfWork, urls: Iterable[str]) -> Mapping[str, Ready]:
    """The code lists that profiles bind to: rules of the hospital, whatever the caller may see of them."""
    house = replace(work, principal=system_principal("profiles", tenant_id=work.tenant.id))
    found = await find(house, "ValueSet", urls)
    ready: dict[str, Ready] = {}
    for url, held in found.items():
        if held is not None:
            try:
                ready[url] = value_set(await gather(house, held.resource), held.resource)
            except Refusal:
                # What cannot be put together stays unknown, which every check that asks for it says.
                continue
    return ready


def _placed(issue: Issue, kind: str, place: str) -> Issue:
    """Where the resource stands inside a Bundle, its own path begins there."""
    if not place or issue.location is None:
        return issue
    return issue._replace(location=place + issue.location.removeprefix(kind))

"""Definitions by canonical URL: the hospital's own resources and those of R4, and which of them wins.

What is read from the hospital is kept ready between requests, by hospital, row, version and writing transaction. Each
use asks the database for those four first, so what is kept can neither be old nor another hospital's, and a version
that was rolled back never passes for the one that stayed.
"""

import asyncio
import functools
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from emr.access.permissions import sight
from emr.db.connection import Row
from emr.definitions.terminology.codes import CodeSystem, code_system, supplemented
from emr.definitions.terminology.published import Kind, definition, enforced
from emr.records.keys import key_of, url_path
from emr.records.stored import Stored
from emr.records.terminology.kept import Kept
from emr.work.unit import UnitOfWork

Json = dict[str, Any]

_NAMED: Final = """
SELECT r.pk, r.version, r.xid::text AS xid FROM resources r
 WHERE r.pk = ANY (ARRAY(SELECT t.pk FROM tokens t WHERE t.key = ANY ($1))) AND r.type = $2 AND NOT r.deleted
   AND ($3::text[] IS NULL OR r.type = ANY ($3))
 ORDER BY r.pk LIMIT 1000
"""
_ONE: Final = "SELECT r.pk, r.version, r.xid::text AS xid FROM resources r WHERE r.pk = $1 AND NOT r.deleted"
_SUPPLEMENTS: Final = """
SELECT r.pk, r.version, r.xid::text AS xid FROM resources r
 WHERE r.pk = ANY (ARRAY(SELECT l.pk FROM links l WHERE l.path = $1 AND l.target = ANY ($2)))
   AND r.type = 'CodeSystem' AND NOT r.deleted AND ($3::text[] IS NULL OR r.type = ANY ($3))
 ORDER BY r.pk LIMIT 100
"""
_BODIES: Final = """
SELECT r.pk, r.type, r.id, r.version, r.updated, r.deleted, r.patients, r.body, r.xid::text AS xid
  FROM resources r WHERE r.pk = ANY ($1) AND NOT r.deleted
"""
_KEPT_MOST: Final = 60_000
"""Concepts of everything that is kept in a process; about 400 bytes each."""
_LARGE: Final = 256 * 1024
"""Bytes of a body that is made ready beside the event loop."""
_RANKS: Final = {"active": 3, "draft": 2, "unknown": 1, "retired": 0}
_PIECES: Final = re.compile(r"(\d+)|([^\d.]+)")


@dataclass(frozen=True, slots=True)
class Held:
    """A definition that is ready: the resource, and for a CodeSystem its concepts.

    name: says exactly what it was made of, the same for nothing else; None for one that a request brought along.
    """

    resource: Json = field(repr=False)
    name: Hashable = None
    codes: CodeSystem | None = field(default=None, repr=False)
    own: bool = False
    """Whether it is the hospital's."""
    updated: str = ""


async def find(work: UnitOfWork, kind: Kind, canonicals: Iterable[str]) -> dict[str, Held | None]:
    """Each canonical URL, with or without `|version`, to the definition that it means here.

    The hospital's own wins over R4's, unless validation goes by R4's. Without a version the newest active one is
    meant, and one that is not active only where there is no other (references.html#canonical).
    """
    wanted = {canonical: canonical.partition("|") for canonical in canonicals}
    own = await _own(work, kind, {url for url, _, _ in wanted.values() if url not in enforced(kind)})
    found: dict[str, Held | None] = {}
    for canonical, (url, _, version) in wanted.items():
        fitting = [each for each in own.get(url, ()) if not version or each.resource.get("version") == version]
        found[canonical] = max(fitting, key=_rank) if fitting else of_r4(kind, url, version or None)
    return await _with_supplements(work, found) if kind == "CodeSystem" else found


async def maps_between(work: UnitOfWork, systems: Iterable[str], *, side: Literal["source", "target"]) -> list[Held]:
    """The hospital's own concept maps with one of these code systems on that side."""
    keys = [key_of(work.tenant.index_key, f"ConceptMap.group.{side}", system) for system in systems]
    rows = await work.db.fetch(_NAMED, keys, "ConceptMap", sight(work.principal), name="terminology-maps")
    return await _ready(work, rows)


def newest(held: Iterable[Held]) -> dict[str, Held]:
    """Of each canonical URL the definition that is meant without a version."""
    found: dict[str, Held] = {}
    for each in held:
        url = each.resource.get("url", "")
        if url not in found or _rank(each) > _rank(found[url]):
            found[url] = each
    return found


@functools.lru_cache(maxsize=64)
def of_r4(kind: Kind, url: str, version: str | None) -> Held | None:
    """A definition that comes with R4."""
    resource = definition(kind, url, version)
    return None if resource is None else _held(resource, (kind, url, resource.get("version")))


def inline(resource: Json) -> Held:
    """A definition that the request itself brought."""
    return _held(resource, None)


async def of_row(work: UnitOfWork, stored: Stored) -> Held:
    """A definition of the hospital that has been read by its id."""
    rows = await work.db.fetch(_ONE, stored.pk, name="terminology-one")
    return (await _ready(work, rows))[0]


async def _own(work: UnitOfWork, kind: Kind, urls: set[str]) -> dict[str, list[Held]]:
    if not urls:
        return {}
    keys = [key_of(work.tenant.index_key, f"{kind}.url", url) for url in urls]
    rows = await work.db.fetch(_NAMED, keys, kind, sight(work.principal), name="terminology-named")
    found: dict[str, list[Held]] = {}
    for each in await _ready(work, rows):
        found.setdefault(each.resource.get("url", ""), []).append(each)
    return found


async def _with_supplements(work: UnitOfWork, found: dict[str, Held | None]) -> dict[str, Held | None]:
    """Code systems with the names that the hospital's active supplements add to them."""
    key, path = work.tenant.index_key, url_path("CodeSystem.supplements")
    names = {name for held in found.values() if held for name in _names(held)}
    if not names:
        return found
    targets = [key_of(key, path, name) for name in names]
    rows = await work.db.fetch(_SUPPLEMENTS, key_of(key, path), targets, sight(work.principal), name="supplements")
    adding = [each for each in await _ready(work, rows) if each.resource.get("status") == "active"]
    if not adding:
        return found
    return {canonical: _supplemented(held, adding) if held else None for canonical, held in found.items()}


def _supplemented(held: Held, adding: Sequence[Held]) -> Held:
    fitting = sorted((each for each in adding if each.resource.get("supplements") in _names(held)), key=_rank)
    if not fitting or held.codes is None:
        return held
    name = ("supplemented", held.name, *(each.name for each in fitting))
    known = _kept().get(name)
    if known is None:
        codes = supplemented(held.codes, [each.resource for each in fitting])
        known = replace(held, name=name, codes=codes)
        _kept().put(name, known, _weight(known))
    return known


def _names(held: Held) -> set[str]:
    url = held.resource.get("url", "")
    return {url, f"{url}|{held.resource.get('version', '')}"}


async def _ready(work: UnitOfWork, rows: Sequence[Row]) -> list[Held]:
    """What is kept for these versions, and the others read, made ready and kept."""
    names = [(work.tenant.schema, row["pk"], row["version"], row["xid"]) for row in rows]
    found = {name: _kept().get(name) for name in names}
    missing = [name[1] for name, held in found.items() if held is None]
    for row in await work.db.fetch(_BODIES, missing, name="terminology-bodies") if missing else ():
        name = (work.tenant.schema, row["pk"], row["version"], row["xid"])
        stored = Stored.of(row["type"], row)
        make = functools.partial(_of_stored, stored, name)
        held = await asyncio.to_thread(make) if len(stored.body) > _LARGE else make()
        _kept().put(name, held, _weight(held))
        found[name] = held
    return [held for held in found.values() if held is not None]


def _of_stored(stored: Stored, name: Hashable) -> Held:
    return replace(_held(stored.resource(), name), own=True, updated=stored.last_updated.isoformat())


def _held(resource: Json, name: Hashable) -> Held:
    """A code system's concepts are kept once, made ready; a supplement's as they are written."""
    if resource["resourceType"] != "CodeSystem":
        return Held(resource, name)
    codes = code_system(resource)
    if codes.content == "supplement":
        return Held(resource, name, codes)
    return Held({member: value for member, value in resource.items() if member != "concept"}, name, codes)


def _weight(held: Held) -> int:
    """A definition that is not a code system weighs by what it lists, roughly by its text."""
    return 20 + (len(held.codes.concepts) if held.codes else len(str(held.resource)) // 200)


def _rank(held: Held) -> tuple[int, list[tuple[int, str]], str]:
    version = held.resource.get("version", "")
    pieces = [(int(number), "") if number else (-1, text) for number, text in _PIECES.findall(version)]
    return _RANKS.get(held.resource.get("status", ""), 0), pieces, held.updated


@functools.cache
def _kept() -> Kept[Held]:
    return Kept(_KEPT_MOST)

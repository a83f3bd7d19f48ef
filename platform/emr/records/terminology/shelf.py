"""Definitions by canonical URL: the hospital's own resources and those of R4, and which of them wins.

What is read from the hospital is kept ready between requests, by hospital, row, version and writing transaction. Each
use asks the database for those four first, so what is kept can neither be old nor another hospital's.
"""

import asyncio
import functools
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from emr.access.permissions import sight
from emr.db.connection import Row
from emr.definitions.terminology import Kind, definition, enforced
from emr.definitions.terminology_codes import CodeSystem, code_system
from emr.records.keys import key_of
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork

Json = dict[str, Any]
Mark = tuple[str, int, int, str]
"""Hospital, row, version, writing transaction: a version that was rolled back never passes for the one that stayed."""

_NAMED: Final = """
SELECT r.pk, r.version, r.xid::text AS xid FROM resources r
 WHERE r.pk = ANY (ARRAY(SELECT t.pk FROM tokens t WHERE t.key = ANY ($1))) AND r.type = $2 AND NOT r.deleted
   AND ($3::text[] IS NULL OR r.type = ANY ($3))
 ORDER BY r.pk LIMIT 1000
"""
_ALL: Final = """
SELECT r.pk, r.version, r.xid::text AS xid FROM resources r WHERE r.type = $1 AND NOT r.deleted
   AND ($2::text[] IS NULL OR r.type = ANY ($2))
 ORDER BY r.pk LIMIT 1000
"""
_BODIES: Final = """
SELECT r.pk, r.type, r.id, r.version, r.updated, r.deleted, r.patients, r.body, r.xid::text AS xid
  FROM resources r WHERE r.pk = ANY ($1) AND NOT r.deleted
"""
_KEPT_MOST: Final = 300_000
"""Weight of what is kept in a process: one for each concept, and a hundred for each definition."""
_LARGE: Final = 256 * 1024
"""Bytes of a body that is made ready beside the event loop."""
_RANKS: Final = {"active": 3, "draft": 2, "unknown": 1, "retired": 0}
_PIECES: Final = re.compile(r"(\d+)|([^\d.]+)")


@dataclass(frozen=True, slots=True)
class Held:
    """A definition that is ready: the resource, and for a CodeSystem its concepts. `mark` is None for one of R4."""

    resource: Json = field(repr=False)
    codes: CodeSystem | None = field(default=None, repr=False)
    mark: Mark | None = None
    updated: str = ""

    @property
    def own(self) -> bool:
        """Whether it is the hospital's."""
        return self.mark is not None

    @property
    def weight(self) -> int:
        return 100 + (len(self.codes.concepts) if self.codes else 0)


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
    return found


async def every(work: UnitOfWork, kind: Kind) -> list[Held]:
    """All of the hospital's own definitions of a kind, at most a thousand."""
    rows = await work.db.fetch(_ALL, kind, sight(work.principal), name="terminology-all")
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
    return None if resource is None else _held(resource, None, "")


def inline(resource: Json) -> Held:
    """A definition that the request itself brought."""
    return _held(resource, None, "")


async def of_row(work: UnitOfWork, stored: Stored) -> Held:
    """A definition of the hospital that has been read by its id."""
    rows = await work.db.fetch(_BODIES, [stored.pk], name="terminology-one")
    return (await _ready(work, rows))[0]


async def _own(work: UnitOfWork, kind: Kind, urls: set[str]) -> dict[str, list[Held]]:
    keys = [key_of(work.tenant.index_key, f"{kind}.url", url) for url in urls]
    if not keys:
        return {}
    rows = await work.db.fetch(_NAMED, keys, kind, sight(work.principal), name="terminology-named")
    found: dict[str, list[Held]] = {}
    for each in await _ready(work, rows):
        found.setdefault(each.resource.get("url", ""), []).append(each)
    return found


async def _ready(work: UnitOfWork, rows: Sequence[Row]) -> list[Held]:
    """What is kept for these versions, and the others read, made ready and kept."""
    marks = [(work.tenant.schema, row["pk"], row["version"], row["xid"]) for row in rows]
    found = {mark: _kept().get(mark) for mark in marks}
    missing = [mark for mark, held in found.items() if held is None]
    if missing:
        read = await work.db.fetch(_BODIES, [mark[1] for mark in missing], name="terminology-bodies")
        for row in read:
            mark = (work.tenant.schema, row["pk"], row["version"], row["xid"])
            stored = Stored.of(row["type"], row)
            make = functools.partial(_of_stored, stored, mark)
            held = await asyncio.to_thread(make) if len(stored.body) > _LARGE else make()
            _kept().put(mark, held)
            found[mark] = held
    return [held for held in found.values() if held is not None]


def _of_stored(stored: Stored, mark: Mark) -> Held:
    return _held(stored.resource(), mark, stored.last_updated.isoformat())


def _held(resource: Json, mark: Mark | None, updated: str) -> Held:
    codes = code_system(resource) if resource["resourceType"] == "CodeSystem" else None
    return Held(resource, codes, mark, updated)


def _rank(held: Held) -> tuple[int, list[tuple[int, str]], str]:
    version = held.resource.get("version", "")
    pieces = [(int(number), "") if number else (-1, text) for number, text in _PIECES.findall(version)]
    return _RANKS.get(held.resource.get("status", ""), 0), pieces, held.updated


class _Kept:
    """The least recently used goes first when the whole weighs too much."""

    def __init__(self) -> None:
        self._held: OrderedDict[Mark, Held] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def get(self, mark: Mark) -> Held | None:
        with self._lock:
            if mark in self._held:
                self._held.move_to_end(mark)
            return self._held.get(mark)

    def put(self, mark: Mark, held: Held) -> None:
        with self._lock:
            if mark not in self._held and held.weight <= _KEPT_MOST // 2:
                self._held[mark] = held
                self._weight += held.weight
            while self._weight > _KEPT_MOST:
                self._weight -= self._held.popitem(last=False)[1].weight


@functools.cache
def _kept() -> _Kept:
    return _Kept()

"""The record of a moment beside the record of today: what is new since then, what is another, what is gone.

Both are read under the sight of who asks, page by page, so that neither is ever in memory as a whole. What is the same
but for its version and the time of it (what was brought back, for one) is the same.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from emr.access.permissions import sight
from emr.records.history import LATE
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

Name = tuple[str, str]
"""Type and id."""
Kind = Literal["new", "changed", "gone"]
_PAGE: Final = 1_000
_PATIENT: Final = "SET LOCAL statement_timeout = '10min'"

_THEN: Final = """
SELECT id, type, version, deleted, patients, sha256(body) AS digest FROM resources
 WHERE (id, type) > ($1, $2) AND ($3::text[] IS NULL OR type = ANY ($3)) AND ($4 = '' OR $4 = ANY (patients))
   AND ($5::text[] IS NULL OR type || '/' || id = ANY ($5))
 ORDER BY id, type LIMIT $6
"""
_SINCE: Final = """
SELECT id, type, version, deleted, patients, sha256(body) AS digest FROM resources
 WHERE (id, type) > ($1, $2) AND ($3::text[] IS NULL OR type = ANY ($3)) AND ($4 = '' OR $4 = ANY (patients))
   AND ($5::text[] IS NULL OR type || '/' || id = ANY ($5)) AND NOT deleted AND updated >= $7
 ORDER BY id, type LIMIT $6
"""
_OF: Final = """
SELECT r.id, r.type, r.version, r.deleted, sha256(r.body) AS digest
  FROM unnest($1::text[], $2::text[]) AS asked (id, type) JOIN resources r ON r.id = asked.id AND r.type = asked.type
"""
_BODIES: Final = """
SELECT r.pk, r.id, r.type, r.version, r.updated, r.deleted, r.patients, r.body
  FROM unnest($1::text[], $2::text[]) AS asked (id, type) JOIN resources r ON r.id = asked.id AND r.type = asked.type
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which part of the record: one patient's by id, some resources by name, or all of it."""

    patient: str = ""
    names: frozenset[Name] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A resource that is not as it was: its versions then and now, None where it was not or is not."""

    kind: Kind
    type: str
    id: str
    then: int | None
    now: int | None
    patients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """counts: by type how many are new, changed and gone. shown: the first of them."""

    counts: Mapping[str, Mapping[Kind, int]]
    shown: Sequence[Difference]

    @property
    def total(self) -> int:
        """How many resources are not as they were."""
        return sum(sum(kinds.values()) for kinds in self.counts.values())


@use_case("past:read", "past.compared")
async def compare(work: UnitOfWork, past: UnitOfWork, wanted: Wanted, most: int) -> Comparison:
    """Count all differences and show up to `most`. work: of today; past: of the moment."""
    counts: dict[str, Counter[Kind]] = {}
    shown: list[Difference] = []
    async for each in differences(work, past, wanted):
        counts.setdefault(each.type, Counter())[each.kind] += 1
        if len(shown) < most:
            shown.append(each)
            work.trail.concerns(*each.patients)
    then = past.tenant.past
    work.trail.note(past=then.id if then else "", moment=then.moment.isoformat() if then else "", shown=len(shown))
    return Comparison({name: dict(counts[name]) for name in sorted(counts)}, shown)


async def differences(work: UnitOfWork, past: UnitOfWork, wanted: Wanted) -> AsyncIterator[Difference]:
    """Every resource that is not as it was: those of then first, then those that are new."""
    for unit in (work, past):
        await unit.db.execute(_PATIENT)
    async for page in _pages(past, _THEN, wanted):
        for each in await _of_page(work, past, [row for row in page if not row["deleted"]]):
            yield each
    assert past.tenant.past is not None
    async for page in _pages(work, _SINCE, wanted, past.tenant.past.moment - LATE):
        known = {(row["type"], row["id"]) for row in await _of(past, _OF, page) if not row["deleted"]}
        for row in page:
            if (row["type"], row["id"]) not in known:
                yield Difference("new", row["type"], row["id"], None, row["version"], tuple(row["patients"]))


async def stored_under(work: UnitOfWork, names: Sequence[Name]) -> dict[Name, Stored]:
    """The current versions of these names, deletions among them; what is not there is left out."""
    asked = [{"type": name[0], "id": name[1]} for name in names]
    return {(row["type"], row["id"]): Stored.of(row["type"], row) for row in await _of(work, _BODIES, asked)}


def content_of(stored: Stored) -> dict[str, Any]:
    """A resource without what each of its versions has of its own."""
    content = stored.resource()
    meta = {name: value for name, value in content.get("meta", {}).items() if name not in ("versionId", "lastUpdated")}
    return content | {"meta": meta}


async def _of_page(work: UnitOfWork, past: UnitOfWork, page: Sequence[Any]) -> list[Difference]:
    """The differences of some resources that were there."""
    today = {(row["type"], row["id"]): row for row in await _of(work, _OF, page)}
    found: list[Difference] = []
    doubtful: list[Difference] = []
    for row in page:
        now = today.get((row["type"], row["id"]))
        told = row["type"], row["id"], row["version"]
        patients = tuple(row["patients"])
        if now is None or now["deleted"]:
            found.append(Difference("gone", *told, now["version"] if now else None, patients))
        elif now["digest"] != row["digest"]:
            doubtful.append(Difference("changed", *told, now["version"], patients))
    names = [(each.type, each.id) for each in doubtful]
    then, now_there = await stored_under(past, names), await stored_under(work, names)
    return found + [
        each
        for each, name in zip(doubtful, names, strict=True)
        if content_of(then[name]) != content_of(now_there[name])
    ]


async def _pages(work: UnitOfWork, query: str, wanted: Wanted, *more: object) -> AsyncIterator[Sequence[Any]]:
    """Rows by id, some at a time."""
    names = None if wanted.names is None else [f"{name[0]}/{name[1]}" for name in wanted.names]
    last, types = ("", ""), sight(work.principal)
    while True:
        page = await work.db.fetch(query, *last, types, wanted.patient, names, _PAGE, *more, name="comparing.page")
        if page:
            yield page
        if len(page) < _PAGE:
            return
        last = page[-1]["id"], page[-1]["type"]


async def _of(work: UnitOfWork, query: str, page: Sequence[Any]) -> Sequence[Any]:
    """What lies under the names of some rows."""
    if not page:
        return ()
    ids, types = [row["id"] for row in page], [row["type"] for row in page]
    return await work.db.fetch(query, ids, types, name="comparing.of")

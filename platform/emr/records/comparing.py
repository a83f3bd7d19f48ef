"""The record of a moment beside the record of today: what is new since then, what is another, what is gone.

Both are read under the sight of who asks, and neither is ever in memory as a whole. They are walked beside each other
in stretches of keys: PostgreSQL says one digest for all that lies in a stretch, over every name and body, and only
where the two digests are not the same are rows looked at. So a change that went past every rule of ours, in the
database itself, is found like any other. What is the same but for its version and the time of it (what was brought
back, for one) is the same.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal, TypeVar

from emr.access.permissions import sight
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

R = TypeVar("R")
S = TypeVar("S")
Name = tuple[str, str]
"""Type and id."""
Kind = Literal["new", "changed", "gone"]
Rows = Sequence[Any]
_PAGE: Final = 2_000
_BODIES_AT_ONCE: Final = 200
_LAST_KEY: Final = 2**63 - 1
_PATIENT: Final = "SET LOCAL statement_timeout = '10min'"

_DIGEST: Final = """
SELECT max(pk) AS last, sha256(string_agg(int8send(pk) || digest, '' ORDER BY pk)) AS digest FROM (
  SELECT pk, sha256(convert_to(type || '/' || id, 'UTF8') || body) AS digest FROM resources
   WHERE pk > $1 AND pk <= $2 AND NOT deleted AND ($3::text[] IS NULL OR type = ANY ($3))
   ORDER BY pk LIMIT $4) AS stretch
"""
_IN_STRETCH: Final = """
SELECT id, type, version, deleted, patients, sha256(body) AS digest FROM resources
 WHERE pk > $1 AND pk <= $2 AND NOT deleted AND ($3::text[] IS NULL OR type = ANY ($3)) ORDER BY pk
"""
_OF_PATIENT: Final = """
SELECT pk, id, type, version, deleted, patients, sha256(body) AS digest FROM resources
 WHERE pk > $1 AND $2 = ANY (patients) AND NOT deleted AND ($3::text[] IS NULL OR type = ANY ($3))
 ORDER BY pk LIMIT $4
"""
_OF: Final = """
SELECT r.id, r.type, r.version, r.deleted, r.patients, sha256(r.body) AS digest
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
    """Every resource that is not as it was: those of a stretch that were there, then those of it that are new."""
    for unit in (work, past):
        await unit.db.execute(_PATIENT)
    async for then, now in _beside_each_other(work, past, wanted):
        for each in await _of_rows(work, past, then):
            yield each
        known = {(row["type"], row["id"]) for row in then}
        fresh = [row for row in now if (row["type"], row["id"]) not in known]
        known = {(row["type"], row["id"]) for row in await _of(past, _OF, fresh) if not row["deleted"]}
        for row in fresh:
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


async def _of_rows(work: UnitOfWork, past: UnitOfWork, rows: Rows) -> list[Difference]:
    """The differences of some resources that were there."""
    today = {(row["type"], row["id"]): row for row in await _of(work, _OF, rows)}
    found: list[Difference] = []
    doubtful: list[Difference] = []
    for row in rows:
        now = today.get((row["type"], row["id"]))
        told = row["type"], row["id"], row["version"]
        patients = tuple(row["patients"])
        if now is None or now["deleted"]:
            found.append(Difference("gone", *told, now["version"] if now else None, patients))
        elif now["digest"] != row["digest"]:
            doubtful.append(Difference("changed", *told, now["version"], patients))
    for some in _some(doubtful, _BODIES_AT_ONCE):
        names = [(each.type, each.id) for each in some]
        was, there = await stored_under(past, names), await stored_under(work, names)
        found += [
            each for each, name in zip(some, names, strict=True) if content_of(was[name]) != content_of(there[name])
        ]
    return found


async def _beside_each_other(work: UnitOfWork, past: UnitOfWork, wanted: Wanted) -> AsyncIterator[tuple[Rows, Rows]]:
    """What may differ, some at a time: rows of then, and rows of today. Deleted ones are not there."""
    types = sight(work.principal)
    if wanted.names is not None:
        for some in _some(sorted(wanted.names), _PAGE):
            names = [{"type": name[0], "id": name[1]} for name in some if types is None or name[0] in types]
            yield (
                [row for row in await _of(past, _OF, names) if _is_wanted(row, wanted)],
                [row for row in await _of(work, _OF, names) if _is_wanted(row, wanted)],
            )
    elif wanted.patient:
        async for page in _of_patient(past, wanted.patient, types):
            yield page, ()
        async for page in _of_patient(work, wanted.patient, types):
            yield (), page
    else:
        async for stretch in _unlike(work, past, types):
            yield await _together(
                past.db.fetch(_IN_STRETCH, *stretch, types, name="comparing.rows"),
                work.db.fetch(_IN_STRETCH, *stretch, types, name="comparing.rows"),
            )


async def _of_patient(unit: UnitOfWork, patient: str, types: Sequence[str] | None) -> AsyncIterator[Rows]:
    """What concerns a patient, some at a time."""
    after = 0
    while page := await unit.db.fetch(_OF_PATIENT, after, patient, types, _PAGE, name="comparing.patient"):
        yield page
        after = page[-1]["pk"]


async def _unlike(work: UnitOfWork, past: UnitOfWork, types: Sequence[str] | None) -> AsyncIterator[tuple[int, int]]:
    """The stretches of keys, after the first up to the second, of which not everything is the same."""
    after = 0
    then = await _digest(past, (after, _LAST_KEY), types, _PAGE)
    while then["last"] is not None:
        stretch = after, then["last"]
        was, after = then["digest"], then["last"]
        # One server digests the next stretch of then while the other does this one of today.
        then, now = await _together(
            _digest(past, (after, _LAST_KEY), types, _PAGE), _digest(work, stretch, types, None)
        )
        if now["digest"] != was:
            yield stretch
    while (last := (await _digest(work, (after, _LAST_KEY), types, _PAGE))["last"]) is not None:
        yield after, last
        after = last


async def _digest(unit: UnitOfWork, stretch: tuple[int, int], types: Sequence[str] | None, most: int | None) -> Any:
    """The last key, and one digest, of up to so many resources of a stretch; both None where there is none."""
    return await unit.db.fetchrow(_DIGEST, *stretch, types, most, name="comparing.digest")


async def _together(first: Awaitable[R], second: Awaitable[S]) -> tuple[R, S]:
    """Two statements of two connections at a time. Neither is left running when the other fails."""
    one, other = await asyncio.gather(first, second, return_exceptions=True)
    if isinstance(one, BaseException):
        raise one
    if isinstance(other, BaseException):
        raise other
    return one, other


def _is_wanted(row: Any, wanted: Wanted) -> bool:
    return not row["deleted"] and (not wanted.patient or wanted.patient in row["patients"])


def _some(every: Sequence[R], most: int) -> Iterator[list[R]]:
    rest = iter(every)
    while some := list(islice(rest, most)):
        yield some


async def _of(work: UnitOfWork, query: str, rows: Rows) -> Rows:
    """What lies under the names of some rows."""
    if not rows:
        return ()
    ids, types = [row["id"] for row in rows], [row["type"] for row in rows]
    return await work.db.fetch(query, ids, types, name="comparing.of")

"""Everything about one patient, one encounter or all patients (patient-operation-everything.html).

First it is found which resources in which versions belong to the answer, in one statement: the members of the
compartment, and what those refer to and what supports them (practitioners, organizations, places, medicines), each
once. Then the bodies of exactly these versions are fetched, a batch at a time and each in a short transaction, so that
an answer of any length needs little memory, shows one state of the record and holds no connection while it is sent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Self

from emr.access.permissions import demand_sight, sight
from emr.db.connection import Row
from emr.definitions import model
from emr.definitions.dates import Range
from emr.definitions.search import parameters
from emr.records.codec import unpack
from emr.records.errors import ResourceGone, ResourceNotFound
from emr.records.keys import path_key
from emr.records.reindexing import demand_indexed
from emr.records.stored import is_id
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

PAGE_MOST: Final = 1_000
SUPPORTING: Final = frozenset(
    {
        *("Practitioner", "PractitionerRole", "Organization", "OrganizationAffiliation", "Location", "Endpoint"),
        *("HealthcareService", "Medication", "MedicationKnowledge", "Substance", "Device", "DeviceDefinition"),
    }
)
"""What belongs to no patient and stands in the answer about all of them."""
_LATE: Final = timedelta(seconds=30)
"""How long before `_since` a change may have been written and not yet committed when `_since` was taken; a client may
get something twice and must miss nothing."""
_NO_CARE: Final = frozenset({"Patient", "Person", "RelatedPerson"})
"""Types whose dates are those of a life and not of care."""
_BATCH_BYTES: Final = 512 * 1024
_BATCH_MOST: Final = 400

_FOCUS: Final = "SELECT pk, version, deleted, patients FROM resources WHERE type = $1 AND id = $2"

_OF_PATIENT: Final = """
WITH RECURSIVE named AS (SELECT c.pk FROM compartments c WHERE c.patient = $1 AND $11::bigint[] IS NOT NULL)
"""
_OF_ENCOUNTER: Final = """
WITH RECURSIVE named AS (
  SELECT $1::bigint AS pk UNION SELECT l.pk FROM links l WHERE l.path = ANY ($11::bigint[]) AND l.target = $1)
"""
_MEMBERS: Final = """
, members AS MATERIALIZED (
  SELECT r.* FROM named n CROSS JOIN LATERAL (
    SELECT r.pk, r.type, r.id, r.version, r.updated, r.patients, octet_length(r.body) AS size
      FROM resources r
     WHERE r.pk = n.pk AND NOT r.deleted AND ($3::text[] IS NULL OR r.type = ANY ($3))
       AND ($6::timestamptz IS NULL OR r.pk = $1
            OR coalesce((SELECT min(d.low) < $7::timestamptz AND max(d.high) > $6
                           FROM dates d WHERE d.pk = r.pk AND d.key = ANY ($8::bigint[])), true))
    OFFSET 0) r)
, direct AS MATERIALIZED (
  SELECT r.pk FROM (
      SELECT DISTINCT l.target FROM members m CROSS JOIN LATERAL (
        SELECT l.target FROM links l WHERE l.pk = m.pk AND l.target BETWEEN 1 AND 1099511627776 OFFSET 0) l
       WHERE l.target NOT IN (SELECT pk FROM members)) t
    CROSS JOIN LATERAL (
      SELECT r.pk FROM resources r
       WHERE r.pk = t.target AND NOT r.deleted AND r.type <> 'Bundle'
         AND (r.patients = '{}' OR r.patients && $2::text[]) AND ($3::text[] IS NULL OR r.type = ANY ($3)) OFFSET 0) r)
, outside AS (
  SELECT pk FROM direct
  UNION
  SELECT r.pk FROM outside o
    CROSS JOIN LATERAL (
      SELECT l.target FROM links l WHERE l.pk = o.pk AND l.target BETWEEN 1 AND 1099511627776 OFFSET 0) l
    CROSS JOIN LATERAL (
      SELECT r.pk FROM resources r
       WHERE r.pk = l.target AND NOT r.deleted AND r.type <> 'Bundle' AND r.patients = '{}'
         AND ($3::text[] IS NULL OR r.type = ANY ($3)) OFFSET 0) r)
"""
"""A link to something elsewhere has a hash as its target; pks are small numbers, and a hash that passes for one leads
nowhere or to something that belongs to nobody. A Bundle is nobody's, but what it holds may be: none is followed.

What is fenced by OFFSET 0 is looked up by index, resource by resource, whatever the statistics say: the cost is that of
the patient's record and not of the hospital's.
"""

_PAGE: Final = """
SELECT * FROM (
  SELECT every.*, count(*) FILTER (WHERE rank < 2) OVER () AS total FROM (
    SELECT CASE WHEN pk = $1 THEN 0 ELSE 1 END AS rank, pk, type, id, version, updated, patients, size FROM members
    UNION ALL
    SELECT 2, r.* FROM outside o CROSS JOIN LATERAL (
      SELECT r.pk, r.type, r.id, r.version, r.updated, r.patients, octet_length(r.body)
        FROM resources r WHERE r.pk = o.pk OFFSET 0) r
  ) every
  WHERE ($4::text[] IS NULL OR type = ANY ($4)) AND ($5::timestamptz IS NULL OR updated >= $5)
) counted
WHERE (rank, pk) > ($9::int, $10::bigint) ORDER BY rank, pk LIMIT $12
"""
_PATIENT: Final = "".join((_OF_PATIENT, _MEMBERS, _PAGE))  # noqa: FLY002 - constants, and no formatting near SQL
_ENCOUNTER: Final = "".join((_OF_ENCOUNTER, _MEMBERS, _PAGE))  # noqa: FLY002 - the same

_ALL: Final = """
(SELECT 1 AS rank, r.pk, r.type, r.id, r.version, r.patients, octet_length(r.body) AS size, NULL::bigint AS total
   FROM resources r
  WHERE $6::int <= 1 AND r.pk > CASE WHEN $6 = 1 THEN $7::bigint ELSE 0 END
    AND NOT r.deleted AND r.patients <> '{}' AND ($1::text[] IS NULL OR r.type = ANY ($1))
    AND ($2::text[] IS NULL OR r.type = ANY ($2)) AND ($3::timestamptz IS NULL OR r.updated >= $3)
    AND ($4::timestamptz IS NULL
         OR coalesce((SELECT min(d.low) < $5::timestamptz AND max(d.high) > $4
                        FROM dates d WHERE d.pk = r.pk AND d.key = ANY ($8::bigint[])), true))
  ORDER BY r.pk LIMIT $10)
UNION ALL
(SELECT 2, r.pk, r.type, r.id, r.version, r.patients, octet_length(r.body), NULL
   FROM resources r
  WHERE r.pk > CASE WHEN $6 = 2 THEN $7 ELSE 0 END
    AND NOT r.deleted AND r.patients = '{}' AND r.type = ANY ($9::text[])
    AND ($1::text[] IS NULL OR r.type = ANY ($1)) AND ($2::text[] IS NULL OR r.type = ANY ($2))
    AND ($3::timestamptz IS NULL OR r.updated >= $3)
  ORDER BY r.pk LIMIT $10)
ORDER BY rank, pk LIMIT $10
"""

_BODIES: Final = """
SELECT coalesce(r.body, v.body) AS body
  FROM unnest($1::bigint[], $2::int[]) WITH ORDINALITY AS t (pk, version, place)
  LEFT JOIN LATERAL (
    SELECT body FROM resources WHERE pk = t.pk AND version = t.version OFFSET 0) r ON true
  LEFT JOIN LATERAL (
    SELECT body FROM resource_versions WHERE r.body IS NULL AND pk = t.pk AND version = t.version OFFSET 0) v ON true
 ORDER BY t.place
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The last resource of a page: its pk and 0 for what was asked about, 1 for a member, 2 for what is referred to."""

    rank: int = -1
    pk: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of everything: care in a range of time, what has changed since, some types, `count` at once (None: all)."""

    care: Range | None = None
    since: datetime | None = None
    types: frozenset[str] | None = None
    count: int | None = None
    after: Place = Place()


@dataclass(frozen=True, slots=True)
class Found:
    """One version of the answer. `size` is in bytes as stored."""

    pk: int
    type: str
    id: str
    version: int
    size: int
    rank: int

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a row of the statements above."""
        return cls(row["pk"], row["type"], row["id"], row["version"], row["size"], row["rank"])

    @property
    def included(self) -> bool:
        """Whether it stands there because another one refers to it."""
        return self.rank == 2


@dataclass(frozen=True, slots=True)
class Everything:
    """What belongs to the answer, in order; `total` counts the members on all pages (None: not counted);
    `more`: where the next page goes on from.
    """

    found: Sequence[Found]
    total: int | None
    more: Place | None


@use_case("record:read", "record.everything")
async def everything_about(work: UnitOfWork, resource_type: str, resource_id: str, wanted: Wanted) -> Everything:
    """Of a Patient its whole compartment, of an Encounter that of the encounter, and what these refer to.

    Nothing is followed to another patient or to what belongs to one. Raises `ResourceNotFound`, `ResourceGone`,
    `Forbidden`.
    """
    await demand_indexed(work)
    demand_sight(work.principal, resource_type, "r")
    focus = await _focus(work, resource_type, resource_id)
    key = work.tenant.index_key
    rows = await work.db.fetch(
        _PATIENT if resource_type == "Patient" else _ENCOUNTER,
        focus["pk"],
        [resource_id] if resource_type == "Patient" else focus["patients"],
        sight(work.principal),
        _types(wanted),
        _since(wanted),
        *_care(wanted, key),
        wanted.after.rank,
        wanted.after.pk,
        _compartment_keys(key, resource_type),
        None if wanted.count is None else wanted.count + 1,
        name="everything",
    )
    work.trail.read(resource_type, resource_id, focus["version"])
    work.trail.concerns(*focus["patients"])
    return _answer(work, rows, wanted)


@use_case("record:search", "record.everything")
async def everything_about_all(work: UnitOfWork, wanted: Wanted) -> Everything:
    """A page of everything about every patient that the caller may see. Raises `Forbidden`."""
    await demand_indexed(work)
    demand_sight(work.principal, "Patient", "s")
    care = _care(wanted, work.tenant.index_key)
    rows = await work.db.fetch(
        _ALL,
        sight(work.principal, "s"),
        _types(wanted),
        _since(wanted),
        *care[:2],
        max(wanted.after.rank, 1),
        wanted.after.pk,
        care[2],
        sorted(SUPPORTING),
        (wanted.count or PAGE_MOST) + 1,
        name="everything-all",
    )
    return _answer(work, rows, wanted)


async def bodies(work: UnitOfWork, found: Sequence[Found]) -> list[bytes | None]:
    """The texts of versions that `everything_about` has found and put into the audit; None for one destroyed since."""
    rows = await work.db.fetch(_BODIES, [each.pk for each in found], [each.version for each in found], name="bodies")
    return [None if row["body"] is None else unpack(row["body"]) for row in rows]


def batches(found: Sequence[Found]) -> Iterator[Sequence[Found]]:
    """Pieces that fit into memory beside those of many other callers; a large resource is a piece of its own."""
    begin, size = 0, 0
    for number, each in enumerate(found):
        if number > begin and (size + each.size > _BATCH_BYTES or number - begin == _BATCH_MOST):
            yield found[begin:number]
            begin, size = number, 0
        size += each.size
    if found:
        yield found[begin:]


async def _focus(work: UnitOfWork, resource_type: str, resource_id: str) -> Row:
    row = await work.db.fetchrow(_FOCUS, resource_type, resource_id, name="focus") if is_id(resource_id) else None
    if row is None:
        raise ResourceNotFound(resource_type, resource_id)
    if row["deleted"]:
        raise ResourceGone(resource_type)
    return row


def _answer(work: UnitOfWork, rows: Sequence[Row], wanted: Wanted) -> Everything:
    shown = rows if wanted.count is None else rows[: wanted.count]
    for row in shown:
        work.trail.concerns(*row["patients"])
    found = [Found.of(row) for row in shown]
    included = sum(each.included for each in found)
    work.trail.note(shown=len(found) - included, included=included)
    more = Place(found[-1].rank, found[-1].pk) if len(rows) > len(shown) else None
    nothing = 0 if wanted.after == Place() else None
    return Everything(found, rows[0]["total"] if rows else nothing, more)


def _types(wanted: Wanted) -> list[str] | None:
    return None if wanted.types is None else sorted(wanted.types)


def _since(wanted: Wanted) -> datetime | None:
    return None if wanted.since is None else wanted.since - _LATE


def _care(wanted: Wanted, index_key: bytes) -> tuple[datetime | None, datetime | None, Sequence[int]]:
    """From when, until when, and the keys under which dates of care stand."""
    return (None, None, ()) if wanted.care is None else (wanted.care.low, wanted.care.high, _care_keys(index_key))


@lru_cache(maxsize=1_000)
def _care_keys(index_key: bytes) -> list[int]:
    """Index keys of all dates of care: those of resources in a patient's compartment, but for the dates of people."""
    kinds = sorted(model.content("compartments")["Patient"].keys() - _NO_CARE)
    return [
        path_key(index_key, path)
        for kind in kinds
        for each in parameters(kind).values()
        if each.kind == "date" and not each.name.startswith("_")
        for path in each.paths
    ]


@lru_cache(maxsize=1_000)
def _compartment_keys(index_key: bytes, resource_type: str) -> list[int]:
    """Index keys of the elements by which a resource belongs to an encounter (compartmentdefinition-encounter.html).

    Who belongs to a patient stands in a table of its own.
    """
    if resource_type == "Patient":
        return []
    named: dict[str, Any] = model.content("compartments")[resource_type]
    return [
        path_key(index_key, path)
        for kind, names in sorted(named.items())
        for name in names
        if name in parameters(kind)
        for path in parameters(kind)[name].paths
    ]

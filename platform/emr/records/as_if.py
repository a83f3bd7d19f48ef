"""Ask the index about a version that is not the current one, as if it were.

A copy of the version is stored under an id that nobody else knows, with its index rows; what is asked is asked of it;
then everything about it is undone. No lock of the real resource is taken, and nobody else ever sees the copy.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from emr.kernel.ids import uuid7
from emr.records.draft import Draft
from emr.records.references import local_references
from emr.records.store import prepare, put_as_if
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork

_FACTS: Final = """
SELECT t.type, t.id, t.version, v.updated, v.deleted, r.version AS current, coalesce(p.deleted, true) AS first
  FROM unnest($1::text[], $2::text[], $3::int[]) AS t (type, id, version)
  JOIN resources r ON r.type = t.type AND r.id = t.id
  JOIN LATERAL (
    SELECT r.updated, r.deleted WHERE r.version = t.version
    UNION ALL
    SELECT o.updated, o.deleted FROM resource_versions o WHERE o.pk = r.pk AND o.version = t.version) v ON true
  LEFT JOIN resource_versions p ON p.pk = r.pk AND p.version = t.version - 1
"""


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """When a version was written, whether it says that the resource is gone, which version is the current one, and
    whether nothing, or a deletion, stood before it.
    """

    updated: datetime
    deleted: bool
    current: int
    first: bool


async def facts(work: UnitOfWork, versions: list[tuple[str, str, int]]) -> dict[tuple[str, str, int], VersionFacts]:
    """What is known of versions named by type, id and number; those that are not here are left out."""
    columns = [[each[place] for each in versions] for place in range(3)]
    rows = await work.db.fetch(_FACTS, *columns, name="version-facts")
    return {
        (row["type"], row["id"], row["version"]): VersionFacts(
            row["updated"], row["deleted"], row["current"], row["first"]
        )
        for row in rows
    }


class _Undone(Exception):
    """Takes the copy away."""


@asynccontextmanager
async def as_if_current(work: UnitOfWork, stored: Stored) -> AsyncIterator[str]:
    """The id under which this version can be searched for while the context lasts."""
    value = stored.resource()
    try:
        async with work.db.savepoint():
            known = await prepare(work, new=1, references=local_references(work.request.base_url, value))
            draft = Draft("create", stored.type, uuid7(), 1, stored.last_updated, value, stored.body, known.pks[0])
            await put_as_if(work, draft, known.found)
            yield draft.id
            raise _Undone  # noqa: TRY301 - nothing has failed; it is how a savepoint is undone
    except _Undone:
        return

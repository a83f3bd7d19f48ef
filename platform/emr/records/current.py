"""The current version of a resource, as it stands in its table."""

from typing import Final

from emr.records.errors import ResourceGone, ResourceNotFound
from emr.records.stored import Stored, is_id
from emr.work.unit import UnitOfWork

CURRENT: Final = """
SELECT pk, id, version, updated, deleted, patients, body FROM resources WHERE type = $1 AND id = $2
"""


async def current(work: UnitOfWork, resource_type: str, resource_id: str) -> Stored:
    """The current version, deleted or not; `ResourceNotFound` when there never was one."""
    row = await work.db.fetchrow(CURRENT, resource_type, resource_id, name="read") if is_id(resource_id) else None
    if row is None:
        raise ResourceNotFound(resource_type, resource_id)
    return Stored.of(resource_type, row)


def refuse_deleted(stored: Stored) -> Stored:
    """The version, unless it says that the resource is gone."""
    if stored.deleted:
        raise ResourceGone(stored.type)
    return stored
